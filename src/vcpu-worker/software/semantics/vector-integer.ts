import {i32, splat, type Vector, type VectorBinary, type VectorShift, vectorOf} from '#support/wasm';
import type {Meaning, Operation} from './operation.ts';

/** Computes the destination from both sources. */
const from =
	(compute: (a: Vector, b: Vector, op: Operation) => Vector): Meaning =>
	(op) =>
		op.writeVector('a', compute(op.f.letVector(op.readVector('c')), op.f.letVector(op.readVector('b')), op));

/** Instructions of WebAssembly that do the same. */
const same: Readonly<Record<string, VectorBinary>> = {
	pand: 'v128.and',
	por: 'v128.or',
	pxor: 'v128.xor',
	packsswb: 'i8x16.narrow_i16x8_s',
	packuswb: 'i8x16.narrow_i16x8_u',
	packssdw: 'i16x8.narrow_i32x4_s',
	packusdw: 'i16x8.narrow_i32x4_u',
	pcmpeqb: 'i8x16.eq',
	pcmpeqw: 'i16x8.eq',
	pcmpeqd: 'i32x4.eq',
	pcmpeqq: 'i64x2.eq',
	pcmpgtb: 'i8x16.gt_s',
	pcmpgtw: 'i16x8.gt_s',
	pcmpgtd: 'i32x4.gt_s',
	pcmpgtq: 'i64x2.gt_s',
	paddb: 'i8x16.add',
	paddw: 'i16x8.add',
	paddd: 'i32x4.add',
	paddq: 'i64x2.add',
	psubb: 'i8x16.sub',
	psubw: 'i16x8.sub',
	psubd: 'i32x4.sub',
	psubq: 'i64x2.sub',
	paddsb: 'i8x16.add_sat_s',
	paddsw: 'i16x8.add_sat_s',
	paddusb: 'i8x16.add_sat_u',
	paddusw: 'i16x8.add_sat_u',
	psubsb: 'i8x16.sub_sat_s',
	psubsw: 'i16x8.sub_sat_s',
	psubusb: 'i8x16.sub_sat_u',
	psubusw: 'i16x8.sub_sat_u',
	pminsb: 'i8x16.min_s',
	pminub: 'i8x16.min_u',
	pminsw: 'i16x8.min_s',
	pminuw: 'i16x8.min_u',
	pminsd: 'i32x4.min_s',
	pminud: 'i32x4.min_u',
	pmaxsb: 'i8x16.max_s',
	pmaxub: 'i8x16.max_u',
	pmaxsw: 'i16x8.max_s',
	pmaxuw: 'i16x8.max_u',
	pmaxsd: 'i32x4.max_s',
	pmaxud: 'i32x4.max_u',
	pavgb: 'i8x16.avgr_u',
	pavgw: 'i16x8.avgr_u',
	pmullw: 'i16x8.mul',
	pmulld: 'i32x4.mul',
	pmaddwd: 'i32x4.dot_i16x8_s',
};

/** A count of the width or more leaves nothing of a number, and of a signed one its sign (SDM volume 2, PSLLW). */
const shift =
	(name: VectorShift, bits: number): Meaning =>
	(op) => {
		const {f} = op;
		const count = f.let(op.read('b', 64).toI64U());
		const isAll = f.let(count.gtU(bits - 1));
		const value = op.readVector('c');
		const result = name.endsWith('shr_s')
			? value.shift(name, isAll.select(i32(bits - 1), count.toI32()))
			: value.shift(name, count.toI32()).binary('v128.andnot', splat('i32x4', isAll.neg()));
		op.writeVector('a', result);
	};

/** High halves of products of words. */
const highProduct = (sign: 's' | 'u') =>
	from((a, b) =>
		a
			.binary(`i32x4.extmul_low_i16x8_${sign}`, b)
			.shuffle(
				a.binary(`i32x4.extmul_high_i16x8_${sign}`, b),
				[2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31],
			),
	);

/** Two neighbours each of the first source, then of the second. */
const evenWords = [0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29];
const evenDoublewords = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];
const neighbours = (name: VectorBinary) => {
	const isWords = name.startsWith('i16x8');
	const even = isWords ? evenWords : evenDoublewords;
	const odd = even.map((byte) => byte + (isWords ? 2 : 4));
	return from((a, b) => a.shuffle(b, even).binary(name, a.shuffle(b, odd)));
};

/** Numbers with the sign of the source's, 0 where that is 0. */
const sign = (shape: 'i8x16' | 'i16x8' | 'i32x4', bits: number) =>
	from((a, b, {f}) => {
		const negative = f.letVector(b.shift(`${shape}.shr_s`, bits - 1));
		const signed = a.binary('v128.xor', negative).binary(`${shape}.sub`, negative);
		return signed.binary('v128.andnot', b.binary(`${shape}.eq`, splat(shape, 0)));
	});

const signExtendDoublewords = (value: Vector): Vector => value.shift('i64x2.shl', 32).shift('i64x2.shr_s', 32);
const lowDoublewords = splat('i64x2', 0xffff_ffffn);

