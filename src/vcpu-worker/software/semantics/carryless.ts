import {type Int, splat, type Vector, type VectorLocal, vectorOf} from '#support/wasm';
import type {Meaning, Operation} from './operation.ts';

/** Every fourth bit: products of such numbers have room for their carries up to the next one, which is none of theirs. */
const fourths = [0, 1, 2, 3].map((first) => 0x1111_1111_1111_1111n << BigInt(first));

/** The low half of a product without carries: each of its bits is the lowest of four that have a sum of at most 15, but for the last four, which have no others behind them. */
function lowProduct({f}: Operation, a: Int<'i64'>, b: Int<'i64'>): Int<'i64'> {
	const parts = (value: Int<'i64'>) => fourths.map((mask) => f.let(value.and(mask)));
	const [ofA, ofB] = [parts(a), parts(b)];
	const sums = fourths.map((mask, index) =>
		ofA
			.map((part, number) => part.mul(ofB[(index - number + 4) % 4] as Int<'i64'>))
			.reduce((sum, product) => sum.xor(product))
			.and(mask),
	);
	return sums.reduce((sum, one) => sum.or(one));
}

const low = splat('i8x16', 15);
const halfBytes = Array.from({length: 16}, (_, number) => number);
const reversedHalf = (number: number) =>
	[0, 1, 2, 3].reduce((sum, bit) => sum | (((number >> bit) & 1) << (3 - bit)), 0);
const reversedLow = vectorOf(halfBytes.map((number) => reversedHalf(number) << 4));
const reversedHigh = vectorOf(halfBytes.map(reversedHalf));
const bytesBack = [7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8];

/** Bits of both halves in the other order. */
function reversed({f}: Operation, value: Vector): VectorLocal {
	const bits = f.letVector(value);
	const bytes = f.letVector(bits.shuffle(bits, bytesBack));
	const ofLow = reversedLow.binary('i8x16.relaxed_swizzle', bytes.binary('v128.and', low));
	const ofHigh = reversedHigh.binary('i8x16.relaxed_swizzle', bytes.shift('i32x4.shr_u', 4).binary('v128.and', low));
	return f.letVector(ofLow.binary('v128.or', ofHigh));
}

/** Two words as a vector. */
const pair = (first: Int<'i64'>, second: Int<'i64'>): Vector =>
	splat('i64x2', first).shuffle(splat('i64x2', second), [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);

/** Multiplication without carries (SDM volume 2, PCLMULQDQ). */
export const carryless = {
	/** The high half is the low one of factors whose bits are in the other order, in the other order. */
	pclmulqdq: (op) => {
		const {f} = op;
		const half = (bit: number) => op.immediate().toI32().shrU(bit).and(1);
		const a = f.let(op.readElement('c', 64, half(0)).toI64U());
		const b = f.let(op.readElement('b', 64, half(4)).toI64U());
		const back = reversed(op, pair(a, b));
		const product = f.let(lowProduct(op, a, b));
		const high = f.let(lowProduct(op, f.let(back.lane64(0)), f.let(back.lane64(1))));
		const highBack = reversed(op, splat('i64x2', high));
		op.writeVector('a', pair(product, highBack.lane64(0).shrU(1)));
	},
} as const satisfies Record<string, Meaning>;
