import {type Guest, guest} from '#support/trust';
import type {Piece} from './piece.ts';
import type {PieceAccess} from './piece-access.ts';

/**
 * A part of guest RAM that is accessed again and again. Offsets are within it and the device's own, checked numbers: one
 * outside is an error of the device, which a RangeError tells of.
 *
 * Ordered accesses are for offsets whose address is a multiple of their size, so give `mapped` the alignment; others are the
 * device's error too. They are what the memory model of a guest's processor gives to its instructions: nothing that this
 * thread does later is seen before an acquire, nothing that it did earlier is missing after a release. {@link fence} keeps a
 * load from passing an earlier store.
 */
export class GuestWindow {
	/** First guest-physical address. */
	readonly gpa: number;
	readonly length: number;
	readonly #memory: PieceAccess;
	readonly #generation: number;
	/** The piece that holds all of it, mostly. */
	readonly #piece: Piece | undefined;
	readonly #start: number;

	/** @internal */
	constructor(memory: PieceAccess, gpa: number, length: number, piece: Piece | undefined) {
		this.#memory = memory;
		this.gpa = gpa;
		this.length = length;
		this.#generation = memory.generation;
		this.#piece = piece;
		this.#start = piece === undefined ? 0 : gpa - piece.gpa;
	}

	/** False once memory has changed or the device may not reach it any more: then the window is to be asked for anew. */
	get isCurrent(): boolean {
		return this.#memory.generation === this.#generation && this.#memory.isOpen;
	}

	readU8(offset: number): Guest<number> {
		this.#check(offset, 1);
		const piece = this.#piece;
		return piece ? guest(piece.readU8(this.#start + offset)) : this.#read(this.#memory.readU8(this.gpa + offset));
	}

	readU16(offset: number): Guest<number> {
		this.#check(offset, 2);
		const piece = this.#piece;
		return piece ? guest(piece.readU16(this.#start + offset)) : this.#read(this.#memory.readU16(this.gpa + offset));
	}

	readU32(offset: number): Guest<number> {
		this.#check(offset, 4);
		const piece = this.#piece;
		return piece ? guest(piece.readU32(this.#start + offset)) : this.#read(this.#memory.readU32(this.gpa + offset));
	}

	/** As {@link GuestMemory.readU64}. */
	readU64(offset: number): Guest<number> {
		this.#check(offset, 8);
		const piece = this.#piece;
		return piece ? guest(piece.readU64(this.#start + offset)) : this.#read(this.#memory.readU64(this.gpa + offset));
	}

	writeU8(offset: number, value: number): void {
		this.#check(offset, 1);
		if (this.#piece) this.#piece.writeU8(this.#start + offset, value);
		else this.#memory.writeU8(this.gpa + offset, value);
	}

	writeU16(offset: number, value: number): void {
		this.#check(offset, 2);
		if (this.#piece) this.#piece.writeU16(this.#start + offset, value);
		else this.#memory.writeU16(this.gpa + offset, value);
	}

	writeU32(offset: number, value: number): void {
		this.#check(offset, 4);
		if (this.#piece) this.#piece.writeU32(this.#start + offset, value);
		else this.#memory.writeU32(this.gpa + offset, value);
	}

	/** As {@link GuestMemory.writeU64}. */
	writeU64(offset: number, value: number): void {
		this.#check(offset, 8);
		if (this.#piece) this.#piece.writeU64(this.#start + offset, value);
		else this.#memory.writeU64(this.gpa + offset, value);
	}

	/** Copies `length` bytes from `offset` on to `targetOffset` in `target`. */
	copyOut(offset: number, target: Uint8Array, targetOffset: number, length: number): void {
		this.#check(offset, length);
		this.#memory.copyOut(this.gpa + offset, target, targetOffset, length);
	}

	/** Copies `length` bytes from `sourceOffset` in `source` to `offset`. */
	copyIn(offset: number, source: Uint8Array, sourceOffset: number, length: number): void {
		this.#check(offset, length);
		this.#memory.copyIn(this.gpa + offset, source, sourceOffset, length);
	}

	/** A load that later accesses do not pass. */
	acquireU16(offset: number): Guest<number> {
		const piece = this.#ordered(offset, 2);
		return this.#read(piece && guest(piece.acquireU16(this.gpa + offset - piece.gpa)));
	}

	acquireU32(offset: number): Guest<number> {
		const piece = this.#ordered(offset, 4);
		return this.#read(piece && guest(piece.acquireU32(this.gpa + offset - piece.gpa)));
	}

	/** A store that earlier accesses do not pass. */
	releaseU16(offset: number, value: number): void {
		const piece = this.#ordered(offset, 2);
		piece?.releaseU16(this.gpa + offset - piece.gpa, value);
	}

	releaseU32(offset: number, value: number): void {
		const piece = this.#ordered(offset, 4);
		piece?.releaseU32(this.gpa + offset - piece.gpa, value);
	}

	/** Stores `value` where `expected` is, in one step. @returns false when something else was there, which stays */
	compareExchangeU32(offset: number, expected: number, value: number): boolean {
		const piece = this.#ordered(offset, 4);
		return piece?.compareExchangeU32(this.gpa + offset - piece.gpa, expected, value) ?? false;
	}

	#check(offset: number, size: number): void {
		if (!(offset >= 0 && offset + size <= this.length)) throw new RangeError(`no ${size} bytes at ${offset}`);
	}

	/** Aligned accesses lie in one piece. */
	#ordered(offset: number, size: number): Piece | undefined {
		this.#check(offset, size);
		if (((this.gpa + offset) & (size - 1)) !== 0) throw new RangeError(`${offset} is not aligned`);
		return this.#piece ?? this.#memory.pieceOf(this.gpa + offset, size);
	}

	/** A window over several pieces is looked up anew: where memory has gone meanwhile, no check passes what is read. */
	#read(value: Guest<number> | undefined): Guest<number> {
		return value as Guest<number>;
	}
}

/** A word of this thread: the values stored are of no interest. */
const fenced = new Int32Array(1);

/**
 * Keeps later loads from passing earlier stores, as a device needs that has published something and then looks whether the guest
 * wants to be told (virtio 1.2, 2.7.10: used.idx and avail_event).
 */
export function fence(): void {
	Atomics.store(fenced, 0, 0);
	Atomics.load(fenced, 0);
}
