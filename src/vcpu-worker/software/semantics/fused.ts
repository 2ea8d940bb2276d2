import {i32, splat, type Vector, type VectorLocal, vectorOf} from '#support/wasm';
import type {FloatSuffix} from '#vcpu-worker/software/float';
import {isExactSum, limits} from './float-arithmetic.ts';
import {and, checksOf, type Elements, elements, inAll, joined, readElements, writeElements} from './float-elements.ts';
import {settle} from './float-settle.ts';
import type {Half, Meaning, Operation} from './operation.ts';

type Operands = readonly [multiplicand: VectorLocal, multiplier: VectorLocal, addend: VectorLocal];

/** The operands as the constant says: 132, 213 or 231, where 1 is `a`, 2 is `c`, and 3 is `b`, which may be in memory (SDM volume 2, VFMADD132PD). */
function inOrder(op: Operation, lane: Elements, half: Half): Operands {
	const {f} = op;
	const [a, b, c] = (['a', 'b', 'c'] as const).map((name) => readElements(op, name, lane, half)) as [
		VectorLocal,
		VectorLocal,
		VectorLocal,
	];
	const ordered = [f.vectorLocal(), f.vectorLocal(), f.vectorLocal()] as const;
	const take = (...values: Operands) => {
		for (const [index, local] of ordered.entries()) f.setVector(local, values[index] as Vector);
	};
	const order = op.immediate().toI32();
	f.if(
		order.eq(132),
		() => take(a, b, c),
		() =>
			f.if(
				order.eq(213),
				() => take(c, a, b),
				() => take(c, b, a),
			),
	);
	return ordered;
}

/** Lanes in which a product is exact, by its fused error: but where that may be too small to be a number. */
function isExactProduct({shape, sign, zero}: Elements, x: Vector, y: Vector, product: Vector): Vector {
	const error = x.relaxedMultiplyAdd(shape, y, product.binary('v128.xor', sign));
	const isLarge = product.unary(`${shape}.abs`).binary(`${shape}.gt`, limits[shape].small);
	return and(error.binary(`${shape}.eq`, zero), isLarge.binary('v128.or', hasZero({shape, zero}, x, y)));
}

const hasZero = ({shape, zero}: Pick<Elements, 'shape' | 'zero'>, x: Vector, y: Vector): Vector =>
	x.binary(`${shape}.eq`, zero).binary('v128.or', y.binary(`${shape}.eq`, zero));

/** Signs of the elements with even or odd numbers, of all, or of none. */
const signsOf = {
	none: () => splat('i64x2', 0),
	all: ({sign}: Elements) => sign,
	even: ({sign, width}: Elements) => and(sign, alternate(width, 0)),
	odd: ({sign, width}: Elements) => and(sign, alternate(width, 1)),
} as const;
type Which = keyof typeof signsOf;

const alternate = (width: 32 | 64, first: 0 | 1): Vector =>
	vectorOf(Array.from({length: 16}, (_, byte) => ((((8 * byte) / width) & 1) === first ? 0xff : 0)));

/** A product and a sum that are rounded once. The host's processor does it where it can and where that is what the manual says. */
const fused =
	(name: string, suffix: FloatSuffix, negated: {readonly product: Which; readonly addend: Which}): Meaning =>
	(op) => {
		const lane = elements[suffix];
		const {shape} = lane;
		const operands = op.halves.map((half) => inOrder(op, lane, half));
		const settled = settle(op, `${name}${suffix}`, operands, (op, operands) => {
			const {f} = op;
			const {isPlain, isNormal, areFinite} = checksOf(op, lane);
			const all = operands.map(([multiplicand, y, addend]) => {
				const x = f.letVector(multiplicand.binary('v128.xor', signsOf[negated.product](lane)));
				const z = f.letVector(addend.binary('v128.xor', signsOf[negated.addend](lane)));
				return {x, y, z, result: f.letVector(x.relaxedMultiplyAdd(shape, y, z))};
			});
			// A zero may be what a tiny difference was rounded to.
			const stands = all.flatMap(({x, y, z, result}) => [
				...[x, y, z].map(isPlain),
				isNormal(result).binary('v128.or', and(hasZero(lane, x, y), areFinite(result))),
			]);
			return {
				results: all.map(({result}) => result),
				isSure: inAll(lane, stands).and(op.fusesProducts()),
				isExact: () =>
					inAll(
						lane,
						all.flatMap(({x, y, z, result}) => {
							const product = f.letVector(x.binary(`${shape}.mul`, y));
							return [isExactProduct(lane, x, y, product), isExactSum(op, lane, product, z, result)];
						}),
					),
			};
		});
		writeElements(op, lane, settled, 'a');
	};

const each = (
	name: string,
	of: readonly FloatSuffix[],
	negated: {readonly product: Which; readonly addend: Which},
): Record<string, Meaning> =>
	Object.fromEntries(of.map((suffix) => [`${name}${suffix}`, fused(name, suffix, negated)]));

