import {
	type Assembler,
	al,
	cr3,
	distance,
	ds,
	eax,
	es,
	identityPageTables,
	pageBit,
	qword,
	rax,
	rsp,
	ss,
} from '#flowey/x86-assembler';
import {exitCode, exitPort, selector, stackSize, stacks, userFlags} from './layout.ts';

const vectorCount = 256;

/** Services for a 64-bit kernel besides instructions. */
export interface LongModeKit {
	/** Ends the kernel with a result. */
	exit(code: number): void;
	/** Goes to a label in user mode, by IRETQ, with the stack pointer as it is. */
	enterUserMode(label: string): void;
	/** Lets a label handle an exception or interrupt. */
	handle(vector: number, label: string): void;
	/** The handlers so far. */
	readonly handlers: ReadonlyMap<number, string>;
}

export function longModeKit(asm: Assembler): LongModeKit {
	const handlers = new Map<number, string>();
	return {
		handlers,
		exit: (code) => {
			const {mov, out, label, cli, hlt, jmp, unique} = asm;
			mov(al, code);
			out(exitPort, al);
			const halted = unique('halted');
			label(halted);
			cli();
			hlt();
			jmp(halted);
		},
		enterUserMode: (label) => {
			const {mov, push, iretq} = asm;
			mov(rax, rsp);
			push(selector.userData);
			push(rax);
			push(userFlags);
			push(selector.userCode);
			push(label);
			iretq();
		},
		handle: (vector, label) => {
			handlers.set(vector, label);
		},
	};
}

/** Number, stack, page tables, descriptor tables; goes on behind it. */
export function emitLongModePrologue(asm: Assembler): void {
	const {label, mov, prefix, xadd, add, shl, lgdt, lidt, push, retfq, cli, cld} = asm;
	label('entry');
	cli();
	cld();
	mov(eax, 1);
	prefix('lock');
	xadd(qword('vcpu-counter'), rax);
	add(rax, 1);
	shl(rax, Math.log2(stackSize));
	add(rax, stacks);
	mov(rsp, rax);
	mov(eax, 'page-tables');
	mov(cr3, rax);
	lgdt(qword('gdt-pointer'));
	push(selector.kernelCode);
	push('segments-loaded');
	retfq();
	label('segments-loaded');
	mov(eax, selector.kernelData);
	for (const segment of [ss, ds, es]) mov(segment, eax);
	lidt(qword('idt-pointer'));
}

/** The tables behind a kernel's code; there is no task state segment, so user mode must not be interrupted. */
export function emitLongModeTables(asm: Assembler, kit: LongModeKit): void {
	const {label, align, qwords, words, zeros, bytes} = asm;
	label('unexpected');
	kit.exit(exitCode.unexpected);
	align(64, 0);
	label('vcpu-counter');
	qwords(0);
	label('gdt');
	qwords(0);
	qwords(0x00cf_9b00_0000_ffffn); // 32-bit kernel code
	qwords(0x00af_9b00_0000_ffffn); // 64-bit kernel code
	qwords(0x00cf_9300_0000_ffffn); // kernel data
	qwords(0);
	qwords(0x00cf_f300_0000_ffffn); // user data
	qwords(0x00af_fb00_0000_ffffn); // 64-bit user code
	label('gdt-end');
	label('gdt-pointer');
	words({...distance('gdt', 'gdt-end'), add: -1});
	qwords('gdt');
	align(16, 0);
	label('idt');
	zeros(vectorCount * 16);
	label('idt-end');
	label('idt-pointer');
	words({...distance('idt', 'idt-end'), add: -1});
	qwords('idt');
	align(0x1000, 0);
	label('page-tables');
	// Their address is only known here, so `fillGates` writes them too.
	bytes(new Uint8Array(6 * 0x1000));
}

/** Writes interrupt gates (SDM volume 3, section 6.14.1) and page tables, which need the addresses of labels. */
export function fillGates(image: Uint8Array, addressOf: (label: string) => number, kit: LongModeKit): void {
	const origin = addressOf('page-tables') - (image.length - 6 * 0x1000);
	const gates = new DataView(image.buffer, addressOf('idt') - origin);
	for (let vector = 0; vector < vectorCount; vector++) {
		const handler = addressOf(kit.handlers.get(vector) ?? 'unexpected');
		gates.setUint16(vector * 16, handler & 0xffff, true);
		gates.setUint16(vector * 16 + 2, selector.kernelCode, true);
		gates.setUint16(vector * 16 + 4, 0x8e00, true); // present interrupt gate
		gates.setUint16(vector * 16 + 6, handler >>> 16, true);
	}
	// The local APIC's page is not to be cached.
	const bits = (page: number): number => pageBit.user | (page === 0xfee0_0000 ? pageBit.uncached : 0);
	image.set(identityPageTables(addressOf('page-tables'), bits), addressOf('page-tables') - origin);
}