/** Arithmetic, comparisons and logic on packed integers. */
export const vectorIntegers: Readonly<Record<string, Meaning>> = {
	...Object.fromEntries(Object.entries(same).map(([name, as]) => [name, from((a, b) => a.binary(as, b))])),
	pandn: from((a, b) => b.binary('v128.andnot', a)),
	psrlw: shift('i16x8.shr_u', 16),
	psrld: shift('i32x4.shr_u', 32),
	psrlq: shift('i64x2.shr_u', 64),
	psraw: shift('i16x8.shr_s', 16),
	psrad: shift('i32x4.shr_s', 32),
	psllw: shift('i16x8.shl', 16),
	pslld: shift('i32x4.shl', 32),
	psllq: shift('i64x2.shl', 64),
	pmulhw: highProduct('s'),
	pmulhuw: highProduct('u'),
	pmuludq: from((a, b) =>
		a.binary('v128.and', lowDoublewords).binary('i64x2.mul', b.binary('v128.and', lowDoublewords)),
	),
	pmuldq: from((a, b) => signExtendDoublewords(a).binary('i64x2.mul', signExtendDoublewords(b))),
	/** -1 times -1 is 1 in WebAssembly as near as it fits, and -1 here. */
	pmulhrsw: from((a, b) => {
		const least = splat('i16x8', 0x8000);
		const both = a.binary('i16x8.eq', least).binary('v128.and', b.binary('i16x8.eq', least));
		return a.binary('i16x8.q15mulr_sat_s', b).binary('v128.xor', both);
	}),
	/** Bytes without a sign times bytes with one. */
	pmaddubsw: from((a, b) => {
		const even = a
			.binary('v128.and', splat('i16x8', 0xff))
			.binary('i16x8.mul', b.shift('i16x8.shl', 8).shift('i16x8.shr_s', 8));
		const odd = a.shift('i16x8.shr_u', 8).binary('i16x8.mul', b.shift('i16x8.shr_s', 8));
		return even.binary('i16x8.add_sat_s', odd);
	}),
	psadbw: from((a, b, {f}) => {
		const apart = a.binary('i8x16.max_u', b).binary('i8x16.sub', a.binary('i8x16.min_u', b));
		const sums = f.letVector(apart.unary('i16x8.extadd_pairwise_i8x16_u').unary('i32x4.extadd_pairwise_i16x8_u'));
		return sums.shift('i64x2.shr_u', 32).binary('i64x2.add', sums.binary('v128.and', lowDoublewords));
	}),
	phaddw: neighbours('i16x8.add'),
	phaddd: neighbours('i32x4.add'),
	phaddsw: neighbours('i16x8.add_sat_s'),
	phsubw: neighbours('i16x8.sub'),
	phsubd: neighbours('i32x4.sub'),
	phsubsw: neighbours('i16x8.sub_sat_s'),
	psignb: sign('i8x16', 8),
	psignw: sign('i16x8', 16),
	psignd: sign('i32x4', 32),
	pabsb: from((_, b) => b.unary('i8x16.abs')),
	pabsw: from((_, b) => b.unary('i16x8.abs')),
	pabsd: from((_, b) => b.unary('i32x4.abs')),
	ptest: (op) => {
		const pairs = op.halves.map((half) =>
			(['a', 'b'] as const).map((name) => op.f.letVector(op.readVector(name, half))),
		);
		const has = (name: 'v128.and' | 'v128.andnot') =>
			pairs
				.map(([a, b]) => (b as Vector).binary(name, a as Vector))
				.reduce((all, one) => all.binary('v128.or', one))
				.reduce('v128.any_true');
		op.flags.setBits(op.f.let(has('v128.and').xor(1).shl(6).or(has('v128.andnot').xor(1)).toI64U()));
	},
	/** The least word, and its number. */
	phminposuw: (op) => {
		const {f} = op;
		const words = [0, 1, 2, 3, 4, 5, 6, 7].map((index) =>
			f.let(op.readElement('b', 16, i32(index)).toI32().shl(3).or(index)),
		);
		// The number decides among words that are the same, so that the first is found.
		const least = f.local('i32');
		f.set(least, 0x7fff_ffff);
		for (const word of words) f.set(least, word.ltU(least).select(word, least));
		op.writeVector('a', splat('i64x2', 0));
		op.writeElement('a', 16, i32(0), least.shrU(3));
		op.writeElement('a', 16, i32(1), least.and(7));
	},
	/** Eight sums of how far four bytes are from four others, which the constant chooses. */
	mpsadbw: from((a, b, op) => {
		const {f} = op;
		const chosen = f.let(op.immediate().toI32());
		const group = f.let(chosen.and(3).shl(2));
		const start = f.let(chosen.and(4));
		const numbers = vectorOf([0, 1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0, 0, 0, 0, 0]);
		const sum = f.letVector(splat('i64x2', 0));
		for (let index = 0; index < 4; index++) {
			const at = numbers.binary('i8x16.add', splat('i8x16', start.add(index)));
			const one = f.letVector(a.binary('i8x16.swizzle', at).unary('i16x8.extend_low_i8x16_u'));
			const other = f.letVector(
				b.binary('i8x16.swizzle', splat('i8x16', group.add(index))).unary('i16x8.extend_low_i8x16_u'),
			);
			const apart = one.binary('i16x8.max_u', other).binary('i16x8.sub', one.binary('i16x8.min_u', other));
			f.setVector(sum, sum.binary('i16x8.add', apart));
		}
		return sum;
	}),
};
