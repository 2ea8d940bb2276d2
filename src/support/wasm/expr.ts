import type {ByteWriter} from './byte-writer.ts';

/** Types of values, with their codes (core specification, 5.3.1 and 5.3.2). */
export const valueTypes = {i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b} as const;
export type ValueType = keyof typeof valueTypes;
export type IntType = 'i32' | 'i64';
/** Widths of integers in memory and in vectors, in bits. */
export type Width = 8 | 16 | 32 | 64;

/** Writes the instructions that push one value. */
type Emit = (out: ByteWriter) => void;

/**
 * A value that code computes where it is used, as often as it is used: what shall be computed once is kept in a local
 * (`FunctionBuilder.let`).
 */
export class Expr<T extends ValueType = ValueType> {
	readonly type: T;
	readonly emit: Emit;

	constructor(type: T, emit: Emit) {
		this.type = type;
		this.emit = emit;
	}
}

/** An integer, or a constant that becomes one of the other operand's type. */
export type Operand<T extends IntType> = Int<T> | number | bigint;

/** Instructions on two integers: codes for 32 and 64 bits (core specification, 5.4.7). */
const binary = {
	add: [0x6a, 0x7c],
	sub: [0x6b, 0x7d],
	mul: [0x6c, 0x7e],
	divS: [0x6d, 0x7f],
	divU: [0x6e, 0x80],
	remS: [0x6f, 0x81],
	remU: [0x70, 0x82],
	and: [0x71, 0x83],
	or: [0x72, 0x84],
	xor: [0x73, 0x85],
	shl: [0x74, 0x86],
	shrS: [0x75, 0x87],
	shrU: [0x76, 0x88],
	rotl: [0x77, 0x89],
	rotr: [0x78, 0x8a],
} as const;

/** Comparisons, whose result is 0 or 1 in 32 bits. */
const comparisons = {
	eq: [0x46, 0x51],
	ne: [0x47, 0x52],
	ltS: [0x48, 0x53],
	ltU: [0x49, 0x54],
	gtS: [0x4a, 0x55],
	gtU: [0x4b, 0x56],
	leS: [0x4c, 0x57],
	leU: [0x4d, 0x58],
	geS: [0x4e, 0x59],
	geU: [0x4f, 0x5a],
} as const;

const unary = {
	clz: [0x67, 0x79],
	ctz: [0x68, 0x7a],
	popcnt: [0x69, 0x7b],
	extend8S: [0xc0, 0xc2],
	extend16S: [0xc1, 0xc3],
} as const;

/** What instructions on two constants give; of others, code computes it. */
const folded: {readonly [N in keyof typeof binary]?: (one: bigint, other: bigint, bits: bigint) => bigint} = {
	add: (one, other) => one + other,
	sub: (one, other) => one - other,
	and: (one, other) => one & other,
	or: (one, other) => one | other,
	xor: (one, other) => one ^ other,
	shl: (one, count, bits) => one << (count & (bits - 1n)),
	shrU: (one, count, bits) => BigInt.asUintN(Number(bits), one) >> (count & (bits - 1n)),
};

/** What an integer is made of by adding constants: two of the same differ by their offsets. */
export interface Sum {
	readonly of: object;
	readonly offset: bigint;
}

/** An integer of 32 or 64 bits, which instructions take as signed (`S`) or unsigned (`U`). */
export class Int<T extends IntType = IntType> extends Expr<T> {
	/** Its value, signed, where that is known before code runs. */
	readonly known: bigint | undefined = undefined;
	/** Of a value that is kept, and what is that and a constant. */
	sum: Sum | undefined = undefined;

	add(other: Operand<T>): Int<T> {
		return this.#binary('add', other);
	}

	sub(other: Operand<T>): Int<T> {
		return this.#binary('sub', other);
	}

	mul(other: Operand<T>): Int<T> {
		return this.#binary('mul', other);
	}

	/** Division traps by zero, and where the quotient does not fit. */
	divS(other: Operand<T>): Int<T> {
		return this.#binary('divS', other);
	}

	divU(other: Operand<T>): Int<T> {
		return this.#binary('divU', other);
	}

	remS(other: Operand<T>): Int<T> {
		return this.#binary('remS', other);
	}

	remU(other: Operand<T>): Int<T> {
		return this.#binary('remU', other);
	}

	and(other: Operand<T>): Int<T> {
		return this.#binary('and', other);
	}

	or(other: Operand<T>): Int<T> {
		return this.#binary('or', other);
	}

	xor(other: Operand<T>): Int<T> {
		return this.#binary('xor', other);
	}

	/** Shifts go by the count modulo the width. */
	shl(count: Operand<T>): Int<T> {
		return this.#binary('shl', count);
	}

	shrS(count: Operand<T>): Int<T> {
		return this.#binary('shrS', count);
	}

	shrU(count: Operand<T>): Int<T> {
		return this.#binary('shrU', count);
	}

	rotl(count: Operand<T>): Int<T> {
		return this.#binary('rotl', count);
	}

	rotr(count: Operand<T>): Int<T> {
		return this.#binary('rotr', count);
	}

	eq(other: Operand<T>): Int<'i32'> {
		return this.#compare('eq', other);
	}

	ne(other: Operand<T>): Int<'i32'> {
		return this.#compare('ne', other);
	}

	ltS(other: Operand<T>): Int<'i32'> {
		return this.#compare('ltS', other);
	}

	ltU(other: Operand<T>): Int<'i32'> {
		return this.#compare('ltU', other);
	}

