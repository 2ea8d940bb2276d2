import {kindNumber, systemKind} from '#vcpu-worker/software/semantics';
import {CpuState, MicroOp} from '#vcpu-worker/software/state';

/** Stands for the place of the constant in the step's own record. */
export const ownImmediate = -1;

/** A step before it is a record. */
export interface Step {
	readonly kind: number;
	readonly a: number;
	readonly b: number;
	readonly c: number;
	readonly immediate: bigint;
	readonly scale: number;
	readonly segment: number;
}

const none = CpuState.offset('none');

/** The step that leaves to TypeScript. */
export const systemStep: Step = {kind: systemKind, a: 0, b: 0, c: 0, immediate: 0n, scale: 0, segment: none};

/** The step that goes on at an offset in the page. */
export const nextStep = (pageOffset: number): Step => ({
	...systemStep,
	kind: kindNumber('next.64'),
	immediate: BigInt(pageOffset),
});

/** Words of a record, in which small fields are side by side. */
export const RecordWord = {
	kind: MicroOp.offset('kind') / 4,
	a: MicroOp.offset('a') / 4,
	b: MicroOp.offset('b') / 4,
	c: MicroOp.offset('c') / 4,
	immediate: MicroOp.offset('immediate') / 4,
	start: MicroOp.offset('start') / 4,
	segment: MicroOp.offset('segment') / 4,
	words: MicroOp.size / 4,
} as const;
const scaleShift = (MicroOp.offset('scale') - MicroOp.offset('kind')) * 8;

/** A step's record, without its place in a block. */
export function wordsOf({kind, a, b, c, immediate, scale, segment}: Step): number[] {
	const words = new Array<number>(RecordWord.words).fill(0);
	words[RecordWord.kind] = kind | (scale << scaleShift);
	words[RecordWord.a] = a;
	words[RecordWord.b] = b;
	words[RecordWord.c] = c;
	words[RecordWord.immediate] = Number(BigInt.asIntN(32, immediate));
	words[RecordWord.immediate + 1] = Number(BigInt.asIntN(32, immediate >> 32n));
	words[RecordWord.segment] = segment;
	return words;
}

/** Leads the first instruction with a VEX prefix on general registers of a block. */
export const vexCheck: Step = {...systemStep, kind: kindNumber('requireVex.64')};
/** The same on YMM registers. */
export const avxCheck: Step = {...systemStep, kind: kindNumber('requireAvx.128')};
/** Leads the first instruction on XMM registers of a block. */
export const vectorCheck: Step = {...systemStep, kind: kindNumber('requireVectors.128')};
/** Leads the first one on MMX registers. */
export const mmxCheck: Step = {...systemStep, kind: kindNumber('requireMmx.64')};
