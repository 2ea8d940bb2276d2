import {type FloatShape, type Int, type Vector, type VectorLocal, vectorOf} from '#support/wasm';
import type {FloatSuffix} from '#vcpu-worker/software/float';
import type {Half, OperandName, Operation} from './operation.ts';

/** Elements of an instruction on floating point: all of a vector, or the first alone. */
export interface Elements {
	readonly shape: FloatShape;
	/** The same lanes as integers. */
	readonly integers: 'i32x4' | 'i64x2';
	readonly width: 32 | 64;
	readonly isPacked: boolean;
	readonly least: Vector;
	readonly infinity: Vector;
	/** Bits of the sign. */
	readonly sign: Vector;
	readonly zero: Vector;
}

/** A constant in all lanes. */
export function lanes(shape: FloatShape, value: number): Vector {
	const numbers = shape === 'f32x4' ? new Float32Array(4).fill(value) : new Float64Array(2).fill(value);
	return vectorOf([...new Uint8Array(numbers.buffer)]);
}

const elementsOf = (shape: FloatShape, isPacked: boolean): Elements => ({
	shape,
	integers: shape === 'f32x4' ? 'i32x4' : 'i64x2',
	width: shape === 'f32x4' ? 32 : 64,
	isPacked,
	/** The least normal number. */
	least: lanes(shape, shape === 'f32x4' ? 2 ** -126 : 2 ** -1022),
	infinity: lanes(shape, Number.POSITIVE_INFINITY),
	sign: lanes(shape, -0),
	zero: lanes(shape, 0),
});

export const elements: Readonly<Record<FloatSuffix, Elements>> = {
	ps: elementsOf('f32x4', true),
	pd: elementsOf('f64x2', true),
	ss: elementsOf('f32x4', false),
	sd: elementsOf('f64x2', false),
};

/** An operand; the first element alone is in all lanes, so that all are like it. */
export function readElements(
	op: Operation,
	operand: OperandName,
	{isPacked, width}: Elements,
	half: Half = 0,
): VectorLocal {
	return op.f.letVector(isPacked ? op.readVector(operand, half) : op.readFirst(operand, width));
}

/** Both sources, each half of them. */
export const readPairs = (op: Operation, lane: Elements): readonly (readonly [VectorLocal, VectorLocal])[] =>
	op.halves.map((half) => [readElements(op, 'c', lane, half), readElements(op, 'b', lane, half)]);

/** True where all lanes have it. */
export const inAll = ({integers}: Elements, lanes: readonly Vector[]): Int<'i32'> =>
	lanes
		.reduce((all, one) => all.binary('v128.and', one))
		.reduce(`${integers}.bitmask`)
		.eq(integers === 'i64x2' ? 3 : 15);

/** Bytes of the second of two vectors for the first element, of the first one behind it. */
const firstOf = {
	32: [16, 17, 18, 19, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
	64: [16, 17, 18, 19, 20, 21, 22, 23, 8, 9, 10, 11, 12, 13, 14, 15],
} as const;

/** Writes the destination: each half of it, or the first element in front of what the first source has, or another operand. */
export function writeElements(
	op: Operation,
	{isPacked, width}: Elements,
	values: readonly Vector[],
	rest: OperandName = 'c',
): void {
	for (const half of op.halves) {
		const value = values[half] as Vector;
		op.writeVector('a', isPacked ? value : op.readVector(rest).shuffle(value, firstOf[width]), half);
	}
}

/** What lanes can be asked for. */
export interface Checks {
	/** They are normal numbers, zeros or infinities: neither denormals nor NaNs. */
	isPlain(value: Vector): Vector;
	/** They are finite. */
	areFinite(value: Vector): Vector;
	/** They are normal numbers, but for the least, to which a tiny one may have been rounded. */
	isNormal(value: Vector): Vector;
	isZero(value: Vector): Vector;
}

export function checksOf(op: Operation, {shape, zero}: Elements): Checks {
	const least = op.f.letVector(op.leastNormal(shape));
	const isZero = (value: Vector) => value.binary(`${shape}.eq`, zero);
	// What is none is no number when it is taken off itself.
	const areFinite = (value: Vector) => isZero(value.binary(`${shape}.sub`, value));
	const magnitude = (value: Vector) => value.unary(`${shape}.abs`);
	return {
		isZero,
		areFinite,
		isPlain: (value) => least.binary(`${shape}.le`, magnitude(value)).binary('v128.or', isZero(value)),
		isNormal: (value) => least.binary(`${shape}.lt`, magnitude(value)).binary('v128.and', areFinite(value)),
	};
}

export const and = (first: Vector, ...rest: readonly Vector[]): Vector =>
	rest.reduce((all, one) => all.binary('v128.and', one), first);

/** What is in the lower halves of vectors, as one. */
export const joined = ([low, high]: readonly Vector[]): readonly Vector[] =>
	low === undefined || high === undefined
		? low === undefined
			? []
			: [low]
		: [low.shuffle(high, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23])];
