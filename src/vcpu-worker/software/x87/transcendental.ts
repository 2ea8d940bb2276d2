import {Exception, lengthOf} from '#vcpu-worker/software/float';
import {add, divideByZero, invalid, notNumbers} from './arithmetic.ts';
import {type Extended, extendedOf, infinity, Kind, type Operand, operandOf, zero} from './extended.ts';
import {
	arctangent,
	cosine,
	exponentialLessOne,
	fixedBits,
	ln2,
	logarithmOfOnePlus,
	one,
	pi,
	ratio,
	sine,
} from './fixed-point.ts';
import {type Context, round} from './rounding.ts';

/** The exponent of an operand's highest bit below which its square is nothing to 64 bits. */
const tiny = -70;
/** The same where the square itself is left out, which decides how a result is rounded that lies near the middle of two numbers. */
const linear = -130;
const traceBits = 70;
const oneExtended: Extended = {signExponent: 0x3fff, significand: 1n << 63n};
const oneOperand = operandOf(oneExtended.signExponent, oneExtended.significand);

const sizeOf = ({exponent}: Operand): number => exponent + 63;
const isTiny = (a: Operand): boolean => sizeOf(a) < tiny;
const isLinear = (a: Operand): boolean => sizeOf(a) < linear;

/** Bits of a positive number behind the point. */
const fixedOf = ({exponent, significand}: Operand): bigint =>
	exponent + fixedBits >= 0
		? significand << BigInt(exponent + fixedBits)
		: significand >> BigInt(-exponent - fixedBits);

/** Rounds a number that is never exact, of which the bits behind the point are given. */
function roundFixed(context: Context, isNegative: boolean, value: bigint, exponent = -fixedBits): Extended {
	return round(context, isNegative, exponent - 2, (value << 2n) | 1n);
}

/** Rounds a number that differs by next to nothing from an operand. */
function roundNear(context: Context, {isNegative, exponent, significand}: Operand, isLarger: boolean): Extended {
	const trace = isLarger ? 1n : -1n;
	return round(context, isNegative, exponent - traceBits, (significand << BigInt(traceBits)) + trace);
}

/** F2XM1: two to the power of a number from -1 to 1, less 1. Others, which the manual leaves undefined, stay. */
export function powerLessOne(context: Context, a: Operand): Extended {
	const nan = notNumbers(context, a);
	if (nan !== undefined) return nan;
	const {kind, isNegative, exponent, significand} = a;
	if (kind === Kind.infinity) return isNegative ? extendedOf({...oneOperand, isNegative}) : infinity(false);
	if (kind === Kind.zero) return zero(isNegative);
	const isMinusOne = isNegative && sizeOf(a) === 0 && significand === oneOperand.significand;
	if (isMinusOne) return {signExponent: 0xbffe, significand};
	if (sizeOf(a) >= 0) return extendedOf(a);
	if (isLinear(a)) return roundFixed(context, isNegative, significand * ln2, exponent - fixedBits);
	const power = (significand * ln2) >> BigInt(-exponent);
	const result = exponentialLessOne(isNegative ? -power : power);
	return roundFixed(context, isNegative, isNegative ? -result : result);
}

/** The logarithm to base 2 of a positive finite number, in bits behind the point; exact for powers of two. */
function binaryLogarithm({exponent, significand}: Operand): bigint {
	// Between 3/4 and 3/2, so that there is no other power for numbers near 1.
	const power = exponent + 63 + Number(significand >> 62n === 3n ? 1n : 0n);
	const distance = (significand << BigInt(fixedBits - 63 - (power - exponent - 63))) - one;
	return (BigInt(power) << BigInt(fixedBits)) + ratio(logarithmOfOnePlus(distance), ln2);
}

/** The product of a factor and a logarithm. */
function roundProduct(
	context: Context,
	factor: Operand,
	logarithm: bigint,
	exponent: number,
	isExact: boolean,
): Extended {
	const isNegative = factor.isNegative !== logarithm < 0n;
	const size = factor.significand * (logarithm < 0n ? -logarithm : logarithm);
	const last = factor.exponent + exponent;
	return isExact ? round(context, isNegative, last, size) : roundFixed(context, isNegative, size, last);
}

