import {addressOf} from '#support/ffi';
import type {HostMemory} from './host-memory.ts';
import type {Piece} from './piece.ts';

/** A device's use of guest memory that it reaches by host address. */
export type DmaDirection = 'read' | 'write';

/** Bytes of `struct iovec` (readv(2)) on hosts of 64 bits: an address and a length, 8 bytes each. */
const vectorBytes = 16;

/** How a list has what is in it. */
const Hold = {
	/** Somebody else keeps it in place, or it is the host's own. */
	BORROWED: 0,
	/** Pinned, for the device to read or to write. */
	READ: 1,
	WRITTEN: 2,
} as const;

/**
 * Host memory for one request of a system call: a list to be filled by `GuestMemory.pin`, used, released and used again. What is
 * in it stays mapped and in place until it is released; nothing is allocated meanwhile. Who splits a request fills further lists with parts
 * of the first one, or with memory of the host's own; such lists are released before the one that has the memory pinned.
 */
export class IoVectors {
	/** Number of vectors there is room for. A range of guest memory takes one for each piece of RAM that it lies in. */
	readonly capacity: number;
	/** `struct iovec` one after the other, as readv(2), writev(2) and io_uring take them. */
	readonly structs: Uint8Array;
	readonly #words: Uint32Array;
	readonly #memories: (Piece | HostMemory | undefined)[];
	readonly #starts: Uint32Array;
	readonly #holds: Uint8Array;
	/** Host address of the first vector's first byte: a field, since V8 makes an object of a large number that a call returns. */
	firstAddress = 0;
	#count = 0;
	#bytes = 0;
	#address = 0;
	/** Of the last {@link #seek}. */
	#skipped = 0;

	constructor(capacity: number) {
		this.capacity = capacity;
		this.structs = new Uint8Array(capacity * vectorBytes);
		this.#words = new Uint32Array(this.structs.buffer);
		this.#memories = new Array<undefined>(capacity).fill(undefined);
		this.#starts = new Uint32Array(capacity);
		this.#holds = new Uint8Array(capacity);
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

	/** Fills `length` bytes of what lies behind the vectors, from their byte `offset` on, with one value. */
	fill(offset: number, length: number, value: number): void {
		let index = this.#seek(offset, length);
		for (let done = 0; done < length; index++) {
			const skipped = done === 0 ? this.#skipped : 0;
			const count = Math.min(this.length(index) - skipped, length - done);
			this.#memory(index).fill(this.#start(index) + skipped, count, value);
			done += count;
		}
	}

	/**
	 * Appends a part of another list, which has it pinned until that is released, and marks its pages then.
	 * @returns false, and nothing appended, where there is no room for its vectors
	 */
	addPart(whole: IoVectors, offset: number, length: number): boolean {
		const before = this.#count;
		let index = whole.#seek(offset, length);
		for (let done = 0; done < length; index++) {
			const skipped = done === 0 ? whole.#skipped : 0;
			const count = Math.min(whole.length(index) - skipped, length - done);
			if (!this.#append(whole.#memory(index), whole.#start(index) + skipped, count, Hold.BORROWED)) {
				this.drop(before);
				return false;
			}
			done += count;
		}
		return true;
	}

	/** Appends `length` bytes of the host's own memory. @returns false where there is no room for a vector */
	addHost(memory: HostMemory, offset: number, length: number): boolean {
		// An error of ours.
		if (!(offset >= 0 && length >= 0 && offset + length <= memory.bytes.length))
			throw new RangeError(`no ${length} bytes at ${offset} of ${memory.bytes.length}`);
		return this.#append(memory, offset, length, Hold.BORROWED);
	}

	/** Marks the pages that the device was to write, and lets go of the memory: the system call has returned or completed. */
	release(): void {
		this.drop(0);
	}

	/** @internal Takes a part of a piece into the list; false when that is not possible now. */
	add(piece: Piece, start: number, length: number, direction: DmaDirection): boolean {
		if (this.#count === this.capacity || !piece.pins.take()) return false;
		return this.#append(piece, start, length, direction === 'write' ? Hold.WRITTEN : Hold.READ);
	}

	/** @internal Releases all vectors from `first` on. */
	drop(first: number): void {
		while (this.#count > first) {
			const index = --this.#count;
			this.#bytes -= this.length(index);
			const hold = this.#holds[index];
			if (hold !== Hold.BORROWED) {
				const piece = this.#memory(index) as Piece;
				if (hold === Hold.WRITTEN) piece.stamps.mark(this.#start(index), this.length(index));
				piece.pins.release();
			}
			this.#memories[index] = undefined;
		}
	}

	#append(memory: Piece | HostMemory, start: number, length: number, hold: number): boolean {
		const index = this.#count;
		if (index === this.capacity) return false;
		const address = memory.hostAddress + start;
		if (index === 0) this.firstAddress = address;
		this.#words[index * 4] = address;
		this.#words[index * 4 + 1] = address / 2 ** 32;
		this.#words[index * 4 + 2] = length;
		this.#memories[index] = memory;
		this.#starts[index] = start;
		this.#holds[index] = hold;
		this.#count++;
		this.#bytes += length;
		return true;
	}

	#copy(offset: number, bytes: Uint8Array, at: number, length: number, isIn: boolean): void {
		let index = this.#seek(offset, length);
		for (let done = 0; done < length; index++) {
			const skipped = done === 0 ? this.#skipped : 0;
			const count = Math.min(this.length(index) - skipped, length - done);
			const start = this.#start(index) + skipped;
			if (isIn) this.#memory(index).copyIn(start, bytes, at + done, count);
			else this.#memory(index).copyOut(start, bytes, at + done, count);
			done += count;
		}
	}

	/** Finds the vector of a range's first byte, and has {@link #skipped} say how many bytes of that vector lie before it. */
	#seek(offset: number, length: number): number {
		// An error of ours, not of the guest's.
		if (!(offset >= 0 && length >= 0 && offset + length <= this.#bytes))
			throw new RangeError(`no ${length} bytes at ${offset} of ${this.#bytes}`);
		let index = 0;
		this.#skipped = offset;
		for (; index < this.#count && this.#skipped >= this.length(index); index++) this.#skipped -= this.length(index);
		return index;
	}

	#memory(index: number): Piece | HostMemory {
		return this.#memories[index] as Piece | HostMemory;
	}

	#start(index: number): number {
		return this.#starts[index] as number;
	}

	#word(index: number, word: number): number {
		return this.#words[index * 4 + word] as number;
	}
}
