import {Exception, Rounding, rootOf} from '#vcpu-worker/software/float';
import {type Extended, extendedOf, indefinite, infinity, Kind, type Operand, quietBit, zero} from './extended.ts';
import {type Context, round} from './rounding.ts';

/** Numbers of which one is that much smaller leave only a trace in the other. */
const farApart = 140;
const traceBits = 70;

/** Computes a result of two operands. */
export type Binary = (context: Context, a: Operand, b: Operand) => Extended;

export function invalid(context: Context): Extended {
	context.flags |= Exception.invalid;
	return indefinite;
}

/**
 * What operands that are no numbers make of an operation (Intel SDM volume 1, 4.8.3.5): of two NaNs the quiet one, else the one with
 * the larger significand, else the positive one. Undefined where all are numbers.
 */
export function notNumbers(context: Context, a: Operand, b = a): Extended | undefined {
	const [first, second] = [a.kind, b.kind];
	if (first < Kind.quiet && second < Kind.quiet) {
		if (a.isDenormal || b.isDenormal) context.flags |= Exception.denormal;
		return undefined;
	}
	if (first === Kind.unsupported || second === Kind.unsupported) return invalid(context);
	if (first === Kind.signalling || second === Kind.signalling) context.flags |= Exception.invalid;
	const {isNegative, significand} = second < Kind.quiet ? a : first < Kind.quiet ? b : chosen(a, b);
	return extendedOf({...a, kind: Kind.quiet, isNegative, significand: significand | quietBit});
}

function chosen(a: Operand, b: Operand): Operand {
	if (a.kind !== b.kind) return a.kind === Kind.quiet ? a : b;
	if (a.significand !== b.significand) return a.significand > b.significand ? a : b;
	return a.isNegative ? b : a;
}

/** The operand as a result: rounded, since the precision may be smaller. */
const rounded = (context: Context, {isNegative, exponent, significand}: Operand): Extended =>
	round(context, isNegative, exponent, significand);

function sum(context: Context, a: Operand, b: Operand, isNegated: boolean): Extended {
	const nan = notNumbers(context, a, b);
	if (nan !== undefined) return nan;
	const isNegative = b.isNegative !== isNegated;
	if (a.kind === Kind.infinity)
		return b.kind === Kind.infinity && a.isNegative !== isNegative ? invalid(context) : infinity(a.isNegative);
	if (b.kind === Kind.infinity) return infinity(isNegative);
	if (a.kind === Kind.zero) {
		if (b.kind !== Kind.zero) return rounded(context, {...b, isNegative});
		return a.isNegative === isNegative ? zero(isNegative) : nothing(context);
	}
	if (b.kind === Kind.zero) return rounded(context, a);
	const [large, small] = a.exponent >= b.exponent ? [a, b] : [b, a];
	const [largeNegative, smallNegative] = large === a ? [a.isNegative, isNegative] : [isNegative, a.isNegative];
	const distance = large.exponent - small.exponent;
	const isFar = distance > farApart;
	const shifted = large.significand << BigInt(isFar ? traceBits : distance);
	const other = isFar ? 1n : small.significand;
	const exponent = isFar ? large.exponent - traceBits : small.exponent;
	if (largeNegative === smallNegative) return round(context, largeNegative, exponent, shifted + other);
	const difference = shifted - other;
	if (difference === 0n) return nothing(context);
	if (difference < 0n) return round(context, smallNegative, exponent, -difference);
	return round(context, largeNegative, exponent, difference);
}

/** Zero, of numbers with different signs. */
const nothing = ({rounding}: Context): Extended => zero(rounding === Rounding.down);

export const add: Binary = (context, a, b) => sum(context, a, b, false);
export const subtract: Binary = (context, a, b) => sum(context, a, b, true);

export const multiply: Binary = (context, a, b) => {
	const nan = notNumbers(context, a, b);
	if (nan !== undefined) return nan;
	const isNegative = a.isNegative !== b.isNegative;
	if (a.kind === Kind.infinity || b.kind === Kind.infinity)
		return a.kind === Kind.zero || b.kind === Kind.zero ? invalid(context) : infinity(isNegative);
	if (a.kind === Kind.zero || b.kind === Kind.zero) return zero(isNegative);
	return round(context, isNegative, a.exponent + b.exponent, a.significand * b.significand);
};

export const divide: Binary = (context, a, b) => {
	const nan = notNumbers(context, a, b);
	if (nan !== undefined) return nan;
	const isNegative = a.isNegative !== b.isNegative;
	if (a.kind === Kind.infinity) return b.kind === Kind.infinity ? invalid(context) : infinity(isNegative);
	if (b.kind === Kind.infinity) return zero(isNegative);
	if (b.kind === Kind.zero) {
		if (a.kind === Kind.zero) return invalid(context);
		return divideByZero(context, isNegative);
	}
	if (a.kind === Kind.zero) return zero(isNegative);
	return quotient(context, isNegative, a, b);
};

/** An infinity that is exact: it says nothing of operands that are denormal. */
export function divideByZero(context: Context, isNegative: boolean): Extended {
	context.flags = (context.flags & ~Exception.denormal) | Exception.divideByZero;
	return infinity(isNegative);
}

/** Bits that a quotient has at least, so that two are below all that is kept. */
const quotientBits = 66;

function quotient(context: Context, isNegative: boolean, a: Operand, b: Operand): Extended {
	const shifted = a.significand << BigInt(quotientBits);
	const whole = shifted / b.significand;
	const isExact = whole * b.significand === shifted;
	return round(context, isNegative, a.exponent - b.exponent - quotientBits, isExact ? whole : withTrace(whole));
}

/** Sets the last bit for what lies below it: it is below all bits that are kept, and not the one that decides on half. */
const withTrace = (significand: bigint): bigint => significand | 1n;

export function squareRoot(context: Context, a: Operand): Extended {
	const nan = a.kind < Kind.quiet && a.isNegative && a.kind !== Kind.zero ? invalid(context) : notNumbers(context, a);
	if (nan !== undefined) return nan;
	if (a.kind !== Kind.finite) return extendedOf(a);
	const shift = 70 + (a.exponent & 1);
	const shifted = a.significand << BigInt(shift);
	const root = rootOf(shifted);
	return round(context, false, (a.exponent - shift) / 2, root * root === shifted ? root : withTrace(root));
}

/** How an operand compares: -1, 0 or 1; undefined where one is no number. */
export function compare(context: Context, a: Operand, b: Operand, isQuiet: boolean): number | undefined {
	if (a.kind >= Kind.quiet || b.kind >= Kind.quiet) {
		if (!isQuiet || a.kind > Kind.quiet || b.kind > Kind.quiet) context.flags |= Exception.invalid;
		return undefined;
	}
	if (a.isDenormal || b.isDenormal) context.flags |= Exception.denormal;
	if (a.kind === Kind.zero && b.kind === Kind.zero) return 0;
	if (a.kind === Kind.zero) return b.isNegative ? 1 : -1;
	if (b.kind === Kind.zero || a.isNegative !== b.isNegative) return a.isNegative ? -1 : 1;
	return compareSizes(a, b) * (a.isNegative ? -1 : 1);
}

function compareSizes(a: Operand, b: Operand): number {
	if (a.kind !== b.kind) return a.kind === Kind.infinity ? 1 : -1;
	if (a.kind === Kind.infinity) return 0;
	if (a.exponent !== b.exponent) return a.exponent > b.exponent ? 1 : -1;
	return a.significand === b.significand ? 0 : a.significand > b.significand ? 1 : -1;
}
