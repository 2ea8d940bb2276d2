import type {VmTime} from '#devices/vm-time';
import {cell} from '#support/wire';
import {pitFrequencyHz} from './registers.ts';

const nsPerSecond = 1e9;

/** The clock of an access. */
export class PitClock {
	/**
	 * Clocks since VM time zero. The clock is never restarted, so that a rounding of one sample cannot add up: after 100 days
	 * the error of an f64 is still some thousandths of a clock.
	 */
	readonly now = cell();
	/** The same in nanoseconds of VM time. */
	readonly nowNs = cell();
	readonly #time: VmTime;

	constructor(time: VmTime) {
		this.#time = time;
	}

	/** Looks at the time, once and first of all, so that an access has one moment. */
	look(): void {
		this.#time.look(this.nowNs);
		this.now[0] = Math.floor((this.nowNs[0] * pitFrequencyHz) / nsPerSecond);
	}
}

/** First whole nanosecond of VM time that is surely in clock `clock`. */
export const timeOfClock = (clock: number): number => Math.ceil((clock * nsPerSecond) / pitFrequencyHz) + 1;

/** Clocks that `ns` nanoseconds take at least. */
export const clocksIn = (ns: number): number => Math.ceil((ns * pitFrequencyHz) / nsPerSecond);
