/**
 * Functions of the x87 by series on big integers, to some 500 bits: what approximations are measured by. Each is a factor that is exact and a
 * series near one, so that it is as good for arguments near 0.
 */

/** `m` times two to the power of `e`. */
export interface Real {
	readonly m: bigint;
	readonly e: number;
}

/** Bits behind the point of fixed point numbers here. */
const bits = 640;
const one = 1n << BigInt(bits);

/** Sum of terms of which each is made of the one before, from one on. */
function series(
	next: (term: bigint, index: bigint) => bigint,
	weight: (term: bigint, index: bigint) => bigint,
): bigint {
	let sum = 0n;
	let term = one;
	for (let index = 0n; term !== 0n && term !== -1n; index++) {
		sum += weight(term, index);
		term = next(term, index);
	}
	return sum;
}

const product = (a: bigint, b: bigint): bigint => (a * b) >> BigInt(bits);
const whole = (term: bigint) => term;
const byOdd = (term: bigint, index: bigint) => term / (2n * index + 1n);

/** Arctangent of n / d, divided by n / d. */
const arctangentFactor = (n: bigint, d: bigint): bigint => series((term) => (-term * n * n) / (d * d), byOdd);
/** The same of the inverse hyperbolic tangent. */
const hyperbolicFactor = (n: bigint, d: bigint): bigint => series((term) => (term * n * n) / (d * d), byOdd);

/** Machin: pi = 16 atan(1/5) - 4 atan(1/239). */
const pi = (16n * arctangentFactor(1n, 5n)) / 5n - (4n * arctangentFactor(1n, 239n)) / 239n;
const ln2 = (2n * hyperbolicFactor(1n, 3n)) / 3n;

const fixed = ({m, e}: Real): bigint => (e + bits >= 0 ? m << BigInt(e + bits) : m >> BigInt(-e - bits));
const times = (a: Real, b: Real): Real => ({m: a.m * b.m, e: a.e + b.e});
const negated = ({m, e}: Real): Real => ({m: -m, e});
const ofFixed = (m: bigint): Real => ({m, e: -bits});

function quotient(a: Real, b: Real): Real {
	return {m: (a.m << BigInt(2 * bits)) / b.m, e: a.e - b.e - 2 * bits};
}

/** An angle less a multiple of pi / 2, and that multiple. */
function reduced(x: Real): {readonly rest: Real; readonly quarter: bigint} {
	const half = pi / 2n;
	const value = fixed(x);
	const quarter = (2n * value + half) / pi - (2n * value + half < 0n ? 1n : 0n);
	return {rest: quarter === 0n ? x : ofFixed(value - quarter * half), quarter: quarter & 3n};
}

function sineOfRest(rest: Real): Real {
	const square = product(fixed(rest), fixed(rest));
	const factor = series((term, index) => -product(term, square) / ((2n * index + 2n) * (2n * index + 3n)), whole);
	return times(rest, ofFixed(factor));
}

function cosineOfRest(rest: Real): Real {
	const square = product(fixed(rest), fixed(rest));
	return ofFixed(series((term, index) => -product(term, square) / ((2n * index + 1n) * (2n * index + 2n)), whole));
}

export function sine(x: Real): Real {
	const {rest, quarter} = reduced(x);
	const value = (quarter & 1n) === 0n ? sineOfRest(rest) : cosineOfRest(rest);
	return quarter < 2n ? value : negated(value);
}

export function cosine(x: Real): Real {
	const {rest, quarter} = reduced(x);
	const value = (quarter & 1n) === 0n ? cosineOfRest(rest) : sineOfRest(rest);
	return quarter === 0n || quarter === 3n ? value : negated(value);
}

export const tangent = (x: Real): Real => quotient(sine(x), cosine(x));

/** Two to the power of x, less 1. */
export function powerLessOne(x: Real): Real {
	const power = product(fixed(x), ln2);
	const factor = series((term, index) => product(term, power) / (index + 2n), whole);
	return times(times(x, ofFixed(ln2)), ofFixed(factor));
}

/** Logarithm to base 2 of n / d, which is near one. */
const logarithmOfRatio = (n: bigint, d: bigint): Real =>
	quotient({m: 2n * (n - d) * hyperbolicFactor(n - d, n + d), e: -bits}, {m: (n + d) * ln2, e: -bits});

/** y times the logarithm to base 2 of x. */
export function logarithm(x: Real, y: Real): Real {
	const length = x.m.toString(2).length;
	// Between 2/3 and 4/3 times a power of two.
	const isUpper = 3n * x.m > 4n << BigInt(length - 1);
	const power = length - 1 + (isUpper ? 1 : 0);
	const part = logarithmOfRatio(x.m, 1n << BigInt(power));
	const exponent = x.e + power;
	return times(exponent === 0 ? part : ofFixed((BigInt(exponent) << BigInt(bits)) + fixed(part)), y);
}

/** y times the logarithm to base 2 of 1 + x; x has digits behind the point. */
export const logarithmOfOnePlus = (x: Real, y: Real): Real => {
	const unit = 1n << BigInt(-x.e);
	return times(logarithmOfRatio(unit + x.m, unit), y);
};

/** The angle of the point x, y; between -pi and pi. */
export function angle(x: Real, y: Real): Real {
	const [a, b] = [x, y].map(({m, e}) => ({m: m < 0n ? -m : m, e})) as [Real, Real];
	const least = Math.min(a.e, b.e);
	const [across, up] = [a.m << BigInt(a.e - least), b.m << BigInt(b.e - least)];
	let value: Real;
	if (up <= across) value = arctangent(up, across);
	else value = ofFixed(pi / 2n - fixed(arctangent(across, up)));
	if (x.m < 0n) value = ofFixed(pi - fixed(value));
	return y.m < 0n ? negated(value) : value;
}

/** Of n / d, which is not above one. */
function arctangent(n: bigint, d: bigint): Real {
	if (2n * n > d) return ofFixed(pi / 4n - fixed(arctangent(d - n, d + n)));
	return times(quotient({m: n, e: 0}, {m: d, e: 0}), ofFixed(arctangentFactor(n, d)));
}
