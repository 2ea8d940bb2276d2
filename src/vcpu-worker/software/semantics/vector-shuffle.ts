import {
	type Int,
	i32,
	splat,
	type Vector,
	type VectorReduction,
	type VectorUnary,
	vectorOf,
	type Width,
} from '#support/wasm';
import type {Meaning, OperandName, Operation} from './operation.ts';

const numbers = vectorOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);

/** Writes elements in turn from those of operands, when all are read. */
function gather(
	op: Operation,
	width: Width,
	elements: readonly (readonly [OperandName, Int<'i32'>])[],
	first = 0,
): void {
	const values = elements.map(([operand, index]) => op.f.let(op.readElement(operand, width, index)));
	for (const [index, value] of values.entries()) op.writeElement('a', width, i32(first + index), value);
}

/** The number of an element that the constant has at a bit. */
const chosen = (op: Operation, bit: number, mask: number) => op.immediate().toI32().shrU(bit).and(mask);

/** Chooses bytes of both sources: 0 to 15 are the first's. */
const shuffle =
	(bytes: readonly number[]): Meaning =>
	(op) =>
		op.writeVector('a', op.readVector('c').shuffle(op.readVector('b'), bytes));

/** Elements of one half of both operands in turn. */
function interleave(width: Width, half: 'low' | 'high'): Meaning {
	const bytes = width / 8;
	const start = half === 'low' ? 0 : 8;
	const order: number[] = [];
	for (let at = start; at < start + 8; at += bytes) {
		for (const vector of [0, 16]) for (let byte = 0; byte < bytes; byte++) order.push(vector + at + byte);
	}
	return shuffle(order);
}

/** Elements of a source alone, by its bytes. */
const arrange =
	(bytes: readonly number[]): Meaning =>
	(op) => {
		const value = op.f.letVector(op.readVector('b'));
		op.writeVector('a', value.shuffle(value, bytes));
	};

/** Words of one half as the constant says; the other half as it is. */
const words =
	(first: 0 | 4): Meaning =>
	(op) => {
		const value = op.f.letVector(op.readVector('b'));
		const values = [0, 2, 4, 6].map((bit) => op.f.let(op.readElement('b', 16, chosen(op, bit, 3).add(first))));
		op.writeVector('a', value);
		for (const [index, word] of values.entries()) op.writeElement('a', 16, i32(first + index), word);
	};

const extend =
	(...names: readonly VectorUnary[]): Meaning =>
	(op) =>
		op.writeVector(
			'a',
			names.reduce<Vector>((value, name) => value.unary(name), op.readVector('b')),
		);

/** Elements of the source where the constant has their bit. */
const blend =
	(width: 16 | 32 | 64): Meaning =>
	(op) => {
		const bytes = width / 8;
		const bits = vectorOf(numbersUpTo16.map((at) => (at % bytes === 0 ? 1 << (at / bytes) : 0)));
		const shape = ({16: 'i16x8', 32: 'i32x4', 64: 'i64x2'} as const)[width];
		const mask = op.f.letVector(splat(shape, op.immediate()).binary('v128.and', bits).binary(`${shape}.eq`, bits));
		op.writeVector('a', op.readVector('b').select(mask, op.readVector('c')));
	};

/** Elements of the source where the third operand has their highest bit, and what the destination has elsewhere. */
const blendBy =
	(name: 'i8x16.shr_s' | 'i32x4.shr_s' | 'i64x2.shr_s', bits: number): Meaning =>
	(op) => {
		const mask = op.f.letVector(op.readVector('c').shift(name, bits - 1));
		op.writeVector('a', op.readVector('b').select(mask, op.readVector('a')));
	};

const mask =
	(name: VectorReduction, count: number): Meaning =>
	(op) =>
		op.write(
			'a',
			op.halves.map((half) => op.readVector('b', half).reduce(name)).reduce((low, high) => low.or(high.shl(count))),
			32,
		);

const numbersUpTo16 = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/** The constant, or a number that is as good as all above it. */
const upTo = (op: Operation, most: number): Int<'i32'> => {
	const value = op.f.let(op.immediate().toI32());
	return op.f.let(value.gtU(most).select(i32(most), value));
};

