import {splat, type Vector, type VectorLocal, vectorOf} from '#support/wasm';
import type {FloatSuffix} from '#vcpu-worker/software/float';
import {
	and,
	type Checks,
	checksOf,
	type Elements,
	elements,
	inAll,
	lanes,
	readElements,
	readPairs,
	writeElements,
} from './float-elements.ts';
import {settle} from './float-settle.ts';
import type {FloatOperands, Meaning, Operation} from './operation.ts';

type Arithmetic = 'add' | 'sub' | 'mul' | 'div';
const suffixes: readonly FloatSuffix[] = ['ps', 'pd', 'ss', 'sd'];
const packed = ['ps', 'pd'] as const;

/** Lanes in which a sum is exact: the error that Knuth's TwoSum finds is zero. */
export function isExactSum(op: Operation, {shape, zero}: Elements, a: Vector, b: Vector, sum: Vector): Vector {
	const part = op.f.letVector(sum.binary(`${shape}.sub`, a));
	const ofA = a.binary(`${shape}.sub`, sum.binary(`${shape}.sub`, part));
	return ofA.binary(`${shape}.add`, b.binary(`${shape}.sub`, part)).binary(`${shape}.eq`, zero);
}

/** Halves of significands, by Veltkamp's factor; and products that are so small that their errors are denormals. */
export const limits = {
	f32x4: {factor: lanes('f32x4', 2 ** 12 + 1), small: lanes('f32x4', 2 ** -70)},
	f64x2: {factor: lanes('f64x2', 2 ** 27 + 1), small: lanes('f64x2', 2 ** -900)},
} as const;

/** Lanes in which a product is exact: the error that Dekker's product finds is zero. Where halves have no room, it is a NaN. */
function isExactProduct(op: Operation, {shape, zero}: Elements, a: Vector, b: Vector, product: Vector): Vector {
	const {f} = op;
	const {factor, small} = limits[shape];
	const times = (one: Vector, other: Vector) => one.binary(`${shape}.mul`, other);
	const halves = (value: Vector) => {
		const scaled = f.letVector(times(value, factor));
		const high = f.letVector(scaled.binary(`${shape}.sub`, scaled.binary(`${shape}.sub`, value)));
		return [high, f.letVector(value.binary(`${shape}.sub`, high))] as const;
	};
	const [highA, lowA] = halves(a);
	const [highB, lowB] = halves(b);
	const error = times(highA, highB)
		.binary(`${shape}.sub`, product)
		.binary(`${shape}.add`, times(highA, lowB))
		.binary(`${shape}.add`, times(lowA, highB))
		.binary(`${shape}.add`, times(lowA, lowB));
	const isLarge = product.unary(`${shape}.abs`).binary(`${shape}.gt`, small);
	const isZero = product.binary(`${shape}.eq`, zero);
	return error.binary(`${shape}.eq`, zero).binary('v128.and', isLarge).binary('v128.or', isZero);
}

/** Lanes in which a times b is exactly the product given. */
function isProduct(op: Operation, lane: Elements, a: Vector, b: Vector, product: Vector): Vector {
	const computed = op.f.letVector(a.binary(`${lane.shape}.mul`, b));
	return and(isExactProduct(op, lane, a, b, computed), computed.binary(`${lane.shape}.eq`, product));
}

/** Lanes in which operands are plain and WebAssembly's result stands. */
function stands(checks: Checks, name: Arithmetic, a: Vector, b: Vector, result: Vector): readonly Vector[] {
	const {isPlain, areFinite, isNormal, isZero} = checks;
	const plain = [isPlain(a), isPlain(b)];
	// Sums that are tiny are exact.
	if (name === 'add' || name === 'sub') return [...plain, isPlain(result), areFinite(result)];
	const hasZero = name === 'mul' ? isZero(a).binary('v128.or', isZero(b)) : isZero(a);
	return [...plain, isNormal(result).binary('v128.or', and(isZero(result), hasZero))];
}

/** Lanes in which WebAssembly's result is exact. */
function isExact(op: Operation, name: Arithmetic, lane: Elements, a: Vector, b: Vector, result: Vector): Vector {
	if (name === 'add') return isExactSum(op, lane, a, b, result);
	if (name === 'sub') return isExactSum(op, lane, a, b.binary('v128.xor', lane.sign), result);
	if (name === 'mul') return isExactProduct(op, lane, a, b, result);
	return isProduct(op, lane, result, b, a);
}

/** The result of an operation, each half of it. */
function compute(
	op: Operation,
	name: Arithmetic,
	suffix: FloatSuffix,
	pairs: readonly FloatOperands[],
): readonly VectorLocal[] {
	const lane = elements[suffix];
	return settle(op, `${name}${suffix}`, pairs, (op, pairs) => {
		const all = pairs.map(([a, b]) => ({a, b, result: op.f.letVector(a.binary(`${lane.shape}.${name}`, b))}));
		const checks = checksOf(op, lane);
		return {
			results: all.map(({result}) => result),
			isSure: inAll(
				lane,
				all.flatMap(({a, b, result}) => stands(checks, name, a, b, result)),
			),
			isExact: () =>
				inAll(
					lane,
					all.map(({a, b, result}) => isExact(op, name, lane, a, b, result)),
				),
		};
	});
}

const arithmetic =
	(name: Arithmetic, suffix: FloatSuffix): Meaning =>
	(op) => {
		const lane = elements[suffix];
		writeElements(op, lane, compute(op, name, suffix, readPairs(op, lane)));
	};

