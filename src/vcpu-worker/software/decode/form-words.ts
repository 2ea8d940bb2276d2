import type {Instruction} from './instruction.ts';

/** What must hold for an instruction, which is asked for the first such one of a block: a bit each. */
export const Check = {vex: 1, avx: 2, vectors: 4, mmx: 8} as const;

/** Bytes of an instruction that vary within its form. */
export interface Field {
	/** Where they begin in the instruction. */
	readonly at: number;
	readonly bytes: number;
}

/** A step's constant that varies within a form. */
export interface Varying {
	/** Number of the step. */
	readonly step: number;
	/** What it is where fields are 0 and the instruction begins its page, a safe integer; 0 with a field of 8 bytes. */
	readonly base: number;
	/** What is added to it. */
	readonly field: Field | undefined;
	readonly isSigned: boolean;
	/** So is the instruction's offset in its page. */
	readonly isRelative: boolean;
}

/** What instructions have in common whose bytes are alike, but for displacement and constant. */
export interface Form {
	/** In bytes. */
	readonly length: number;
	/** What must hold for them: see `Check`. */
	readonly checks: number;
	/** They are of the x87. */
	readonly isX87: boolean;
	/** One of them; undefined where TypeScript never carries them out. */
	readonly instruction: Instruction | undefined;
	/** Records of their steps, without what varies; undefined where TypeScript always carries them out. */
	readonly words: Int32Array | undefined;
	readonly varying: readonly Varying[];
	/** Code goes elsewhere behind them. */
	readonly endsBlock: boolean;
}

/** Bits of a form's first word. */
export const FormBit = {
	LENGTH: 0xff,
	CHECKS_SHIFT: 8,
	CHECKS: 15,
	X87: 1 << 12,
	/** TypeScript carries it out, where its records do not. */
	SYSTEM: 1 << 13,
	/** It has records. */
	LOWERED: 1 << 14,
	ENDS_BLOCK: 1 << 15,
} as const;
/** Words of a form: bits, the number of constants that vary, those, `each` words long, and the records of its steps. */
export const FormWord = {
	flags: 0,
	count: 1,
	varying: 2,
	each: 6,
	/** Words of a constant: its step, where its field is and how long, bits, and the base in two. */
	of: {step: 0, at: 1, bytes: 2, how: 3, base: 4},
} as const;
/** Bits of a constant that varies. */
export const Varied = {SIGNED: 1, RELATIVE: 2} as const;

/** A form as words, which other threads can read, and generated code. */
export function formWords({length, checks, isX87, instruction, words, varying, endsBlock}: Form): Int32Array {
	const flags =
		length |
		(checks << FormBit.CHECKS_SHIFT) |
		(isX87 ? FormBit.X87 : 0) |
		(instruction === undefined ? 0 : FormBit.SYSTEM) |
		(words === undefined ? 0 : FormBit.LOWERED) |
		(endsBlock ? FormBit.ENDS_BLOCK : 0);
	return Int32Array.of(
		flags,
		varying.length,
		...varying.flatMap(({step, base, field, isSigned, isRelative}) => [
			...[step, field?.at ?? 0, field?.bytes ?? 0],
			...[(isSigned ? Varied.SIGNED : 0) | (isRelative ? Varied.RELATIVE : 0), base, Math.floor(base / 2 ** 32)],
		]),
		...(words ?? []),
	);
}
