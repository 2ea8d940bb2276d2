import {type Segment, segmentNames} from '#devices/processor';
import {array, bits, concatBytes, flag, range, reserved, u32, u64, wire} from '#support/wire';
import type {ProcessorRegisters} from '#vcpu-worker/registers';

const align4 = (length: number): number => Math.ceil(length / 4) * 4;

const noteHeader = wire('ELF note header', {
	nameLength: u32.at(0),
	length: u32.at(4),
	type: u32.at(8),
}).sized(12);

/** An ELF note (gABI, "Note Section"): name and contents, each continued to a multiple of four bytes. */
export function elfNote(name: string, type: number, contents: Uint8Array): Uint8Array {
	const text = new Uint8Array(align4(name.length + 1));
	text.set(Buffer.from(name));
	const padded = new Uint8Array(align4(contents.length));
	padded.set(contents);
	return concatBytes(noteHeader.encode({nameLength: name.length + 1, length: contents.length, type}), text, padded);
}

/** struct elf_prstatus of Linux on x86-64 (include/uapi/linux/elfcore.h, user_regs_struct). */
const prstatus = wire('elf_prstatus', {
	info: reserved(12),
	signal: u32,
	masks: reserved(16),
	pid: u32,
	times: reserved(76),
	r15: u64,
	r14: u64,
	r13: u64,
	r12: u64,
	rbp: u64,
	rbx: u64,
	r11: u64,
	r10: u64,
	r9: u64,
	r8: u64,
	rax: u64,
	rcx: u64,
	rdx: u64,
	rsi: u64,
	rdi: u64,
	originalRax: u64,
	rip: u64,
	cs: u64,
	rflags: u64,
	rsp: u64,
	ss: u64,
	fsBase: u64,
	gsBase: u64,
	ds: u64,
	es: u64,
	fs: u64,
	gs: u64,
	fpvalid: u32,
}).sized(336);
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

/** A segment in QEMU's state note (QEMUCPUSegment). `flags` is the upper half of a descriptor from its type on. */
const segmentState = wire('QEMUCPUSegment', {
	selector: u32,
	limit: u32,
	/** Intel SDM vol. 3, figure 3-8. */
	flags: bits(u32, {
		type: range(11, 8),
		s: flag(12),
		dpl: range(14, 13),
		present: flag(15),
		l: flag(21),
		db: flag(22),
		g: flag(23),
	}),
	padding: reserved(4),
	base: u64,
}).sized(24);

/** QEMU's note on a processor (QEMUCPUState, version 1), by which `crash` finds a kernel that has moved. */
const qemuState = wire('QEMUCPUState', {
	version: u32.initial(1),
	size: u32.initial(440),
	rax: u64,
	rbx: u64,
	rcx: u64,
	rdx: u64,
	rsi: u64,
	rdi: u64,
	rsp: u64,
	rbp: u64,
	r8: u64,
	r9: u64,
	r10: u64,
	r11: u64,
	r12: u64,
	r13: u64,
	r14: u64,
	r15: u64,
	rip: u64,
	rflags: u64,
	cs: segmentState,
	ds: segmentState,
	es: segmentState,
	fs: segmentState,
	gs: segmentState,
	ss: segmentState,
	ldt: segmentState,
	tr: segmentState,
	gdt: segmentState,
	idt: segmentState,
	cr: array(u64, 5),
	kernelGsBase: u64,
}).sized(440);

/** The note named QEMU of a processor. */
export function qemuNote({general, special, kernelGsBase}: ProcessorRegisters): Uint8Array {
	const {cr0, cr2, cr3, cr4, gdt, idt} = special;
	const segments = Object.fromEntries(segmentNames.map((name) => [name, segmentOf(special[name])]));
	const values = {...general, ...segments, gdt, idt, cr: [cr0, 0n, cr2, cr3, cr4], kernelGsBase};
	return elfNote('QEMU', 0, qemuState.encode(values));
}

const segmentOf = ({selector, limit, base, type, s, dpl, present, l, db, g}: Segment) =>
	({selector, limit, base, flags: {type, s, dpl, present, l, db, g}}) as const;

/** VMCOREINFO: what a Linux kernel says of its own layout, as it has it in memory. */
export const vmcoreinfoNote = (text: Uint8Array): Uint8Array => elfNote('VMCOREINFO', 0, text);