const squareRoot =
	(suffix: FloatSuffix): Meaning =>
	(op) => {
		const lane = elements[suffix];
		const operands = op.halves.map((half) => [readElements(op, 'b', lane, half)] as const);
		const settled = settle(op, `sqrt${suffix}`, operands, (op, values) => {
			const all = values.map(([value]) => ({value, root: op.f.letVector(value.unary(`${lane.shape}.sqrt`))}));
			const {isPlain, areFinite} = checksOf(op, lane);
			return {
				results: all.map(({root}) => root),
				isSure: inAll(
					lane,
					all.flatMap(({value, root}) => [isPlain(value), areFinite(root)]),
				),
				isExact: () =>
					inAll(
						lane,
						all.map(({value, root}) => isProduct(op, lane, root, root, value)),
					),
			};
		});
		writeElements(op, lane, settled);
	};

/** Elements with even numbers of both operands, and those with odd ones. */
const even = {
	ps: [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27],
	pd: [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23],
} as const;
const odd = {ps: even.ps.map((byte) => byte + 4), pd: even.pd.map((byte) => byte + 8)} as const;

/** Neighbours of the destination, then of the source. */
const neighbours =
	(name: 'add' | 'sub', suffix: 'ps' | 'pd'): Meaning =>
	(op) => {
		const lane = elements[suffix];
		const pairs = readPairs(op, lane).map(
			([a, b]) => [op.f.letVector(a.shuffle(b, even[suffix])), op.f.letVector(a.shuffle(b, odd[suffix]))] as const,
		);
		writeElements(op, lane, compute(op, name, suffix, pairs));
	};

/** Sums where the number is odd, differences where it is even. */
const alternating =
	(suffix: 'ps' | 'pd'): Meaning =>
	(op) => {
		const lane = elements[suffix];
		const {shape, sign} = lane;
		const signs =
			suffix === 'ps' ? splat('i64x2', 0x8000_0000n) : vectorOf([...Array(7).fill(0), 0x80, ...Array(8).fill(0)]);
		const settled = settle(op, `addsub${suffix}`, readPairs(op, lane), (op, pairs) => {
			const all = pairs.map(([a, b]) => {
				const added = op.f.letVector(b.binary('v128.xor', and(signs, sign)));
				return {a, added, result: op.f.letVector(a.binary(`${shape}.add`, added))};
			});
			const checks = checksOf(op, lane);
			return {
				results: all.map(({result}) => result),
				isSure: inAll(
					lane,
					all.flatMap(({a, added, result}) => stands(checks, 'add', a, added, result)),
				),
				isExact: () =>
					inAll(
						lane,
						all.map(({a, added, result}) => isExactSum(op, lane, a, added, result)),
					),
			};
		});
		writeElements(op, lane, settled);
	};

/** Products that the constant's high bits choose, added up, to the elements that its low bits choose (SDM volume 2, DPPS). */
const dotProduct =
	(suffix: 'ps' | 'pd'): Meaning =>
	(op) => {
		const lane = elements[suffix];
		const count = suffix === 'ps' ? 4 : 2;
		const bytes = lane.width / 8;
		const numbered = vectorOf(Array.from({length: 16}, (_, byte) => (byte % bytes === 0 ? 1 << (byte / bytes) : 0)));
		const chosen = (shift: number): VectorLocal =>
			op.f.letVector(
				splat(lane.integers, op.immediate().shrU(shift))
					.binary('v128.and', numbered)
					.binary(`${lane.integers}.eq`, numbered),
			);
		const mask = chosen(4);
		const masked = (value: Vector) => op.f.letVector(and(value, mask));
		const products = readPairs(op, lane).map(([a, b]) => [masked(a), masked(b)] as const);
		let sums = compute(op, 'mul', suffix, products);
		for (let apart = 1; apart < count; apart *= 2) {
			// The first of each group of elements, then the one so far behind it.
			const group = (behind: number) =>
				Array.from({length: 16}, (_, byte) => {
					const element = Math.floor(byte / bytes);
					return (element - (element % (2 * apart)) + behind) * bytes + (byte % bytes);
				});
			const pairs = sums.map(
				(sum) => [op.f.letVector(sum.shuffle(sum, group(0))), op.f.letVector(sum.shuffle(sum, group(apart)))] as const,
			);
			sums = compute(op, 'add', suffix, pairs);
		}
		const wanted = chosen(0);
		writeElements(
			op,
			lane,
			sums.map((sum) => and(sum, wanted)),
		);
	};

const each = (name: string, meaning: (suffix: FloatSuffix) => Meaning): Record<string, Meaning> =>
	Object.fromEntries(suffixes.map((suffix) => [`${name}${suffix}`, meaning(suffix)]));
const eachPacked = (name: string, meaning: (suffix: 'ps' | 'pd') => Meaning): Record<string, Meaning> =>
	Object.fromEntries(packed.map((suffix) => [`${name}${suffix}`, meaning(suffix)]));

/** Arithmetic in floating point. */
export const floatArithmetic: Readonly<Record<string, Meaning>> = {
	...each('add', (suffix) => arithmetic('add', suffix)),
	...each('sub', (suffix) => arithmetic('sub', suffix)),
	...each('mul', (suffix) => arithmetic('mul', suffix)),
	...each('div', (suffix) => arithmetic('div', suffix)),
	...each('sqrt', squareRoot),
	...eachPacked('hadd', (suffix) => neighbours('add', suffix)),
	...eachPacked('hsub', (suffix) => neighbours('sub', suffix)),
	...eachPacked('addsub', alternating),
	...eachPacked('dp', dotProduct),
};
