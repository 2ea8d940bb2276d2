import type {VmTime} from '#devices/vm-time';
import {cell} from '#support/wire';
import {periodFs} from './registers.ts';

const fsPerNs = 1e6;
const nsPerClock = periodFs / fsPerNs;

/** Clock that no match reaches. */
export const never = Number.POSITIVE_INFINITY;

/** The clock of an access. */
export class HpetClock {
	/** Periods of the main counter since VM time zero: an integer below 2^53 for 28 years. */
	readonly now = cell();
	readonly #time: VmTime;

	constructor(time: VmTime) {
		this.#time = time;
	}

	/** Looks at the time, once and first of all, so that an access has one moment. */
	look(): void {
		this.#time.look(this.now);
		this.now[0] = Math.floor(this.now[0] / nsPerClock);
	}
}

/** The nanosecond of VM time at which clock `clock` begins. */
export const timeOfClock = (clock: number): number => clock * nsPerClock;

/** Clocks that `ns` nanoseconds take at least. */
export const clocksIn = (ns: number): number => Math.ceil(ns / nsPerClock);
