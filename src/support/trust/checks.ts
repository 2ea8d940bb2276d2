/**
 * Checks that make a number of a guest's value. Each check answers undefined for a value that it refuses and for one that could
 * not be read, so that a device has one way out for both.
 */
import {type Guest, unchecked} from './guest-value.ts';

/** A value that could be read, or none. */
type Read<T extends number | bigint = number> = Guest<T> | undefined;

/** Addresses of x86 have 52 bits at most (Intel SDM vol. 3, 4.1.4), so that a number holds each. */
const addressLimit = 2 ** 52;

/** An index into something that has `limit` elements. */
export const below = (value: Read, limit: number): number | undefined => within(value, 0, limit - 1);

/** A number from `min` to `max`, both included. */
export function within(value: Read, min: number, max: number): number | undefined {
	const number = unchecked(value);
	return number !== undefined && number >= min && number <= max ? number : undefined;
}

/** One of the numbers that a specification names. */
export function oneOf<const T extends number>(value: Read, allowed: readonly T[]): T | undefined {
	return allowed.find((number) => number === unchecked(value));
}

/** Some of the bits of a number below 2^32; none of the others is left. */
export function masked(value: Read, mask: number): number | undefined {
	const number = unchecked(value);
	return number === undefined ? undefined : (number & mask) >>> 0;
}

/**
 * A guest-physical address, or none when it is beyond what addresses can be or no multiple of `alignment`. There may be no
 * memory at it.
 */
export function asAddress(value: Read | Read<bigint>, alignment = 1): number | undefined {
	const number = Number(unchecked(value as Read));
	return number >= 0 && number < addressLimit && number % alignment === 0 ? number : undefined;
}
