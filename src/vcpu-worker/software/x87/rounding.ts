import {dropBits, Exception, lengthOf, Rounding} from '#vcpu-worker/software/float';
import {bias, type Extended, infinity, integerBit, signBit, zero} from './extended.ts';

/** Exceptions, which the status and the control word have at the same bits as MXCSR, that are found before a result is there: where one is not masked, there is none. */
export const beforeResult = Exception.invalid | Exception.denormal | Exception.divideByZero;

/** What an operation goes by, and what it says besides its result. */
export interface Context {
	/** A `Rounding`. */
	rounding: number;
	/** Bits of a significand. */
	precision: number;
	/** Exceptions that are masked. */
	masks: number;
	/** Exceptions that there were. */
	flags: number;
	/** The result is larger than the exact one, but for its sign. */
	isUp: boolean;
}

/** A format of floating-point numbers. */
export interface Format {
	readonly precision: number;
	/** Two to the power of that. */
	readonly limit: bigint;
	/** Exponents of the smallest and the largest normal number. */
	readonly least: number;
	readonly most: number;
}

/** A number as rounding leaves it: `significand` has the format's bits, fewer where it is denormal; its last one counts 2 to the power of `exponent`. */
export interface Rounded {
	readonly significand: bigint;
	readonly exponent: number;
	readonly isInfinite: boolean;
}

/** By how much the exponent of a result is changed that is too large or too small, where the handler of that exception is to scale it (SDM volume 1, 8.5.4). */
const exponentChange = 0x6000;

/**
 * Rounds an exact number to an integer of the units of its last place.
 * @param bits - of the significand behind the point
 */
export function roundToInteger(context: Context, isNegative: boolean, significand: bigint, bits: number): bigint {
	const {kept, isInexact, isUp} = dropBits(significand, bits, isNegative, context.rounding);
	if (isInexact) context.flags |= Exception.precision;
	context.isUp = isUp;
	return kept;
}

/**
 * Rounds a number to a format, with the exceptions of that.
 * @param significand - not 0. Where the number is not exact, its last bit is 1 and lies below all that a format keeps
 * @param canScale - results out of range have another exponent where their exception is not masked
 */
export function roundTo(
	context: Context,
	{precision, limit, least, most}: Format,
	isNegative: boolean,
	exponent: number,
	significand: bigint,
	canScale: boolean,
): Rounded {
	const length = lengthOf(significand);
	let drop = length - precision;
	const {rounding} = context;
	let {kept, isInexact, isUp} = dropBits(significand, drop, isNegative, rounding);
	// Rounding may carry into a new bit, which leaves zeros behind.
	if (kept === limit) {
		kept >>= 1n;
		drop++;
	}
	let last = exponent + drop;
	const size = last + precision - 1;
	let {flags} = context;
	if (size < least) {
		const isMasked = (context.masks & Exception.underflow) !== 0;
		if (!isMasked && canScale && size + exponentChange < least) return beyond(context, Exception.underflow);
		if (isMasked || !canScale) {
			// The first bit that such a number can have is that of the smallest normal one.
			last = least - precision + 1;
			({kept, isInexact, isUp} = dropBits(significand, last - exponent, isNegative, rounding));
		} else last += exponentChange;
		if (isInexact || !isMasked) flags |= Exception.underflow;
	} else if (size > most) {
		flags |= Exception.overflow;
		if ((context.masks & Exception.overflow) === 0 && canScale) {
			if (size - exponentChange > most) return beyond(context, Exception.overflow);
			last -= exponentChange;
		} else {
			const isInfinite = rounding === Rounding.nearest || rounding === (isNegative ? Rounding.down : Rounding.up);
			context.isUp = isInfinite;
			context.flags = flags | Exception.precision;
			return {significand: limit - 1n, exponent: most - precision + 1, isInfinite};
		}
	}
	context.flags = flags | (isInexact ? Exception.precision : 0);
	context.isUp = isUp;
	return {significand: kept, exponent: last, isInfinite: false};
}

/** A result that is out of range when it is scaled too: infinity or 0, whatever the way of rounding, as processors of AMD have it. */
function beyond(context: Context, exception: number): Rounded {
	context.isUp = exception === Exception.overflow;
	context.flags |= exception | Exception.precision;
	return {significand: 0n, exponent: 0, isInfinite: context.isUp};
}

/** What of a format follows from its number of bits. */
export function sized(precision: number): Pick<Format, 'precision' | 'limit'> {
	return {precision, limit: 1n << BigInt(precision)};
}

const leastExtended = 1 - bias;
const formats = new Map(
	[24, 53, 64].map((precision) => [precision, {...sized(precision), least: leastExtended, most: bias}] as const),
);
const full = {...sized(64), least: leastExtended, most: bias};

/** Rounds a number to 80 bits, of which the significand has as many as the context says. */
export function round(context: Context, isNegative: boolean, exponent: number, significand: bigint): Extended {
	const format = formats.get(context.precision) ?? full;
	const rounded = roundTo(context, format, isNegative, exponent, significand, true);
	if (rounded.isInfinite) return infinity(isNegative);
	const {significand: kept, exponent: last} = rounded;
	const {precision} = format;
	if (kept === 0n) return zero(isNegative);
	const whole = precision === 64 ? kept : kept << BigInt(64 - precision);
	const field = whole < integerBit ? 0 : last + precision - 1 + bias;
	return {signExponent: field | (isNegative ? signBit : 0), significand: whole};
}