	gtS(other: Operand<T>): Int<'i32'> {
		return this.#compare('gtS', other);
	}

	gtU(other: Operand<T>): Int<'i32'> {
		return this.#compare('gtU', other);
	}

	leS(other: Operand<T>): Int<'i32'> {
		return this.#compare('leS', other);
	}

	leU(other: Operand<T>): Int<'i32'> {
		return this.#compare('leU', other);
	}

	geS(other: Operand<T>): Int<'i32'> {
		return this.#compare('geS', other);
	}

	geU(other: Operand<T>): Int<'i32'> {
		return this.#compare('geU', other);
	}

	clz(): Int<T> {
		return this.#unary('clz');
	}

	ctz(): Int<T> {
		return this.#unary('ctz');
	}

	popcnt(): Int<T> {
		return this.#unary('popcnt');
	}

	extend8S(): Int<T> {
		return this.#unary('extend8S');
	}

	extend16S(): Int<T> {
		return this.#unary('extend16S');
	}

	not(): Int<T> {
		return this.xor(-1);
	}

	neg(): Int<T> {
		return constant(this.type, 0).sub(this);
	}

	/** True (1) for 0. */
	isZero(): Int<'i32'> {
		if (this.known !== undefined) return constant('i32', this.known === 0n ? 1 : 0);
		return new Int('i32', (out) => {
			this.emit(out);
			out.byte(this.type === 'i32' ? 0x45 : 0x50);
		});
	}

	/** `whenTrue` where this is not 0; both are computed. */
	select<V extends IntType>(this: Int<'i32'>, whenTrue: Int<V>, whenFalse: Operand<V>): Int<V> {
		const otherwise = asInt(whenTrue.type, whenFalse);
		if (this.known !== undefined) return this.known === 0n ? otherwise : whenTrue;
		return new Int(whenTrue.type, (out) => {
			whenTrue.emit(out);
			otherwise.emit(out);
			this.emit(out);
			out.byte(0x1b);
		});
	}

	/** The low 32 bits; itself where it has 32. */
	toI32(): Int<'i32'> {
		if (this.type === 'i32') return this as Int<'i32'>;
		return this.known === undefined ? this.#convert('i32', 0xa7) : constant('i32', this.known);
	}

	/** Zero-extended to 64 bits; itself where it has 64. */
	toI64U(): Int<'i64'> {
		if (this.type === 'i64') return this as Int<'i64'>;
		return this.known === undefined ? this.#convert('i64', 0xad) : constant('i64', BigInt.asUintN(32, this.known));
	}

	/** Sign-extended to 64 bits; itself where it has 64. */
	toI64S(): Int<'i64'> {
		return this.type === 'i64' ? (this as Int<'i64'>) : this.#convert('i64', 0xac);
	}

	#convert<V extends IntType>(type: V, code: number): Int<V> {
		return new Int(type, (out) => {
			this.emit(out);
			out.byte(code);
		});
	}

	#unary(name: keyof typeof unary): Int<T> {
		return new Int(this.type, (out) => {
			this.emit(out);
			out.byte(unary[name][widthIndex(this.type)]);
		});
	}

	#binary(name: keyof typeof binary, other: Operand<T>): Int<T> {
		const right = asInt(this.type, other);
		const fold = folded[name];
		if (fold !== undefined && this.known !== undefined && right.known !== undefined)
			return constant(this.type, fold(this.known, right.known, this.type === 'i32' ? 32n : 64n));
		const result: Int<T> = new Int(this.type, (out) => {
			this.emit(out);
			right.emit(out);
			out.byte(binary[name][widthIndex(this.type)]);
		});
		if (name === 'add' || name === 'sub') result.sum = sumOf(this.sum, right.known, name === 'add' ? 1n : -1n);
		return result;
	}

	#compare(name: keyof typeof comparisons, other: Operand<T>): Int<'i32'> {
		const right = asInt(this.type, other);
		if (name === 'eq' && this.known !== undefined && right.known !== undefined)
			return constant('i32', this.known === right.known ? 1 : 0);
		return new Int('i32', (out) => {
			this.emit(out);
			right.emit(out);
			out.byte(comparisons[name][widthIndex(this.type)]);
		});
	}
}

/** A constant. */
class Constant<T extends IntType> extends Int<T> {
	override readonly known: bigint;

	constructor(type: T, value: bigint) {
		super(type, (out) => {
			out.byte(type === 'i32' ? 0x41 : 0x42);
			if (type === 'i32') out.signed(Number(value));
			else out.signed64(value);
		});
		this.known = value;
	}
}

const sumOf = (sum: Sum | undefined, by: bigint | undefined, sign: bigint): Sum | undefined =>
	sum === undefined || by === undefined ? undefined : {of: sum.of, offset: sum.offset + sign * by};

/** Index of a type in the pairs of codes. */
const widthIndex = (type: IntType) => (type === 'i32' ? 0 : 1);

/** A constant; a 64-bit one may be given as any integer, and is taken modulo 2^64. */
export function constant<T extends IntType>(type: T, value: number | bigint): Int<T> {
	return new Constant(type, BigInt.asIntN(type === 'i32' ? 32 : 64, BigInt(value)));
}

export const i32 = (value: number): Int<'i32'> => constant('i32', value);
export const i64 = (value: number | bigint): Int<'i64'> => constant('i64', value);

/** An operand as an expression. */
export const asInt = <T extends IntType>(type: T, operand: Operand<T>): Int<T> =>
	operand instanceof Expr ? operand : constant(type, operand);
