import type {ByteWriter} from './byte-writer.ts';
import {asInt, type Expr, Int, type IntType, type Operand, type Width} from './expr.ts';
import {Vector} from './vector.ts';

/** Loads that fill with zeros, by type of the value and width in memory: code and log2 of the bytes (core specification, 5.4.6). */
const loads = {
	i32: {8: 0x2d, 16: 0x2f, 32: 0x28},
	i64: {8: 0x31, 16: 0x33, 32: 0x35, 64: 0x29},
} as const;
const signedLoads = {
	i32: {8: 0x2c, 16: 0x2e, 32: 0x28},
	i64: {8: 0x30, 16: 0x32, 32: 0x34, 64: 0x29},
} as const;
const stores = {
	i32: {8: 0x3a, 16: 0x3b, 32: 0x36},
	i64: {8: 0x3c, 16: 0x3d, 32: 0x3e, 64: 0x37},
} as const;
/** Offset of an atomic instruction in its group of seven, and in the groups of loads and stores (threads proposal). */
const atomicForms = {
	i32: {8: 2, 16: 3, 32: 0},
	i64: {8: 4, 16: 5, 32: 6, 64: 1},
} as const;
const atomicGroups = {
	load: 0x10,
	store: 0x17,
	add: 0x1e,
	sub: 0x25,
	and: 0x2c,
	or: 0x33,
	xor: 0x3a,
	xchg: 0x41,
	cmpxchg: 0x48,
};
const log2OfBytes = {8: 0, 16: 1, 32: 2, 64: 3} as const;

function codeFor(
	codes: {readonly [T in IntType]: {readonly [W in Width]?: number}},
	type: IntType,
	width: Width,
): number {
	const code = codes[type][width];
	if (code === undefined) throw new RangeError(`an ${type} has no ${width} bits`);
	return code;
}

/** Read-modify-write instructions that return the value before. */
export type RmwOperation = 'add' | 'sub' | 'and' | 'or' | 'xor' | 'xchg';

/** Place in a memory: an address that code computes, and a constant that is added to it without wrapping around. */
export interface MemoryAddress<A extends IntType> {
	readonly base: Int<A>;
	readonly offset?: number;
}

/** An import's declaration of a memory; sizes in pages of 64 KiB. */
export interface MemoryDeclaration<A extends IntType> {
	/** Type of addresses: `i64` for memories beyond 4 GiB. */
	readonly address: A;
	readonly isShared: boolean;
	readonly minimum: number;
	readonly maximum: number;
}

/** A memory of a module. Plain accesses may be unaligned; atomic ones trap unless aligned. */
export class Memory<A extends IntType = IntType> {
	readonly index: number;
	readonly declaration: MemoryDeclaration<A>;

	constructor(index: number, declaration: MemoryDeclaration<A>) {
		this.index = index;
		this.declaration = declaration;
	}

	/** Reads `width` bits, filled up with zeros. */
	load<T extends IntType>(type: T, width: Width, base: Operand<A>, offset = 0): Int<T> {
		return this.#load(type, codeFor(loads, type, width), base, offset);
	}

	/** Reads `width` bits, filled up with the sign. */
	loadSigned<T extends IntType>(type: T, width: Width, base: Operand<A>, offset = 0): Int<T> {
		return this.#load(type, codeFor(signedLoads, type, width), base, offset);
	}

	/** Emits a store of the value's low bits. */
	emitStore(out: ByteWriter, width: Width, base: Operand<A>, offset: number, value: Int): void {
		this.#address(base).emit(out);
		value.emit(out);
		out.byte(codeFor(stores, value.type, width));
		// Alignment is a hint only: 0 promises nothing.
		this.#argument(out, 0, offset);
	}

	/** Reads 128 bits (core specification, 5.4.9). */
	loadVector(base: Operand<A>, offset = 0): Vector {
		const address = this.#address(base);
		return new Vector('v128', (out) => {
			address.emit(out);
			out.append([0xfd, 0x00]);
			this.#argument(out, 0, offset);
		});
	}

	emitStoreVector(out: ByteWriter, base: Operand<A>, offset: number, value: Vector): void {
		this.#address(base).emit(out);
		value.emit(out);
		out.append([0xfd, 0x0b]);
		this.#argument(out, 0, offset);
	}

	/** Reads what is aligned, in the one order of all atomic accesses. */
	atomicLoad<T extends IntType>(type: T, width: Width, base: Operand<A>, offset = 0): Int<T> {
		return this.#atomic('load', type, width, base, offset, []);
	}

	/** Changes what is aligned at once, and gives what was there. */
	rmw<T extends IntType>(
		operation: RmwOperation,
		width: Width,
		base: Operand<A>,
		offset: number,
		value: Int<T>,
	): Int<T> {
		return this.#atomic(operation, value.type, width, base, offset, [value]);
	}

	/** Stores `replacement` where `expected` is, and gives what was there. Both must not exceed the width. */
	cmpxchg<T extends IntType>(
		width: Width,
		base: Operand<A>,
		offset: number,
		expected: Int<T>,
		replacement: Operand<T>,
	): Int<T> {
		const value = asInt(expected.type, replacement);
		return this.#atomic('cmpxchg', expected.type, width, base, offset, [expected, value]);
	}

	emitAtomicStore(out: ByteWriter, width: Width, base: Operand<A>, offset: number, value: Int): void {
		this.#address(base).emit(out);
		value.emit(out);
		this.#emitAtomic(out, 'store', value.type, width, offset);
	}

	/** Emits a copy within this memory; the ranges may overlap. */
	emitCopy(out: ByteWriter, target: Operand<A>, source: Operand<A>, length: Operand<A>): void {
		for (const operand of [target, source, length]) this.#address(operand).emit(out);
		out.append([0xfc, 0x0a, this.index, this.index]);
	}

	/** Emits a fill with the low byte of `value`. */
	emitFill(out: ByteWriter, target: Operand<A>, value: Int<'i32'>, length: Operand<A>): void {
		this.#address(target).emit(out);
		value.emit(out);
		this.#address(length).emit(out);
		out.append([0xfc, 0x0b, this.index]);
	}

	#load<T extends IntType>(type: T, code: number, base: Operand<A>, offset: number): Int<T> {
		const address = this.#address(base);
		return new Int(type, (out) => {
			address.emit(out);
			out.byte(code);
			this.#argument(out, 0, offset);
		});
	}

	#atomic<T extends IntType>(
		operation: keyof typeof atomicGroups,
		type: T,
		width: Width,
		base: Operand<A>,
		offset: number,
		values: readonly Expr[],
	): Int<T> {
		const address = this.#address(base);
		return new Int(type, (out) => {
			address.emit(out);
			for (const value of values) value.emit(out);
			this.#emitAtomic(out, operation, type, width, offset);
		});
	}

	#emitAtomic(
		out: ByteWriter,
		operation: keyof typeof atomicGroups,
		type: IntType,
		width: Width,
		offset: number,
	): void {
		out.append([0xfe, atomicGroups[operation] + codeFor(atomicForms, type, width)]);
		this.#argument(out, log2OfBytes[width], offset);
	}

	#address(base: Operand<A>): Int<A> {
		return asInt(this.declaration.address, base);
	}

	/** The memory's index goes by a flag in the alignment (multi-memory). */
	#argument(out: ByteWriter, alignment: number, offset: number): void {
		if (this.index === 0) out.unsigned(alignment);
		else {
			out.unsigned(alignment | 0x40);
			out.unsigned(this.index);
		}
		out.unsigned(offset);
	}
}
