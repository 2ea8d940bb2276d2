import type {Instruction} from './instruction.ts';

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

/** Bits of a form's first word, above its length. */
const Bit = {
	CHECKS_SHIFT: 8,
	CHECKS: 15,
	X87: 1 << 12,
	SYSTEM: 1 << 13,
	LOWERED: 1 << 14,
	ENDS_BLOCK: 1 << 15,
} as const;
/** Words of what varies: step, where its field is and how long, flags, and the base in two. */
const varyingWords = 6;
const Varied = {SIGNED: 1, RELATIVE: 2} as const;

/** A form as words, which other threads can read. */
export function formWords({length, checks, isX87, instruction, words, varying, endsBlock}: Form): Int32Array {
	const flags =
		length |
		(checks << Bit.CHECKS_SHIFT) |
		(isX87 ? Bit.X87 : 0) |
		(instruction === undefined ? 0 : Bit.SYSTEM) |
		(words === undefined ? 0 : Bit.LOWERED) |
		(endsBlock ? Bit.ENDS_BLOCK : 0);
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

/**
 * A form of words.
 * @param decoded - gives an instruction of it; where there is none there is no form
 */
export function formOf(all: Int32Array, decoded: () => Instruction | undefined): Form | undefined {
	const [flags = 0, count = 0] = all;
	const instruction = (flags & Bit.SYSTEM) === 0 ? undefined : decoded();
	if (instruction === undefined && (flags & Bit.SYSTEM) !== 0) return undefined;
	const behind = 2 + count * varyingWords;
	const varying = Array.from({length: count}, (_, index): Varying => {
		const [step = 0, at = 0, bytes = 0, how = 0, low = 0, high = 0] = all.subarray(2 + index * varyingWords);
		return {
			step,
			base: high * 2 ** 32 + (low >>> 0),
			field: bytes === 0 ? undefined : {at, bytes},
			isSigned: (how & Varied.SIGNED) !== 0,
			isRelative: (how & Varied.RELATIVE) !== 0,
		};
	});
	return {
		length: flags & 0xff,
		checks: (flags >> Bit.CHECKS_SHIFT) & Bit.CHECKS,
		isX87: (flags & Bit.X87) !== 0,
		instruction,
		words: (flags & Bit.LOWERED) === 0 ? undefined : all.slice(behind),
		varying,
		endsBlock: (flags & Bit.ENDS_BLOCK) !== 0,
	};
}
