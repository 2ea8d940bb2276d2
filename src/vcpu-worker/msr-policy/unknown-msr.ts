import {Msr} from './msr-numbers.ts';

/** How an access that KVM does not know ends: a value (of a read; a write is done), or a general protection fault. */
export type MsrAnswer = {readonly value: bigint} | 'gp';

/** Registers that answer although they do not exist. */
export interface QuietMsr {
	readonly name: string;
	readonly first: number;
	/** Included. */
	readonly last: number;
	/** What a read gives. */
	readonly value: bigint;
	/** Bits that a write may set; they are dropped. A write of others faults. */
	readonly writable: bigint;
	readonly reason: string;
}

const anyBits = 2n ** 64n - 1n;
const l2Cache =
	'old firmware sets up the second-level cache of the Pentium Pro through it, and does not expect a fault';
const quiet = (name: string, first: number, last: number): QuietMsr => ({
	name,
	first,
	last,
	value: 0n,
	writable: anyBits,
	reason: l2Cache,
});

/**
 * The exceptions. Every other register that KVM does not know faults, as it does on hardware: guests probe with that, and
 * a made-up value would send them down paths that nothing backs.
 */
export const quietMsrs: readonly QuietMsr[] = [
	quiet('BBL_CR_D', Msr.BBL_CR_D0, Msr.BBL_CR_D2),
	quiet('BBL_CR_ADDR', Msr.BBL_CR_ADDR, Msr.BBL_CR_ADDR),
	quiet('BBL_CR_DECC to BBL_CR_BUSY', Msr.BBL_CR_DECC, Msr.BBL_CR_BUSY),
	quiet('BBL_CR_CTL3', Msr.BBL_CR_CTL3, Msr.BBL_CR_CTL3),
];

/** Answers are made once: the guest decides how often they are asked for. */
const answers: readonly {readonly row: QuietMsr; readonly answer: MsrAnswer}[] = quietMsrs.map((row) => ({
	row,
	answer: Object.freeze({value: row.value}),
}));

/**
 * Decides an exit with KVM_MSR_EXIT_REASON_UNKNOWN. Bounded, without allocation and without logging; counting is the
 * caller's.
 * @param msr - the register, unsigned
 * @param value - what a write wants to set, unsigned; ignored for reads
 */
export function answerUnknownMsr(msr: number, isWrite: boolean, value: bigint): MsrAnswer {
	for (const {row, answer} of answers) {
		if (msr < row.first || msr > row.last) continue;
		return isWrite && (value & ~row.writable) !== 0n ? 'gp' : answer;
	}
	return 'gp';
}
