import {
	type GeneralRegisters,
	generalRegisterNames,
	type Segment,
	type SpecialRegisters,
	segmentNames,
} from '#devices/processor';
import type {CpuState} from '#vcpu-worker/software/state';
import {flagsOf, setFlags} from '#vcpu-worker/software/system';

type State = ReturnType<typeof CpuState.on>;

/** Numbers of the registers in instructions, by name (SDM volume 2, table 3-1). */
const numbers: Readonly<Partial<Record<(typeof generalRegisterNames)[number], number>>> = {
	rax: 0,
	rcx: 1,
	rdx: 2,
	rbx: 3,
	rsp: 4,
	rbp: 5,
	rsi: 6,
	rdi: 7,
	r8: 8,
	r9: 9,
	r10: 10,
	r11: 11,
	r12: 12,
	r13: 13,
	r14: 14,
	r15: 15,
};
/** Numbers of the segment registers, LDTR and TR. */
const segmentNumbers = {es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5, ldt: 6, tr: 7} as const;

/** Bits of a segment's attributes (SDM volume 3, figure 3-8). */
const bits = {type: 0xf, s: 0x10, dplShift: 5, present: 0x80, l: 0x2000, db: 0x4000, g: 0x8000} as const;

/** Reads the general registers. */
export function readGeneral(state: State): GeneralRegisters {
	const {general, rip} = state;
	const value = (name: (typeof generalRegisterNames)[number]) => {
		const number = numbers[name];
		if (number !== undefined) return general[number] as bigint;
		return name === 'rip' ? rip : BigInt(flagsOf(state));
	};
	return Object.fromEntries(generalRegisterNames.map((name) => [name, value(name)])) as GeneralRegisters;
}

/** Writes them. */
export function writeGeneral(state: State, registers: GeneralRegisters): void {
	for (const [name, number] of Object.entries(numbers))
		state.general[number] = registers[name as keyof GeneralRegisters];
	state.rip = registers.rip;
	setFlags(state, Number(registers.rflags & 0xffff_ffffn));
}

/** Control registers that the local APIC has. */
interface ApicRegisters {
	cr8: number;
	base: bigint;
}

/** Reads segments and control registers. */
export function readSpecial(state: State, {cr8, base}: Readonly<ApicRegisters>): SpecialRegisters {
	const segments = Object.fromEntries(segmentNames.map((name) => [name, readSegment(state, segmentNumbers[name])]));
	const {gdtr, idtr, cr0, cr2, cr3, cr4, efer} = state;
	return {
		...(segments as Record<(typeof segmentNames)[number], Segment>),
		gdt: {base: gdtr.base, limit: gdtr.limit},
		idt: {base: idtr.base, limit: idtr.limit},
		cr0,
		cr2,
		cr3,
		cr4,
		cr8: BigInt(cr8),
		efer,
		apicBase: base,
	};
}

/** Writes them, but for those of the local APIC. */
export function writeSpecial(state: State, registers: SpecialRegisters): void {
	for (const name of segmentNames) writeSegment(state, segmentNumbers[name], registers[name]);
	const {gdt, idt, cr0, cr2, cr3, cr4, efer} = registers;
	Object.assign(state.gdtr, gdt);
	Object.assign(state.idtr, idt);
	Object.assign(state, {cr0, cr2, cr3, cr4, efer});
}

function readSegment(state: State, number: number): Segment {
	const {base = 0n, limit = 0, selector = 0, attributes = 0} = state.segments[number] ?? {};
	const has = (bit: number) => (attributes & bit) !== 0;
	return {
		base,
		limit,
		selector,
		type: attributes & bits.type,
		present: has(bits.present),
		dpl: (attributes >> bits.dplShift) & 3,
		db: has(bits.db),
		s: has(bits.s),
		l: has(bits.l),
		g: has(bits.g),
	};
}

function writeSegment(state: State, number: number, segment: Segment): void {
	const {base, limit, selector, type, present, dpl, db, s, l, g} = segment;
	const bit = (is: boolean, value: number) => (is ? value : 0);
	const attributes =
		type |
		bit(s, bits.s) |
		(dpl << bits.dplShift) |
		bit(present, bits.present) |
		bit(l, bits.l) |
		bit(db, bits.db) |
		bit(g, bits.g);
	Object.assign(state.segments[number] as object, {base, limit, selector, attributes});
}