/** FYL2X: a factor times the logarithm to base 2 (Intel SDM volume 2, table 3-45). */
export function logarithm(context: Context, a: Operand, factor: Operand): Extended {
	const nan = notNumbers(context, a, factor);
	if (nan !== undefined) return nan;
	if (a.kind === Kind.zero) return logarithmOfZero(context, factor);
	if (a.isNegative) return invalidNumber(context);
	const isOne = a.kind === Kind.finite && a.exponent === -63 && a.significand === oneOperand.significand;
	const isBelowOne = a.kind === Kind.finite && sizeOf(a) < 0;
	return (
		ofSpecial(context, factor, isOne, a.kind === Kind.infinity, isBelowOne) ??
		roundProduct(context, factor, binaryLogarithm(a), -fixedBits, a.significand === oneOperand.significand)
	);
}

function logarithmOfZero(context: Context, factor: Operand): Extended {
	if (factor.kind === Kind.zero) return invalidNumber(context);
	return factor.kind === Kind.finite ? divideByZero(context, !factor.isNegative) : infinity(!factor.isNegative);
}

/** Products of a factor and a logarithm that are no finite numbers, or 0; undefined for others. */
function ofSpecial(
	context: Context,
	factor: Operand,
	isZero: boolean,
	isInfinite: boolean,
	isNegative: boolean,
): Extended | undefined {
	const sign = factor.isNegative !== isNegative;
	if (factor.kind === Kind.infinity) return isZero ? invalidNumber(context) : infinity(sign);
	if (isInfinite) return factor.kind === Kind.zero ? invalidNumber(context) : infinity(sign);
	return isZero || factor.kind === Kind.zero ? zero(sign) : undefined;
}

/** An invalid operation on numbers, which says nothing of those that are denormal. */
function invalidNumber(context: Context): Extended {
	context.flags &= ~Exception.denormal;
	return invalid(context);
}

/** FYL2XP1: the same of a number near 1, given by its distance. */
export function logarithmNearOne(context: Context, a: Operand, factor: Operand): Extended {
	const nan = notNumbers(context, a, factor);
	if (nan !== undefined) return nan;
	const {kind, isNegative} = a;
	if (kind === Kind.infinity && isNegative) return invalidNumber(context);
	const special = ofSpecial(context, factor, kind === Kind.zero, kind === Kind.infinity, isNegative);
	if (special !== undefined) return special;
	if (sizeOf(a) >= -1) {
		// The manual leaves it undefined; it is what the logarithm of the sum is.
		const sum = add({...context, flags: 0}, oneOperand, a);
		return logarithm(context, operandOf(sum.signExponent, sum.significand), factor);
	}
	if (isLinear(a)) {
		const value = ratio((isNegative ? -a.significand : a.significand) << BigInt(fixedBits), ln2);
		return roundProduct(context, factor, value, a.exponent - fixedBits, false);
	}
	const distance = fixedOf(a);
	return roundProduct(
		context,
		factor,
		ratio(logarithmOfOnePlus(isNegative ? -distance : distance), ln2),
		-fixedBits,
		false,
	);
}

/** Eighths of a full turn, for the arctangents that have such. */
const eighth = (count: number): bigint => (pi * BigInt(count)) >> 2n;

/** FPATAN: the angle of a point, of which `y` and `x` are given (SDM volume 2, table 3-30). */
export function angle(context: Context, y: Operand, x: Operand): Extended {
	const nan = notNumbers(context, y, x);
	if (nan !== undefined) return nan;
	const sign = y.isNegative;
	if (y.kind === Kind.zero || (x.kind === Kind.infinity && y.kind !== Kind.infinity))
		return x.isNegative ? roundFixed(context, sign, pi) : zero(sign);
	if (y.kind === Kind.infinity)
		return roundFixed(context, sign, eighth(x.kind === Kind.infinity ? (x.isNegative ? 3 : 1) : 2));
	if (x.kind === Kind.zero) return roundFixed(context, sign, eighth(2));
	return angleOfNumbers(context, y, x);
}