/** Moves of elements between places. */
export const vectorShuffles = {
	punpcklbw: interleave(8, 'low'),
	punpcklwd: interleave(16, 'low'),
	punpckldq: interleave(32, 'low'),
	punpcklqdq: interleave(64, 'low'),
	punpckhbw: interleave(8, 'high'),
	punpckhwd: interleave(16, 'high'),
	punpckhdq: interleave(32, 'high'),
	punpckhqdq: interleave(64, 'high'),
	movddup: arrange([0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7]),
	movsldup: arrange([0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11]),
	movshdup: arrange([4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15]),
	pshufd: (op) =>
		gather(
			op,
			32,
			[0, 2, 4, 6].map((bit) => ['b', chosen(op, bit, 3)] as const),
		),
	pshuflw: words(0),
	pshufhw: words(4),
	shufps: (op) =>
		gather(
			op,
			32,
			[0, 2, 4, 6].map((bit) => [bit < 4 ? 'c' : 'b', chosen(op, bit, 3)] as const),
		),
	shufpd: (op) =>
		gather(op, 64, [
			['c', chosen(op, 0, 1)],
			['b', chosen(op, 1, 1)],
		]),
	/** A byte whose number has its highest bit set is 0. */
	pshufb: (op) =>
		op.writeVector(
			'a',
			op.readVector('c').binary('i8x16.swizzle', op.readVector('b').binary('v128.and', splat('i8x16', 0x8f))),
		),
	psrldq: (op) => {
		const at = numbers.binary('i8x16.add', splat('i8x16', upTo(op, 16)));
		op.writeVector('a', op.readVector('c').binary('i8x16.swizzle', at));
	},
	pslldq: (op) => {
		// Numbers below 0 are above 15.
		const at = numbers.binary('i8x16.sub', splat('i8x16', upTo(op, 16)));
		op.writeVector('a', op.readVector('c').binary('i8x16.swizzle', at));
	},
	palignr: (op) => {
		const at = op.f.letVector(numbers.binary('i8x16.add', splat('i8x16', upTo(op, 32))));
		const low = op.readVector('b').binary('i8x16.swizzle', at);
		const high = op.readVector('c').binary('i8x16.swizzle', at.binary('i8x16.sub', splat('i8x16', 16)));
		op.writeVector('a', low.binary('v128.or', high));
	},
	pblendw: blend(16),
	blendps: blend(32),
	blendpd: blend(64),
	pblendvb: blendBy('i8x16.shr_s', 8),
	blendvps: blendBy('i32x4.shr_s', 32),
	blendvpd: blendBy('i64x2.shr_s', 64),
	/** One element of the source, as the constant's high bits say; then zeros, as the low ones do. */
	insertps: (op) => {
		const value = op.f.let(op.readElement('b', 32, chosen(op, 6, 3)));
		op.writeVector('a', op.readVector('c'));
		op.writeElement('a', 32, chosen(op, 4, 3), value);
		for (let index = 0; index < 4; index++)
			op.f.if(chosen(op, index, 1), () => op.writeElement('a', 32, i32(index), i32(0)));
	},
	pmovmskb: mask('i8x16.bitmask', 16),
	movmskps: mask('i32x4.bitmask', 4),
	movmskpd: mask('i64x2.bitmask', 2),
	pmovsxbw: extend('i16x8.extend_low_i8x16_s'),
	pmovsxbd: extend('i16x8.extend_low_i8x16_s', 'i32x4.extend_low_i16x8_s'),
	pmovsxbq: extend('i16x8.extend_low_i8x16_s', 'i32x4.extend_low_i16x8_s', 'i64x2.extend_low_i32x4_s'),
	pmovsxwd: extend('i32x4.extend_low_i16x8_s'),
	pmovsxwq: extend('i32x4.extend_low_i16x8_s', 'i64x2.extend_low_i32x4_s'),
	pmovsxdq: extend('i64x2.extend_low_i32x4_s'),
	pmovzxbw: extend('i16x8.extend_low_i8x16_u'),
	pmovzxbd: extend('i16x8.extend_low_i8x16_u', 'i32x4.extend_low_i16x8_u'),
	pmovzxbq: extend('i16x8.extend_low_i8x16_u', 'i32x4.extend_low_i16x8_u', 'i64x2.extend_low_i32x4_u'),
	pmovzxwd: extend('i32x4.extend_low_i16x8_u'),
	pmovzxwq: extend('i32x4.extend_low_i16x8_u', 'i64x2.extend_low_i32x4_u'),
	pmovzxdq: extend('i64x2.extend_low_i32x4_u'),
} as const satisfies Record<string, Meaning>;
