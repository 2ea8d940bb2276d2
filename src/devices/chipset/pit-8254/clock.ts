import type {VmTime} from '#devices/vm-time';
import {pitFrequencyHz} from './registers.ts';

const nsPerSecond = 1e9;

/**
 * Clocks since VM time zero. The clock is never restarted, so that a rounding of one sample cannot add up: after 100 days
 * the error of an f64 is still some thousandths of a clock.
 */
export const clockAt = (nowNs: number): number => Math.floor((nowNs * pitFrequencyHz) / nsPerSecond);

/** The clock of an access, in an array: as a number that functions pass to each other it would be an object. */
export class PitClock {
	readonly now = new Float64Array(1);
	/** The same in nanoseconds of VM time. */
	readonly nowNs = new Float64Array(1);
	readonly #time: VmTime;

	constructor(time: VmTime) {
		this.#time = time;
	}

	/** Looks at the time, once and first of all, so that an access has one moment. */
	look(): void {
		this.#time.look(this.nowNs);
		this.now[0] = clockAt(this.nowNs[0] as number);
	}
}

/** First whole nanosecond of VM time that is surely in clock `clock`. */
export const timeOfClock = (clock: number): number => Math.ceil((clock * nsPerSecond) / pitFrequencyHz) + 1;

/** Clocks that `ns` nanoseconds take at least. */
export const clocksIn = (ns: number): number => Math.ceil((ns * pitFrequencyHz) / nsPerSecond);
