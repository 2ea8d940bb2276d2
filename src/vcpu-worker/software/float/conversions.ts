import {denormalFlag, nanOf} from './arithmetic.ts';
import {type Format, infinityOf, movedNan, signOf, type Unpacked} from './format.ts';
import {dropBits, type Environment, Exception, type Result, roundTo} from './rounding.ts';

/** A number in another format. */
export function convert(value: Unpacked, from: Format, to: Format, environment: Environment): Result {
	const {kind, isNegative, isSignaling, significand, exponent} = value;
	if (kind === 'nan') return {bits: movedNan(value, from, to), flags: isSignaling ? Exception.invalid : 0};
	if (kind === 'infinity') return {bits: (isNegative ? signOf(to) : 0n) | infinityOf(to), flags: 0};
	const {bits, flags} = roundTo(to, isNegative, significand, exponent, environment);
	return {bits, flags: flags | denormalFlag(value)};
}

/** A signed integer of this many bits; the lowest one where that has no place for it (SDM volume 1, 4.8.3.7). */
export function toInteger(
	{kind, isNegative, significand, exponent}: Unpacked,
	width: number,
	rounding: number,
): Result {
	const none = {bits: 1n << BigInt(width - 1), flags: Exception.invalid};
	// A number from two to the width on is none of them: its bits need not be there.
	if (kind !== 'finite' || exponent > width) return none;
	const {kept, isInexact} = dropBits(significand, -exponent, isNegative, rounding);
	const value = isNegative ? -kept : kept;
	if (BigInt.asIntN(width, value) !== value) return none;
	return {bits: BigInt.asUintN(width, value), flags: isInexact ? Exception.precision : 0};
}

export function fromInteger(value: bigint, to: Format, environment: Environment): Result {
	return roundTo(to, value < 0n, value < 0n ? -value : value, 0, environment);
}

/** An integer in the same format, with the sign of what it comes from. */
export function toIntegral(value: Unpacked, format: Format, environment: Environment): Result {
	const nan = nanOf([value], format);
	if (nan !== undefined) return nan;
	const {kind, isNegative, significand, exponent, bits} = value;
	if (kind === 'infinity' || exponent >= 0) return {bits, flags: 0};
	const {kept, isInexact} = dropBits(significand, -exponent, isNegative, environment.rounding);
	const integral = roundTo(format, isNegative, kept, 0, environment);
	return {bits: integral.bits, flags: isInexact ? Exception.precision : 0};
}
