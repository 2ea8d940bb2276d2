import {type Int, splat, type Vector, type VectorLocal, vectorOf} from '#support/wasm';
import {affineConstant, type SubstitutionTables, substitutionTables} from './aes-tables.ts';
import type {Meaning, Operation} from './operation.ts';

const lowHalf = splat('i8x16', 15);
const highHalves = (value: Vector): Vector => value.shift('i32x4.shr_u', 4).binary('v128.and', lowHalf);
const xor = (first: Vector, ...rest: readonly Vector[]): Vector =>
	rest.reduce((sum, one) => sum.binary('v128.xor', one), first);
const constants = splat('i8x16', affineConstant);

const columns = [0, 4, 8, 12];
const rows = [0, 1, 2, 3];
/** Byte that comes to each place when row `r` moves by `r` columns. */
const shiftRows = columns.flatMap((column) => rows.map((row) => ((column + 4 * row) % 16) + row));
const shiftRowsBack = columns.flatMap((column) => rows.map((row) => ((column + 12 * row) % 16) + row));
/** Byte so many rows below, in each column. */
const rowsDown = (count: number) => columns.flatMap((column) => rows.map((row) => column + ((row + count) % 4)));

/** All bytes substituted, but for the constant that is added behind it. */
function substitute(op: Operation, value: Vector, tables: SubstitutionTables): Vector {
	const {f} = op;
	const lookUp = (table: readonly number[], index: Vector) => vectorOf(table).binary('i8x16.relaxed_swizzle', index);
	const bytes = f.letVector(value);
	const halves = f.letVector(
		xor(lookUp(tables.splitLow, bytes.binary('v128.and', lowHalf)), lookUp(tables.splitHigh, highHalves(bytes))),
	);
	const i = f.letVector(highHalves(halves));
	const k = f.letVector(halves.binary('v128.and', lowHalf));
	const j = f.letVector(xor(i, k));
	const aOverK = f.letVector(lookUp(tables.aOver, k));
	const p = xor(lookUp(tables.inverse, xor(lookUp(tables.inverse, i), aOverK)), j);
	const q = xor(lookUp(tables.inverse, xor(lookUp(tables.inverse, j), aOverK)), i);
	return xor(lookUp(tables.ofP, p), lookUp(tables.ofQ, q));
}

/** Bytes times x in AES's field. */
const doubled = (value: VectorLocal): Vector =>
	xor(
		value.binary('i8x16.add', value),
		splat('i64x2', 0).binary('i8x16.gt_s', value).binary('v128.and', splat('i8x16', 0x1b)),
	);

/** FIPS 197, 5.1.3: each byte becomes 2, 3, 1 and 1 times those of its column from it on. */
function mixColumns({f}: Operation, value: Vector): Vector {
	const bytes = f.letVector(value);
	const below = f.letVector(bytes.shuffle(bytes, rowsDown(1)));
	const sum = f.letVector(xor(bytes, below));
	return xor(doubled(sum), below, sum.shuffle(sum, rowsDown(2)));
}

/** FIPS 197, 5.3.3: the factors 14, 11, 13 and 9 are 2, 3, 1 and 1 times 5, 0, 4 and 0. */
function mixColumnsBack(op: Operation, value: Vector): Vector {
	const {f} = op;
	const bytes = f.letVector(value);
	const pairs = f.letVector(xor(bytes, bytes.shuffle(bytes, rowsDown(2))));
	return mixColumns(op, xor(bytes, doubled(f.letVector(doubled(pairs)))));
}

/** A round: `a` is the state, `b` the round's key. */
const encrypt =
	(mix: (op: Operation, value: Vector) => Vector): Meaning =>
	(op) => {
		const state = op.f.letVector(op.readVector('c'));
		const substituted = substitute(op, state.shuffle(state, shiftRows), substitutionTables(false));
		// The factors of a column have the sum 1: a constant that all bytes have stays.
		op.writeVector('a', xor(mix(op, substituted), op.readVector('b'), constants));
	};

const decrypt =
	(mix: (op: Operation, value: Vector) => Vector): Meaning =>
	(op) => {
		const state = op.f.letVector(op.readVector('c'));
		const substituted = substitute(op, state.shuffle(state, shiftRowsBack), substitutionTables(true));
		op.writeVector('a', xor(mix(op, substituted), op.readVector('b')));
	};

const asItIs = (_: Operation, value: Vector): Vector => value;

/** Of each odd word the substitution, then the same moved by a byte. */
const keyWords = [7, 15].flatMap((last) => [
	...[3, 2, 1, 0].map((back) => last - back),
	...[2, 1, 0, 3].map((back) => last - back),
]);

/** AES (SDM volume 2, AESENC; FIPS 197). */
export const aes = {
	aesenc: encrypt(mixColumns),
	aesenclast: encrypt(asItIs),
	aesdec: decrypt(mixColumnsBack),
	aesdeclast: decrypt(asItIs),
	aesimc: (op) => op.writeVector('a', mixColumnsBack(op, op.readVector('b'))),
	aeskeygenassist: (op) => {
		const words = op.f.letVector(substitute(op, op.readVector('b'), substitutionTables(false)));
		const roundConstant: Int<'i64'> = op.immediate().and(0xff).shl(32);
		op.writeVector('a', xor(words.shuffle(words, keyWords), constants, splat('i64x2', roundConstant)));
	},
} as const satisfies Record<string, Meaning>;
