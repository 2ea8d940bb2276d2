import {type Operand as AnyOperand, asInt, constant, Expr, Int, type IntType, type Width} from './expr.ts';

/** Prefix of vector instructions. */
const prefix = 0xfd;

/** Instructions on one vector (core specification, 5.4.9). */
const unary = {
	'v128.not': 77,
	'i8x16.abs': 96,
	'i8x16.neg': 97,
	'i16x8.abs': 128,
	'i32x4.abs': 160,
	'i16x8.extadd_pairwise_i8x16_u': 125,
	'i32x4.extadd_pairwise_i16x8_u': 127,
	'i16x8.extend_low_i8x16_s': 135,
	'i16x8.extend_low_i8x16_u': 137,
	'i32x4.extend_low_i16x8_s': 167,
	'i32x4.extend_low_i16x8_u': 169,
	'i64x2.extend_low_i32x4_s': 199,
	'i64x2.extend_low_i32x4_u': 201,
	'f32x4.demote_f64x2_zero': 94,
	'f64x2.promote_low_f32x4': 95,
	'f32x4.ceil': 103,
	'f32x4.floor': 104,
	'f32x4.trunc': 105,
	'f32x4.nearest': 106,
	'f64x2.ceil': 116,
	'f64x2.floor': 117,
	'f64x2.trunc': 122,
	'f64x2.nearest': 148,
	'f32x4.abs': 224,
	'f32x4.sqrt': 227,
	'f64x2.abs': 236,
	'f64x2.sqrt': 239,
	'i32x4.trunc_sat_f32x4_s': 248,
	'f32x4.convert_i32x4_s': 250,
	'i32x4.trunc_sat_f64x2_s_zero': 252,
	'f64x2.convert_low_i32x4_s': 254,
} as const;

/** Instructions on two. */
const binary = {
	'i8x16.swizzle': 14,
	/** Of numbers from 16 to 127 it gives any byte, of those above 0. */
	'i8x16.relaxed_swizzle': 0x100,
	'i8x16.eq': 35,
	'i8x16.gt_s': 39,
	'i16x8.eq': 45,
	'i16x8.gt_s': 49,
	'i32x4.eq': 55,
	'i32x4.gt_s': 59,
	'i64x2.eq': 214,
	'i64x2.gt_s': 217,
	'v128.and': 78,
	'v128.andnot': 79,
	'v128.or': 80,
	'v128.xor': 81,
	'i8x16.narrow_i16x8_s': 101,
	'i8x16.narrow_i16x8_u': 102,
	'i8x16.add': 110,
	'i8x16.add_sat_s': 111,
	'i8x16.add_sat_u': 112,
	'i8x16.sub': 113,
	'i8x16.sub_sat_s': 114,
	'i8x16.sub_sat_u': 115,
	'i8x16.min_s': 118,
	'i8x16.min_u': 119,
	'i8x16.max_s': 120,
	'i8x16.max_u': 121,
	'i8x16.avgr_u': 123,
	'i16x8.q15mulr_sat_s': 130,
	'i16x8.narrow_i32x4_s': 133,
	'i16x8.narrow_i32x4_u': 134,
	'i16x8.add': 142,
	'i16x8.add_sat_s': 143,
	'i16x8.add_sat_u': 144,
	'i16x8.sub': 145,
	'i16x8.sub_sat_s': 146,
	'i16x8.sub_sat_u': 147,
	'i16x8.mul': 149,
	'i16x8.min_s': 150,
	'i16x8.min_u': 151,
	'i16x8.max_s': 152,
	'i16x8.max_u': 153,
	'i16x8.avgr_u': 155,
	'i32x4.add': 174,
	'i32x4.sub': 177,
	'i32x4.mul': 181,
	'i32x4.min_s': 182,
	'i32x4.min_u': 183,
	'i32x4.max_s': 184,
	'i32x4.max_u': 185,
	'i32x4.dot_i16x8_s': 186,
	'i32x4.extmul_low_i16x8_s': 188,
	'i32x4.extmul_high_i16x8_s': 189,
	'i32x4.extmul_low_i16x8_u': 190,
	'i32x4.extmul_high_i16x8_u': 191,
	'i64x2.add': 206,
	'i64x2.sub': 209,
	'i64x2.mul': 213,
	'f32x4.eq': 65,
	'f32x4.ne': 66,
	'f32x4.lt': 67,
	'f32x4.gt': 68,
	'f32x4.le': 69,
	'f32x4.ge': 70,
	'f64x2.eq': 71,
	'f64x2.ne': 72,
	'f64x2.lt': 73,
	'f64x2.gt': 74,
	'f64x2.le': 75,
	'f64x2.ge': 76,
	'f32x4.add': 228,
	'f32x4.sub': 229,
	'f32x4.mul': 230,
	'f32x4.div': 231,
	'f32x4.pmin': 234,
	'f32x4.pmax': 235,
	'f64x2.add': 240,
	'f64x2.sub': 241,
	'f64x2.mul': 242,
	'f64x2.div': 243,
	'f64x2.pmin': 246,
	'f64x2.pmax': 247,
} as const;

/** Shifts of all lanes by one count, modulo their width. */
const shifts = {
	'i8x16.shr_s': 108,
	'i16x8.shl': 139,
	'i16x8.shr_s': 140,
	'i16x8.shr_u': 141,
	'i32x4.shl': 171,
	'i32x4.shr_s': 172,
	'i32x4.shr_u': 173,
	'i64x2.shl': 203,
	'i64x2.shr_s': 204,
	'i64x2.shr_u': 205,
} as const;

