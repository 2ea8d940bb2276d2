import {kindNumber, systemKind} from '#vcpu-worker/software/semantics';
import {CpuState} from '#vcpu-worker/software/state';

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

/** Leads the first instruction with a VEX prefix on general registers of a block. */
export const vexCheck: Step = {...systemStep, kind: kindNumber('requireVex.64')};
/** The same on YMM registers. */
export const avxCheck: Step = {...systemStep, kind: kindNumber('requireAvx.128')};
/** Leads the first instruction on XMM registers of a block. */
export const vectorCheck: Step = {...systemStep, kind: kindNumber('requireVectors.128')};
/** Leads the first one on MMX registers. */
export const mmxCheck: Step = {...systemStep, kind: kindNumber('requireMmx.64')};
