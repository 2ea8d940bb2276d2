import type {VmTime} from '#devices/vm-time';
import {periodFs} from './registers.ts';

const fsPerNs = 1e6;
const nsPerClock = periodFs / fsPerNs;

/** Clock that no match reaches. */
export const never = Number.POSITIVE_INFINITY;

/** The clock of an access, in an array: as a number that functions pass to each other it would be an object. */
export class HpetClock {
	/** Periods of the main counter since VM time zero: an integer below 2^53 for 28 years. */
	readonly now = new Float64Array(1);
	readonly #time: VmTime;

	constructor(time: VmTime) {
		this.#time = time;
	}

	/** Looks at the time, once and first of all, so that an access has one moment. */
	look(): void {
		this.#time.look(this.now);
		this.now[0] = Math.floor((this.now[0] as number) / nsPerClock);
	}
}

/** The nanosecond of VM time at which clock `clock` begins. */
export const timeOfClock = (clock: number): number => clock * nsPerClock;

/** Clocks that `ns` nanoseconds take at least. */
export const clocksIn = (ns: number): number => Math.ceil(ns / nsPerClock);
