import {array, f64, i32} from '#support/wire';
import type {LimitTable} from './limits.ts';

/**
 * Fields of memory that a device's workers and its machine's owner have in common: limits, and what is left of them. They come first in their
 * struct, which goes on at a multiple of 8.
 */
export const bucketFields = (table: LimitTable) => ({
	/** Held by whoever changes the rest. */
	lock: i32,
	/** 1 where there is any limit. */
	isLimited: i32,
	/** Each a second, and at once, in the order of the table; 0 for none. */
	limits: array(f64, table.length),
	bursts: array(f64, table.length),
	/** Tokens that there were at this time of the host's monotonic clock, in nanoseconds. Below 0 where more went than there were. */
	tokens: array(f64, table.length),
	filledNs: array(f64, 1),
});
