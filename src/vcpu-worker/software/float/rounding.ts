import {type Format, infinityOf, signOf} from './format.ts';

/** Exceptions of floating point, as flags of MXCSR (SDM volume 1, 11.5.2). */
export const Exception = {
	invalid: 1,
	denormal: 2,
	divideByZero: 4,
	overflow: 8,
	underflow: 0x10,
	precision: 0x20,
} as const;

/** Values of MXCSR.RC (SDM volume 1, table 4-8). */
export const Rounding = {nearest: 0, down: 1, up: 2, towardZero: 3} as const;

/** What of MXCSR results depend on (SDM volume 1, 10.2.3). */
export interface Environment {
	/** A value of `Rounding`. */
	readonly rounding: number;
	/** Tiny results are zeros. */
	readonly flushesToZero: boolean;
	/** Denormal operands are zeros. */
	readonly denormalsAreZero: boolean;
	/** A tiny result is no exception where it is exact. */
	readonly masksUnderflow: boolean;
	/** A result that is too large is inexact whatever it was. */
	readonly masksOverflow: boolean;
}

/** Bits of a result, with the exceptions of its computation. */
export interface Result {
	readonly bits: bigint;
	readonly flags: number;
}

const mostOf64 = 2n ** 64n - 1n;

/** Bits up to the highest that is set. */
export function lengthOf(value: bigint): number {
	let length = 0;
	let rest = value;
	for (; rest > mostOf64; rest >>= 64n) length += 64;
	const high = Number(rest >> 32n);
	return length + (high === 0 ? 32 - Math.clz32(Number(rest)) : 64 - Math.clz32(high));
}

/** A magnitude that was rounded, and whether it is larger than it was. */
export interface Dropped {
	readonly kept: bigint;
	readonly isInexact: boolean;
	readonly isUp: boolean;
}

/** Rounds a magnitude to a multiple of two to the `count`, and gives how many. */
export function dropBits(magnitude: bigint, count: number, isNegative: boolean, rounding: number): Dropped {
	if (count <= 0) return {kept: magnitude << BigInt(-count), isInexact: false, isUp: false};
	const kept = magnitude >> BigInt(count);
	const rest = BigInt.asUintN(count, magnitude);
	if (rest === 0n) return {kept, isInexact: false, isUp: false};
	const isUp =
		rounding === Rounding.nearest
			? rest >> BigInt(count - 1) !== 0n && (BigInt.asUintN(count - 1, rest) !== 0n || (kept & 1n) === 1n)
			: rounding === (isNegative ? Rounding.down : Rounding.up);
	return {kept: isUp ? kept + 1n : kept, isInexact: true, isUp};
}

/**
 * The number of a format that stands for a significand times two to the exponent. What is not exact has a one behind
 * the bits that decide.
 */
export function roundTo(
	format: Format,
	isNegative: boolean,
	significand: bigint,
	exponent: number,
	environment: Environment,
): Result {
	const {precision, bias} = format;
	const {rounding} = environment;
	const sign = isNegative ? signOf(format) : 0n;
	if (significand === 0n) return {bits: sign, flags: 0};
	const length = lengthOf(significand);
	const {kept, isInexact} = dropBits(significand, length - precision, isNegative, rounding);
	const precise = isInexact ? Exception.precision : 0;
	const stored = exponent + length - 1 + bias;
	const carry = kept >> BigInt(precision) === 0n ? 0 : 1;
	// Tiny is what is so after it was rounded as if exponents had no end (SDM volume 1, 4.9.1.5).
	if (stored + carry < 1) {
		if (!environment.masksUnderflow) return {bits: sign, flags: Exception.underflow | precise};
		if (environment.flushesToZero) return {bits: sign, flags: Exception.underflow | Exception.precision};
		const tiny = dropBits(significand, 2 - bias - precision - exponent, isNegative, rounding);
		return {bits: sign | tiny.kept, flags: tiny.isInexact ? Exception.underflow | Exception.precision : 0};
	}
	if (stored + carry > 2 * bias) {
		const isInfinite = rounding === Rounding.nearest || rounding === (isNegative ? Rounding.down : Rounding.up);
		const bits = sign | (infinityOf(format) - (isInfinite ? 0n : 1n));
		const inexact = environment.masksOverflow ? Exception.precision : precise;
		return {bits, flags: Exception.overflow | inexact};
	}
	// The first bit of the significand adds one to the exponent, and a carry another one.
	return {bits: sign | ((BigInt(stored - 1) << BigInt(precision - 1)) + kept), flags: precise};
}
