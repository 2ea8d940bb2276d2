import {type Assembler, distance, identityPageTables, pageBit} from '#flowey/x86-assembler';
import {cpuPage, cpuPageSize, cpuPages, maxCpus, memoryEnd, selector} from './layout.ts';

/** The page with the I/O APIC, and that with the local APIC. */
const apicPages = [0xfec0_0000, 0xfee0_0000];

/**
 * The page tables are data, not built at run time, because kernel code is slow on hosts that emulate it.
 * User mode may touch the guest's own pages only.
 */
export function emitPageTables({label, bytes, align}: Assembler, address: number): void {
	align(0x1000, 0);
	label('page-tables');
	const userBits = (page: number): number => (page < memoryEnd ? pageBit.user : 0);
	const cacheBits = (page: number): number => (apicPages.includes(page) ? pageBit.uncached | pageBit.writeThrough : 0);
	bytes(identityPageTables(address, (page) => userBits(page) | cacheBits(page)));
}

/** Global descriptors with one task state segment per CPU; SDM volume 3, sections 3.4.5 and 8.2.3. */
export function emitGdt({label, align, qwords, bytes, words}: Assembler): void {
	align(16, 0);
	label('gdt');
	qwords(0);
	qwords(0x00cf_9b00_0000_ffffn); // 32-bit kernel code, flat
	qwords(0x00af_9b00_0000_ffffn); // 64-bit kernel code
	qwords(0x00cf_9300_0000_ffffn); // kernel data
	qwords(0x00cf_fb00_0000_ffffn); // 32-bit user code
	qwords(0x00cf_f300_0000_ffffn); // user data
	qwords(0x00af_fb00_0000_ffffn); // 64-bit user code
	qwords(0);
	bytes(new Uint8Array(taskDescriptors().buffer));
	label('gdt-end');
	align(8, 0);
	label('gdt-pointer');
	words({...distance('gdt', 'gdt-end'), add: -1});
	qwords('gdt');
}

/** One 16-byte descriptor per CPU. */
function taskDescriptors(): Uint32Array {
	const descriptors = new Uint32Array(maxCpus * 4);
	for (let cpu = 0; cpu < maxCpus; cpu++) {
		const base = cpuPages + cpu * cpuPageSize + cpuPage.tss;
		descriptors[cpu * 4] = ((base & 0xffff) << 16) | 103; // limit: 104 bytes
		descriptors[cpu * 4 + 1] = (base & 0xff00_0000) | ((base >> 16) & 0xff) | 0x8900; // present, available
	}
	return descriptors;
}

export const vectorCount = 256;
/** The software interrupt that ends user mode. */
export const leaveVector = 0x80;

/** Space for the interrupt descriptors, which {@link fillIdt} fills once the handlers have addresses. */
export function emitIdt({label, align, zeros, words, qwords}: Assembler): void {
	align(16, 0);
	label('idt');
	zeros(vectorCount * 16);
	label('idt-end');
	label('idt-pointer');
	words({...distance('idt', 'idt-end'), add: -1});
	qwords('idt');
	label('empty-idt-pointer');
	words(0);
	qwords(0);
}

/** Writes the interrupt gates; SDM volume 3, section 6.14.1. */
export function fillIdt(idt: DataView, handlerOf: (vector: number) => number): void {
	for (let vector = 0; vector < vectorCount; vector++) {
		const handler = handlerOf(vector);
		const at = vector * 16;
		idt.setUint16(at, handler & 0xffff, true);
		idt.setUint16(at + 2, selector.kernelCode, true);
		// Present interrupt gate; user mode may raise only the vector that is meant for it.
		idt.setUint16(at + 4, vector === leaveVector ? 0xee00 : 0x8e00, true);
		idt.setUint16(at + 6, handler >>> 16, true);
	}
}
