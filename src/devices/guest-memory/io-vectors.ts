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

	/** Host address of a vector's first byte. */
	hostAddress(index: number): number {
		return this.#word(index, 1) * 2 ** 32 + this.#word(index, 0);
	}

	/** Length of a vector in bytes. */
	length(index: number): number {
		return this.#word(index, 2);
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
		return true;
	}

	/** @internal Releases all vectors from `first` on. */
	drop(first: number): void {
		while (this.#count > first) {
			const index = --this.#count;
			const piece = this.#pieces[index] as Piece;
			this.#pieces[index] = undefined;
			if (this.#areWritten[index] === 1) piece.stamps.mark(this.#starts[index] as number, this.length(index));
			piece.pins.release();
		}
	}

	#word(index: number, word: number): number {
		return this.#words[index * 4 + word] as number;
	}
}