function angleOfNumbers(context: Context, y: Operand, x: Operand): Extended {
	const sign = y.isNegative;
	const apart = y.exponent - x.exponent;
	if (apart < tiny) {
		// The angle is the quotient itself, but for a trace.
		if (x.isNegative) return roundFixed(context, sign, pi - 1n);
		const quotient = (y.significand << 128n) / x.significand;
		return roundFixed(context, sign, quotient - 1n, apart - 128);
	}
	if (apart > -tiny) return roundFixed(context, sign, x.isNegative ? eighth(2) : eighth(2) - 1n);
	const isSteep = apart > 0 || (apart === 0 && y.significand > x.significand);
	const [small, large] = isSteep ? [x, y] : [y, x];
	const quotient = (small.significand << BigInt(fixedBits - Math.abs(apart))) / large.significand;
	const base = arctangent(quotient);
	const inQuadrant = isSteep ? eighth(2) - base : base;
	return roundFixed(context, sign, x.isNegative ? pi - inQuadrant : inQuadrant);
}

/** Larger angles have to be made smaller by the program. */
const mostAngle = 63;

/** True for an angle that the functions leave as it is. */
export const isOutOfRange = (a: Operand): boolean => a.kind === Kind.finite && sizeOf(a) >= mostAngle;

/** An angle less the multiple of a quarter turn that is nearest. */
interface Reduced {
	/** Within an eighth of a turn, with its sign. */
	readonly rest: bigint;
	/** Quarters, modulo 4. */
	readonly quarters: number;
}

function reduce(a: Operand): Reduced {
	const quarter = pi >> 1n;
	const value = fixedOf(a);
	const count = (value + (quarter >> 1n)) / quarter;
	return {rest: value - ((count * pi) >> 1n), quarters: Number(count & 3n)};
}

/** Sine, cosine or tangent of a finite angle that is in range. */
function ofAngle(context: Context, a: Operand, quarters: number): Extended {
	const {rest, quarters: taken} = reduce(a);
	const turned = (taken + quarters) & 3;
	const value = (turned & 1) === 0 ? sine(rest) : cosine(rest);
	const isNegative = value < 0n !== turned >= 2;
	return roundFixed(context, isNegative !== (quarters === 0 && a.isNegative), value < 0n ? -value : value);
}

/** What functions of an angle have in common: of no numbers, of infinities and zeros. */
function ofNoAngle(context: Context, a: Operand, atZero: Extended): Extended | undefined {
	const nan = notNumbers(context, a);
	if (nan !== undefined) return nan;
	if (a.kind === Kind.infinity) return invalid(context);
	return a.kind === Kind.zero ? atZero : undefined;
}

export const sineOf = (context: Context, a: Operand): Extended =>
	ofNoAngle(context, a, zero(a.isNegative)) ?? (isTiny(a) ? roundNear(context, a, false) : ofAngle(context, a, 0));

export const cosineOf = (context: Context, a: Operand): Extended =>
	ofNoAngle(context, a, oneExtended) ?? (isTiny(a) ? roundNear(context, oneOperand, false) : ofAngle(context, a, 1));

export function tangentOf(context: Context, a: Operand): Extended {
	const special = ofNoAngle(context, a, zero(a.isNegative));
	if (special !== undefined) return special;
	if (isTiny(a)) return roundNear(context, a, true);
	const {rest, quarters} = reduce(a);
	const [opposite, adjacent] = (quarters & 1) === 0 ? [sine(rest), cosine(rest)] : [-cosine(rest), sine(rest)];
	const value = ratio(opposite, adjacent);
	return roundFixed(context, value < 0n !== a.isNegative, value < 0n ? -value : value);
}

/** Rounds a constant (SDM volume 2, FLD1 and its like), without an exception. */
const constant = (value: bigint) => {
	const length = lengthOf(value);
	return (rounding: number): Extended =>
		round(
			{rounding, precision: 64, masks: 0x3f, flags: 0, isUp: false},
			false,
			-fixedBits,
			length > 64 && value !== one ? value | 1n : value,
		);
};

/** Constants by instruction, rounded as the control word says. */
export const constants = {
	fld1: constant(one),
	fldl2t: constant(ratio(binaryLogarithmOfTen(), one)),
	fldl2e: constant(ratio(one, ln2)),
	fldpi: constant(pi),
	fldlg2: constant(ratio(one, binaryLogarithmOfTen())),
	fldln2: constant(ln2),
	fldz: () => zero(false),
} as const;

function binaryLogarithmOfTen(): bigint {
	return binaryLogarithm(operandOf(0x4002, 10n << 60n));
}
