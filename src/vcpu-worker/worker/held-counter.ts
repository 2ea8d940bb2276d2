import type {CounterReading} from '#vcpu-worker/hypervisor';

/** A time-stamp counter and the VM time of its reading. The counter of a machine that stands still runs on by itself. */
export interface HeldCounter extends CounterReading {
	readonly atNs: number;
	/** Part of it that was caught up. */
	readonly caughtUpNs: number;
}

const nsPerMs = 1_000_000n;

/**
 * The counter's value by VM time: the one at which VM time stood still, or a later one when that has caught up.
 * Wraps at 64 bits, as counters do.
 * @param nowNs - VM time
 */
export function counterAt({value, khz, atNs}: Omit<HeldCounter, 'caughtUpNs'>, nowNs: number): bigint {
	const passedNs = BigInt(Math.round(nowNs - atNs));
	return BigInt.asUintN(64, value + (passedNs * BigInt(khz)) / nsPerMs);
}
