import {addressOf} from '#support/ffi';
import type {Piece} from './piece.ts';

/** A device's use of guest memory that it reaches by host address. */
export type DmaDirection = 'read' | 'write';

/** Bytes of `struct iovec` (readv(2)) on hosts of 64 bits: an address and a length, 8 bytes each. */
const vectorBytes = 16;

/**
 * Host memory for one request of a system call: a list to be filled by `GuestMemory.pin`, used, released and used again. What is
 * in it stays mapped and in place until it is released; nothing is allocated meanwhile.
 */
export class IoVectors {
	/** Number of vectors there is room for. A range of guest memory takes one for each piece of RAM that it lies in. */
	readonly capacity: number;
	/** `struct iovec` one after the other, as readv(2), writev(2) and io_uring take them. */
	readonly structs: Uint8Array;
	readonly #words: Uint32Array;
	readonly #pieces: (Piece | undefined)[];
	readonly #starts: Uint32Array;
	readonly #areWritten: Uint8Array;
	#count = 0;
	#bytes = 0;
	#address = 0;

	constructor(capacity: number) {
		this.capacity = capacity;
		this.structs = new Uint8Array(capacity * vectorBytes);
		this.#words = new Uint32Array(this.structs.buffer);
		this.#pieces = new Array<Piece | undefined>(capacity).fill(undefined);
		this.#starts = new Uint32Array(capacity);
		this.#areWritten = new Uint8Array(capacity);
	}

	/** Number of vectors in the list. */
	get count(): number {
		return this.#count;
	}

	/** Bytes of all vectors together. */
	get bytes(): number {
		return this.#bytes;
	}

	/** Host address of {@link structs}, which stay there as long as the list is referenced. */
	get address(): number {
		if (this.#address === 0) this.#address = Number(addressOf(this.structs));
		return this.#address;
	}

	/** Host address of a vector's first byte. */
	hostAddress(index: number): number {
		return this.#word(index, 1) * 2 ** 32 + this.#word(index, 0);
	}

	/** Length of a vector in bytes. */
	length(index: number): number {
		return this.#word(index, 2);
	}

	/** Copies what lies behind the vectors, from their byte `offset` on, to `length` bytes at `targetOffset` in `target`. */
	copyOut(offset: number, target: Uint8Array, targetOffset: number, length: number): void {
		this.#copy(offset, target, targetOffset, length, false);
	}

	/** Copies into what lies behind the vectors; else as {@link copyOut}. */
	copyIn(offset: number, source: Uint8Array, sourceOffset: number, length: number): void {
		this.#copy(offset, source, sourceOffset, length, true);
	}

	/** Marks the pages that the device was to write, and lets go of the memory: the system call has returned or completed. */
	release(): void {
		this.drop(0);
	}

	/** @internal Takes a part of a piece into the list; false when that is not possible now. */
	add(piece: Piece, start: number, length: number, direction: DmaDirection): boolean {
		const index = this.#count;
		if (index === this.capacity || !piece.pins.take()) return false;
		const address = piece.hostAddress + start;
		this.#words[index * 4] = address;
		this.#words[index * 4 + 1] = address / 2 ** 32;
		this.#words[index * 4 + 2] = length;
		this.#pieces[index] = piece;
		this.#starts[index] = start;
		this.#areWritten[index] = direction === 'write' ? 1 : 0;
		this.#count++;
		this.#bytes += length;
		return true;
	}

	/** @internal Releases all vectors from `first` on. */
	drop(first: number): void {
		while (this.#count > first) {
			const index = --this.#count;
			const piece = this.#piece(index);
			this.#pieces[index] = undefined;
			this.#bytes -= this.length(index);
			if (this.#areWritten[index] === 1) piece.stamps.mark(this.#start(index), this.length(index));
			piece.pins.release();
		}
	}

	#copy(offset: number, bytes: Uint8Array, at: number, length: number, toGuest: boolean): void {
		// An error of ours, not of the guest's.
		if (!(offset >= 0 && length >= 0 && offset + length <= this.#bytes))
			throw new RangeError(`no ${length} bytes at ${offset} of ${this.#bytes}`);
		let skipped = offset;
		let done = 0;
		for (let index = 0; done < length; index++) {
			const size = this.length(index);
			if (skipped >= size) {
				skipped -= size;
				continue;
			}
			const count = Math.min(size - skipped, length - done);
			const start = this.#start(index) + skipped;
			if (toGuest) this.#piece(index).copyIn(start, bytes, at + done, count);
			else this.#piece(index).copyOut(start, bytes, at + done, count);
			skipped = 0;
			done += count;
		}
	}

	#piece(index: number): Piece {
		return this.#pieces[index] as Piece;
	}

	#start(index: number): number {
		return this.#starts[index] as number;
	}

	#word(index: number, word: number): number {
		return this.#words[index * 4 + word] as number;
	}
}
