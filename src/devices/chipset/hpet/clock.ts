import {periodFs} from './registers.ts';

const fsPerNs = 1e6;
const nsPerClock = periodFs / fsPerNs;

/** Clock that no match reaches. */
export const never = Number.POSITIVE_INFINITY;

/** Periods of the main counter since VM time zero: an integer below 2^53 for 28 years. */
export const clockAt = (nowNs: number): number => Math.floor(nowNs / nsPerClock);

/** The nanosecond of VM time at which clock `clock` begins. */
export const timeOfClock = (clock: number): number => clock * nsPerClock;

/** Clocks that `ns` nanoseconds take at least. */
export const clocksIn = (ns: number): number => Math.ceil(ns / nsPerClock);
