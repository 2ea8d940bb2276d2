import {pitFrequencyHz} from './registers.ts';

const nsPerSecond = 1e9;

/**
 * Clocks since VM time zero. The clock is never restarted, so that a rounding of one sample cannot add up: after 100 days
 * the error of an f64 is still some thousandths of a clock.
 */
export const clockAt = (nowNs: number): number => Math.floor((nowNs * pitFrequencyHz) / nsPerSecond);

/** First whole nanosecond of VM time that is surely in clock `clock`. */
export const timeOfClock = (clock: number): number => Math.ceil((clock * nsPerSecond) / pitFrequencyHz) + 1;

/** Clocks that `ns` nanoseconds take at least. */
export const clocksIn = (ns: number): number => Math.ceil((ns * pitFrequencyHz) / nsPerSecond);
