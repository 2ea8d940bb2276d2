import {Exception, Rounding} from '#vcpu-worker/software/float';
import {invalid, notNumbers} from './arithmetic.ts';
import {integral, ofInteger, roundedToIntegral} from './conversions.ts';
import {bias, type Extended, extendedOf, infinity, Kind, type Operand, zero} from './extended.ts';
import {type Context, round} from './rounding.ts';

/** What FPREM and FPREM1 leave: the remainder, low bits of the quotient, and whether there is more to do. */
export interface Remainder {
	readonly value: Extended;
	/** Undefined where an operand is no number, or the operation invalid. */
	readonly quotient: number | undefined;
	readonly isPartial: boolean;
}

const whole = (value: Extended, quotient?: number): Remainder => ({value, quotient, isPartial: false});

/** Exponents that differ by less are done in one step (Intel SDM volume 2, FPREM). */
const wholeReduction = 64;

/** Remainder of a division whose quotient is truncated, or rounded to the nearest integer. */
export function remainder(context: Context, a: Operand, b: Operand, isNearest: boolean): Remainder {
	const nan = notNumbers(context, a, b);
	if (nan !== undefined) return whole(nan);
	if (a.kind === Kind.infinity || b.kind === Kind.zero) {
		context.flags &= ~Exception.denormal;
		return whole(invalid(context));
	}
	if (a.kind === Kind.zero) return whole(zero(a.isNegative), 0);
	const apart = a.exponent - b.exponent;
	// A divisor of more than twice the dividend has no part in it.
	if (b.kind === Kind.infinity || apart < -1) return whole(round(context, a.isNegative, a.exponent, a.significand), 0);
	const isPartial = apart >= wholeReduction;
	// As many steps as leave a multiple of 32 of them.
	const left = isPartial ? apart - (32 + (apart % 32)) : 0;
	const exponent = Math.min(a.exponent - left, b.exponent);
	const dividend = a.significand << BigInt(a.exponent - left - exponent);
	const divisor = b.significand << BigInt(b.exponent - exponent);
	let quotient = dividend / divisor;
	let rest = dividend - quotient * divisor;
	let {isNegative} = a;
	if (isNearest && !isPartial && (2n * rest > divisor || (2n * rest === divisor && (quotient & 1n) === 1n))) {
		quotient++;
		rest = divisor - rest;
		isNegative = !isNegative;
	}
	const value = rest === 0n ? zero(a.isNegative) : round(context, isNegative, exponent + left, rest);
	return {value, quotient: Number(quotient & 7n), isPartial};
}

/** Beyond it, any power of two leads out of range. */
const mostScale = 0x1_0000n;

/** Changes the exponent by an integer. */
export function scale(context: Context, a: Operand, b: Operand): Extended {
	const nan = notNumbers(context, a, b);
	if (nan !== undefined) return nan;
	if (b.kind === Kind.infinity) {
		if (b.isNegative) return a.kind === Kind.infinity ? invalid(context) : zero(a.isNegative);
		return a.kind === Kind.zero ? invalid(context) : infinity(a.isNegative);
	}
	if (a.kind !== Kind.finite) return extendedOf(a);
	if (b.kind === Kind.zero) return round(context, a.isNegative, a.exponent, a.significand);
	const power = wholePart(b);
	const limited = power > mostScale ? mostScale : power < -mostScale ? -mostScale : power;
	return round(context, a.isNegative, a.exponent + Number(limited), a.significand);
}

function wholePart(a: Operand): bigint {
	if (a.exponent > 0) return a.isNegative ? -mostScale : mostScale;
	const quiet = {rounding: Rounding.towardZero, precision: 64, masks: 0x3f, flags: 0, isUp: false};
	return integral(quiet, a);
}

/** Exponent and significand as numbers of their own. */
export function extract(context: Context, a: Operand): {readonly exponent: Extended; readonly significand: Extended} {
	const nan = notNumbers(context, a);
	if (nan !== undefined) return {exponent: nan, significand: nan};
	if (a.kind === Kind.zero) {
		context.flags |= Exception.divideByZero;
		return {exponent: infinity(true), significand: zero(a.isNegative)};
	}
	if (a.kind === Kind.infinity) return {exponent: infinity(false), significand: infinity(a.isNegative)};
	const exponent = ofInteger(BigInt(a.exponent + 63));
	return {
		exponent: extendedOf(exponent),
		significand: {signExponent: bias | (a.isNegative ? 0x8000 : 0), significand: a.significand},
	};
}

export function roundToIntegral(context: Context, a: Operand): Extended {
	const nan = notNumbers(context, a);
	if (nan !== undefined) return nan;
	return (a.kind === Kind.finite ? roundedToIntegral(context, a) : undefined) ?? extendedOf(a);
}
