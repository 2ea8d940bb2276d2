import {rootOf} from '#vcpu-worker/software/float';

/** Bits behind the point: 64 of a result, as many of an argument before the first that is set, and as many that reducing by pi takes. */
export const fixedBits = 256;
const shift = BigInt(fixedBits);
export const one = 1n << shift;

/** A product of two numbers with that many bits behind the point. */
export const times = (a: bigint, b: bigint): bigint => (a * b) >> shift;
export const ratio = (a: bigint, b: bigint): bigint => (a << shift) / b;

/** Sums terms until they are nothing, which they soon are: each is the last one times a factor below 1. */
function series(
	first: bigint,
	next: (term: bigint, index: number) => bigint,
	of = (term: bigint, _: number) => term,
): bigint {
	let sum = 0n;
	let term = first;
	for (let index = 0; term !== 0n && term !== -1n; index++) {
		sum += of(term, index);
		term = next(term, index);
	}
	return sum;
}

/** Of a number well below 1; `sign` is -1n for the arctangent, 1n for the hyperbolic one. */
function inverseTangent(value: bigint, sign: 1n | -1n): bigint {
	const square = sign * times(value, value);
	return series(
		value,
		(term) => times(term, square),
		(term, index) => term / BigInt(2 * index + 1),
	);
}

/** The logarithm of a number between 1/2 and 2, from its distance to 1. */
export const logarithmOfOnePlus = (distance: bigint): bigint =>
	2n * inverseTangent(ratio(distance, 2n * one + distance), 1n);

/** Logarithm of 2. */
export const ln2: bigint = 2n * inverseTangent(one / 3n, 1n);
/** By Machin's formula. */
export const pi: bigint = 16n * inverseTangent(one / 5n, -1n) - 4n * inverseTangent(one / 239n, -1n);

/** Halvings of an angle until its series is short. */
const halvings = 3;

/** The arctangent of a number from 0 to 1. */
export function arctangent(value: bigint): bigint {
	let half = value;
	for (let count = 0; count < halvings; count++) half = ratio(half, one + rootOf((one << shift) + half * half));
	return inverseTangent(half, -1n) << BigInt(halvings);
}

/** The exponential function less 1, of a number from -1 to 1. */
export const exponentialLessOne = (value: bigint): bigint =>
	series(value, (term, index) => times(term, value) / BigInt(index + 2));

export function sine(value: bigint): bigint {
	const square = -times(value, value);
	return series(value, (term, index) => times(term, square) / BigInt((2 * index + 2) * (2 * index + 3)));
}

export function cosine(value: bigint): bigint {
	const square = -times(value, value);
	return series(one, (term, index) => times(term, square) / BigInt((2 * index + 1) * (2 * index + 2)));
}
