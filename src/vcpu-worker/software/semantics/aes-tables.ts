/**
 * Tables by which the substitution of AES (FIPS 197, 5.1.1) is computed without a look at memory: an inverse in GF(256) by lookups of 16 bytes, in
 * GF(16) and its extension. All numbers here are elements of GF(256) by AES's polynomial; those of its subfield GF(16) have numbers of 4 bits too, such that
 * sums are XORs.
 *
 * Of a `z` with z + z' = 1, where x' is x^16, each x is i·z + j·z', with i and j in GF(16). With k = i + j and N = z·z' its inverse has the
 * parts j/n and i/n, where n = i·j + N·k². Let a be 1/N, p = 1/(1/i + a/k) + j, and q = 1/(1/j + a/k) + i: then n/p is N·k + i and n/q is N·k + j, from which follow
 * i/n = 1/p + N·(1/p + 1/q), and j/n likewise. So a byte's inverse is the sum of two lookups, by p and by q. 1/0 is a byte whose highest bit is set, and 1 by
 * that is 0: of such a number a lookup gives 0, as is wanted.
 */

/** Lookups of one direction. */
export interface SubstitutionTables {
	/** Sum of the two: `i` in the high half, `k` in the low one, of a byte by its halves. */
	readonly splitLow: readonly number[];
	readonly splitHigh: readonly number[];
	/** 1/i and a/k. */
	readonly inverse: readonly number[];
	readonly aOver: readonly number[];
	/** The result is the sum of both, by p and by q. */
	readonly ofP: readonly number[];
	readonly ofQ: readonly number[];
}

/** Constant of the affine transformation. */
export const affineConstant = 0x63;
const infinity = 0x80;
const sixteen = Array.from({length: 16}, (_, number) => number);

function times(a: number, b: number): number {
	let product = 0;
	for (let bit = 7; bit >= 0; bit--) {
		product = (product << 1) ^ (product >> 7 === 0 ? 0 : 0x11b);
		if (((b >> bit) & 1) === 1) product ^= a;
	}
	return product;
}

function power(a: number, exponent: number): number {
	let result = 1;
	for (let turn = 0; turn < exponent; turn++) result = times(result, a);
	return result;
}

const conjugate = (a: number) => power(a, 16);

/** Elements of GF(16) by their numbers: sums of powers of one that makes them all. */
const root = power(3, 17);
const basis = [0, 1, 2, 3].map((exponent) => power(root, exponent));
const elements = sixteen.map((number) => basis.reduce((sum, one, bit) => sum ^ (((number >> bit) & 1) * one), 0));
const numberOf = (element: number) => elements.indexOf(element);
/** Of 0 it is 0. */
const inverseOf = (element: number) => power(element, 14);

function findZ(): number {
	for (let z = 2; z < 256; z++) if ((z ^ conjugate(z)) === 1) return z;
	throw new RangeError('no such element');
}

const rotated = (byte: number, count: number) => ((byte << count) | (byte >> (8 - count))) & 0xff;
/** The affine transformation but for its constant, and back. */
const affine = (byte: number) => [1, 2, 3, 4].reduce((sum, count) => sum ^ rotated(byte, count), byte);
const affineBack = (byte: number) => rotated(byte, 1) ^ rotated(byte, 3) ^ rotated(byte, 6);

const known = new Map<boolean, SubstitutionTables>();

/** @param isBack - of the inverse cipher, whose input is the forward one's result; that lacks the constant */
export function substitutionTables(isBack: boolean): SubstitutionTables {
	const tables = known.get(isBack) ?? makeTables(isBack);
	known.set(isBack, tables);
	return tables;
}

function makeTables(isBack: boolean): SubstitutionTables {
	const z = findZ();
	const other = conjugate(z);
	const norm = times(z, other);
	const a = inverseOf(norm);
	const split = (byte: number): number => {
		const k = byte ^ conjugate(byte);
		const i = byte ^ times(k, other);
		return (numberOf(i) << 4) | numberOf(k);
	};
	const joined = (i: number, j: number): number => {
		const inverse = times(j, z) ^ times(i, other);
		return isBack ? inverse : affine(inverse);
	};
	const ofElement = (give: (element: number) => number) => elements.map((element) => give(element));
	const finite = (give: (element: number) => number) =>
		ofElement((element) => (element === 0 ? infinity : numberOf(give(element))));
	/** What 1/p adds to i/n and to j/n, and what 1/q does. */
	const part = (inverse: number) => [inverse ^ times(norm, inverse), times(norm, inverse)] as const;
	const byHalf = (shift: number, constant: number) =>
		sixteen.map((half) => split(isBack ? affineBack((half << shift) ^ constant) : half << shift));
	return {
		splitLow: byHalf(0, affineConstant),
		splitHigh: byHalf(4, 0),
		inverse: finite(inverseOf),
		aOver: finite((k) => times(a, inverseOf(k))),
		ofP: ofElement((p) => joined(...part(inverseOf(p)))),
		ofQ: ofElement((q) => {
			const [j, i] = part(inverseOf(q));
			return joined(i, j);
		}),
	};
}