/** Instructions that make a number of a vector. */
const reductions = {
	'v128.any_true': 83,
	'i8x16.bitmask': 100,
	'i32x4.all_true': 163,
	'i32x4.bitmask': 164,
	'i64x2.all_true': 195,
	'i64x2.bitmask': 196,
} as const;

/** Vectors with the same number in all lanes, and the type of that. */
const splats = {
	i8x16: [15, 'i32'],
	i16x8: [16, 'i32'],
	i32x4: [17, 'i32'],
	i64x2: [18, 'i64'],
} as const;

/** Floating point of one lane: its instructions of vectors, those that convert it from and to 64-bit integers (5.4.7), and the relaxed one of three operands. */
const scalars = {
	f32x4: {splat: 19, extract: 31, convert: 0xb4, truncate: 4, multiplyAdd: 0x105},
	f64x2: {splat: 20, extract: 33, convert: 0xb9, truncate: 6, multiplyAdd: 0x107},
} as const;

/** Reads and writes of one lane. */
const laneCodes = {
	8: {extract: 22, replace: 23},
	16: {extract: 25, replace: 26},
	32: {extract: 27, replace: 28},
	64: {extract: 29, replace: 30},
} as const;

export type FloatShape = keyof typeof scalars;
export type VectorUnary = keyof typeof unary;
export type VectorBinary = keyof typeof binary;
export type VectorShift = keyof typeof shifts;
export type VectorReduction = keyof typeof reductions;
export type VectorShape = keyof typeof splats;

/** 128 bits, which instructions take as lanes of the shape in their name. */
export class Vector extends Expr<'v128'> {
	unary(name: VectorUnary): Vector {
		return this.#then(unary[name]);
	}

	binary(name: VectorBinary, other: Vector): Vector {
		return new Vector('v128', (out) => {
			this.emit(out);
			other.emit(out);
			out.byte(prefix);
			out.unsigned(binary[name]);
		});
	}

	shift(name: VectorShift, count: AnyOperand<'i32'>): Vector {
		const by = asInt('i32', count);
		return new Vector('v128', (out) => {
			this.emit(out);
			by.emit(out);
			out.byte(prefix);
			out.unsigned(shifts[name]);
		});
	}

	reduce(name: VectorReduction): Int<'i32'> {
		return new Int('i32', (out) => {
			this.emit(out);
			out.byte(prefix);
			out.unsigned(reductions[name]);
		});
	}

	/** Bytes of both by number: 0 to 15 are this one's. */
	shuffle(other: Vector, bytes: readonly number[]): Vector {
		return new Vector('v128', (out) => {
			this.emit(out);
			other.emit(out);
			out.append([prefix, 13, ...bytes]);
		});
	}

	/** Bits of this where the mask has 1, of the other elsewhere. */
	select(mask: Vector, other: Vector): Vector {
		return new Vector('v128', (out) => {
			for (const value of [this, other, mask]) value.emit(out);
			out.append([prefix, 82]);
		});
	}

	/**
	 * This times `multiplier`, plus `addend`: rounded once where the host's processor does so, else twice (core specification, 4.3.4,
	 * `relaxed_madd`). One engine always does the same.
	 */
	relaxedMultiplyAdd(shape: FloatShape, multiplier: Vector, addend: Vector): Vector {
		return new Vector('v128', (out) => {
			for (const value of [this, multiplier, addend]) value.emit(out);
			out.byte(prefix);
			out.unsigned(scalars[shape].multiplyAdd);
		});
	}

	/** The lane of 64 bits. */
	lane64(index: 0 | 1): Int<'i64'> {
		return this.lane(64, index) as Int<'i64'>;
	}

	/** A lane, filled up with zeros. */
	lane(width: Width, index: number): Int {
		return new Int<IntType>(width === 64 ? 'i64' : 'i32', (out) => {
			this.emit(out);
			out.append([prefix, laneCodes[width].extract, index]);
		});
	}

	/** This with another lane, of the value's low bits. */
	withLane(width: Width, index: number, value: Int): Vector {
		const lane = width === 64 ? value.toI64U() : value.toI32();
		return new Vector('v128', (out) => {
			this.emit(out);
			lane.emit(out);
			out.append([prefix, laneCodes[width].replace, index]);
		});
	}

	/** The lane 0 as a signed integer, truncated; the nearest one where there is none, and 0 of NaNs. */
	truncated(shape: FloatShape): Int<'i64'> {
		const {extract, truncate} = scalars[shape];
		return new Int('i64', (out) => {
			this.emit(out);
			out.append([prefix, extract, 0, 0xfc, truncate]);
		});
	}

	#then(code: number): Vector {
		return new Vector('v128', (out) => {
			this.emit(out);
			out.byte(prefix);
			out.unsigned(code);
		});
	}
}

/** A constant of 16 bytes. */
export const vectorOf = (bytes: readonly number[]): Vector =>
	new Vector('v128', (out) => out.append([prefix, 12, ...bytes]));

/** The low bits of a number, in all lanes. */
export function splat(shape: VectorShape, value: Int | number | bigint): Vector {
	const [code, type] = splats[shape];
	const lane: Int<IntType> =
		value instanceof Int ? (type === 'i64' ? value.toI64U() : value.toI32()) : constant<IntType>(type, value);
	return new Vector('v128', (out) => {
		lane.emit(out);
		out.append([prefix, code]);
	});
}

/** The floating-point number nearest to a signed integer, in all lanes. */
export const splatConverted = (shape: FloatShape, value: Int<'i64'>): Vector =>
	new Vector('v128', (out) => {
		const {splat: all, convert} = scalars[shape];
		value.emit(out);
		out.append([convert, prefix, all]);
	});