const all = ['ps', 'pd', 'ss', 'sd'] as const;
const packed = ['ps', 'pd'] as const;
/** Bytes of the upper half of a vector, twice. */
const upperHalf = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];
const infiniteHalf = splat('i32x4', 0x7c00);
/** 65,536 as a single. */
const tooLarge = splat('i32x4', 0x4780_0000);

/** FMA and F16C (SDM volume 2). */
export const fusedFloats: Readonly<Record<string, Meaning>> = {
	...each('fmadd', all, {product: 'none', addend: 'none'}),
	...each('fmsub', all, {product: 'none', addend: 'all'}),
	...each('fnmadd', all, {product: 'all', addend: 'none'}),
	...each('fnmsub', all, {product: 'all', addend: 'all'}),
	...each('fmaddsub', packed, {product: 'none', addend: 'even'}),
	...each('fmsubadd', packed, {product: 'none', addend: 'odd'}),
	/** Halves to as many singles. As singles their bits are numbers that are smaller by a power of two, denormals too. */
	cvtph2ps: (op) => {
		const {f} = op;
		const isWhole = op.halves.length > 1;
		const source = f.letVector(isWhole ? op.readVector('b') : splat('i64x2', op.read('b', 64)));
		// The operand has half the room of the result.
		const operands = op.halves.map(() => [source] as const);
		const settled = settle(op, 'cvtph2ps', operands, ({f}, values) => {
			const all = values.map(([given], half) => {
				const from = half === 0 ? given : given.shuffle(given, upperHalf);
				return f.letVector(from.unary('i32x4.extend_low_i16x8_u'));
			});
			const singles = all.map((halves) => {
				const magnitude = halves.binary('v128.and', splat('i32x4', 0x7fff)).shift('i32x4.shl', 13);
				const sign = halves.shift('i32x4.shr_u', 15).shift('i32x4.shl', 31);
				const scaled = magnitude.binary('f32x4.mul', splat('i32x4', (127 + 112) << 23));
				return f.letVector(scaled.binary('v128.or', sign));
			});
			const areNumbers = all.map((halves) =>
				infiniteHalf.binary('i32x4.gt_s', halves.binary('v128.and', infiniteHalf)),
			);
			return {results: singles, isSure: inAll(elements.ps, areNumbers)};
		});
		writeElements(op, elements.ps, settled);
	},
	/** Singles to halves, above which is 0. */
	cvtps2ph: (op) => {
		const operands = op.halves.map((half) => [op.f.letVector(op.readVector('b', half))] as const);
		const [settled] = settle(op, 'cvtps2ph', operands, (op, values) => {
			const {f} = op;
			const all = values.map(([source]) => {
				const magnitude = f.letVector(source.binary('v128.and', splat('i32x4', 0x7fff_ffff)));
				const sign = source.shift('i32x4.shr_u', 31).shift('i32x4.shl', 15);
				// Half of the last place is added, less one where that is even.
				const isOdd = magnitude.shift('i32x4.shr_u', 13).binary('v128.and', splat('i32x4', 1));
				const rounded = f.letVector(magnitude.binary('i32x4.add', splat('i32x4', 0xfff)).binary('i32x4.add', isOdd));
				const zero = f.letVector(magnitude.binary('i32x4.eq', splat('i64x2', 0)));
				// From the least normal half on, and below what is rounded to infinity; the greatest NaNs are negative when they are rounded.
				const isWithin = magnitude
					.binary('i32x4.gt_s', splat('i32x4', 0x3880_0000 - 1))
					.binary('v128.and', tooLarge.binary('i32x4.gt_s', magnitude))
					.binary('v128.and', tooLarge.binary('i32x4.gt_s', rounded));
				const number = rounded
					.shift('i32x4.shr_u', 13)
					.binary('i32x4.sub', splat('i32x4', 112 << 10))
					.binary('v128.andnot', zero);
				return {
					magnitude,
					stands: isWithin.binary('v128.or', zero),
					halves: f.letVector(number.binary('v128.or', sign)),
				};
			});
			const packed = all.map(({halves}) =>
				halves.shuffle(splat('i64x2', 0), [0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 18, 19, 20, 21, 22, 23]),
			);
			const constant = op.immediate().toI32();
			const rounding = constant.and(4).select(op.vectorControl().shrU(13), constant).and(3);
			return {
				results: joined(packed),
				isSure: inAll(
					elements.ps,
					all.map(({stands}) => stands),
				).and(rounding.eq(i32(0))),
				isExact: () =>
					inAll(
						elements.ps,
						all.map(({magnitude}) =>
							magnitude.binary('v128.and', splat('i32x4', 0x1fff)).binary('i32x4.eq', splat('i64x2', 0)),
						),
					),
				isOfAnyRounding: true,
			};
		});
		op.writeVector('a', settled as Vector);
	},
};
