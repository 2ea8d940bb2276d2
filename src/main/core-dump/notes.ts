import {concatBytes, packedRecord} from '#main/acpi/packed-record';
import type {DescriptorTable, ProcessorRegisters, Segment} from '#vcpu-worker/registers';

/** Names and offsets of fields of 64 bits, one after the other. */
const words = <const N extends string>(start: number, names: readonly N[]) =>
	names.map((name, index) => [name, start + index * 8, 8] as const);

const align4 = (length: number): number => Math.ceil(length / 4) * 4;

const noteHeader = packedRecord([
	['nameLength', 0, 4],
	['length', 4, 4],
	['type', 8, 4],
]);

/** An ELF note (gABI, "Note Section"): name and contents, each continued to a multiple of four bytes. */
export function elfNote(name: string, type: number, contents: Uint8Array): Uint8Array {
	const text = new Uint8Array(align4(name.length + 1));
	text.set(Buffer.from(name));
	const padded = new Uint8Array(align4(contents.length));
	padded.set(contents);
	return concatBytes(noteHeader.encode({nameLength: name.length + 1, length: contents.length, type}), text, padded);
}

/** struct elf_prstatus of Linux on x86-64 (include/uapi/linux/elfcore.h, user_regs_struct). */
const prstatus = packedRecord([
	['info', 0, 12],
	['signal', 12, 4],
	['masks', 16, 16],
	['pid', 32, 4],
	['times', 36, 76],
	...words(112, [
		'r15',
		'r14',
		'r13',
		'r12',
		'rbp',
		'rbx',
		'r11',
		'r10',
		'r9',
		'r8',
		'rax',
		'rcx',
		'rdx',
		'rsi',
		'rdi',
	]),
	...words(232, ['originalRax', 'rip', 'cs', 'rflags', 'rsp', 'ss', 'fsBase', 'gsBase', 'ds', 'es', 'fs', 'gs']),
	['fpvalid', 328, 4],
	['end', 332, 4],
]);
const prstatusType = 1;

/** NT_PRSTATUS: a processor as a thread, the first with number 1. */
export function prstatusNote(vcpu: number, {general, special}: ProcessorRegisters): Uint8Array {
	const {cs, ss, ds, es, fs, gs} = special;
	const selectors = {
		cs: cs.selector,
		ss: ss.selector,
		ds: ds.selector,
		es: es.selector,
		fs: fs.selector,
		gs: gs.selector,
	};
	const bases = {fsBase: fs.base, gsBase: gs.base};
	return elfNote('CORE', prstatusType, prstatus.encode({...general, ...selectors, ...bases, pid: vcpu + 1}));
}

/** A segment in QEMU's state note (QEMUCPUSegment). */
const segmentRecord = packedRecord([
	['selector', 0, 4],
	['limit', 4, 4],
	['flags', 8, 4],
	['pad', 12, 4],
	['base', 16, 8],
]);
const segmentBytes = 24;
const segmentNames = ['cs', 'ds', 'es', 'fs', 'gs', 'ss', 'ldt', 'tr', 'gdt', 'idt'] as const;
const firstSegment = 152;
const controlStart = firstSegment + segmentNames.length * segmentBytes;

/** QEMU's note on a processor (QEMUCPUState, version 1), by which `crash` finds a kernel that has moved. */
const qemuState = packedRecord([
	['version', 0, 4],
	['size', 4, 4],
	...words(8, ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rsp', 'rbp']),
	...words(72, ['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15', 'rip', 'rflags']),
	...segmentNames.map((name, index) => [name, firstSegment + index * segmentBytes, segmentBytes] as const),
	...words(controlStart, ['cr0', 'cr1', 'cr2', 'cr3', 'cr4', 'kernelGsBase']),
]);

/** The note named QEMU of a processor. */
export function qemuNote({general, special, kernelGsBase}: ProcessorRegisters): Uint8Array {
	const segments = Object.fromEntries(segmentNames.map((name) => [name, segmentBytesOf(special[name])]));
	const {cr0, cr2, cr3, cr4} = special;
	const values = {...general, ...segments, cr0, cr2, cr3, cr4, kernelGsBase, version: 1, size: qemuState.length};
	return elfNote('QEMU', 0, qemuState.encode(values));
}

function segmentBytesOf(segment: Segment | DescriptorTable): Uint8Array {
	if (!('selector' in segment)) return segmentRecord.encode(segment);
	const {selector, limit, base, type, s, dpl, present, l, db, g} = segment;
	// The upper half of a descriptor, from its type on (Intel SDM vol. 3, figure 3-8).
	const bits = [type << 8, Number(s) << 12, dpl << 13, Number(present) << 15, Number(l) << 21, Number(db) << 22];
	const flags = bits.reduce((sum, value) => sum | value, Number(g) << 23);
	return segmentRecord.encode({selector, limit, base, flags});
}

/** VMCOREINFO: what a Linux kernel says of its own layout, as it has it in memory. */
export const vmcoreinfoNote = (text: Uint8Array): Uint8Array => elfNote('VMCOREINFO', 0, text);
