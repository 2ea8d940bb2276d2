import type {MsrFallback} from '#devices/io-bus';
import {Msr} from '#vcpu-worker/registers';

/** Registers that answer although they do not exist: they read zero, and what is written is dropped. */
export interface QuietMsr {
	readonly name: string;
	readonly first: number;
	/** Included. */
	readonly last: number;
	readonly reason: string;
}

const l2Cache =
	'old firmware sets up the second-level cache of the Pentium Pro through it, and does not expect a fault';
const quiet = (name: string, first: number, last: number): QuietMsr => ({
	name,
	first,
	last,
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

/**
 * Answers for registers that neither the back end nor a device knows. Bounded, without allocation and without logging: the
 * guest decides how often it is asked.
 */
export const unknownMsrs: MsrFallback = {
	read(msr, value) {
		if (!isQuiet(msr)) return false;
		value.low = 0;
		value.high = 0;
		return true;
	},
	write: (msr) => isQuiet(msr),
};

function isQuiet(msr: number): boolean {
	for (const {first, last} of quietMsrs) if (msr >= first && msr <= last) return true;
	return false;
}
