import {type DmaDirection, type GuestMemory, IoVectors, pageBytes} from '#devices/guest-memory';

/**
 * A request of the driver: buffers that the device reads, followed by buffers that it writes. Each of the two is one range of
 * bytes to the device, however the driver has cut it up. It lives until it is completed.
 */
export class Chain {
	/** @internal Its neighbours among those that its queue has taken. */
	before: Chain | undefined;
	/** @internal */
	after: Chain | undefined;
	readonly #memory: GuestMemory;
	readonly #addresses: number[] = [];
	readonly #lengths: number[] = [];
	/** Number of buffers for reading. */
	#readableCount = 0;
	#count = 0;
	#readable = 0;
	#writable = 0;
	#head = 0;
	#position = 0;
	#slots = 0;
	/** Undefined until it is done. */
	#written: number | undefined;

	constructor(memory: GuestMemory) {
		this.#memory = memory;
	}

	/** Bytes that the device reads. */
	get readable(): number {
		return this.#readable;
	}

	/** Bytes that the device may write. */
	get writable(): number {
		return this.#writable;
	}

	/** The first descriptor, or of a packed queue its id, by which the driver knows the chain. */
	get head(): number {
		return this.#head;
	}

	/**
	 * Copies `length` of the bytes to read, from `offset` on, to `targetOffset` in `target`; all of `target` without the last two.
	 * @returns false where there are not as many, or their memory has gone
	 */
	read(offset: number, target: Uint8Array, targetOffset = 0, length = target.length - targetOffset): boolean {
		if (!(offset >= 0 && offset + length <= this.#readable)) return false;
		return this.#each(0, this.#readableCount, offset, target, targetOffset, length, false);
	}

	/** Copies the first of the bytes to read, as many words of 32 bits as `target` has: a request's header, which mostly is a buffer of its own. */
	readWords(target: Int32Array): boolean {
		const bytes = target.byteLength;
		if (this.#readableCount > 0 && (this.#lengths[0] as number) >= bytes)
			return this.#memory.copyWordsOut(this.#addresses[0] as number, target);
		return this.read(0, new Uint8Array(target.buffer, target.byteOffset, bytes));
	}

	/** Copies into the bytes to write; else as {@link read}. */
	write(offset: number, source: Uint8Array, sourceOffset = 0, length = source.length - sourceOffset): boolean {
		if (!(offset >= 0 && offset + length <= this.#writable)) return false;
		return this.#each(this.#readableCount, this.#count, offset, source, sourceOffset, length, true);
	}

	/** Writes the last of the bytes to write: a request's status. @returns false where there is none, or its memory has gone */
	writeLast(value: number): boolean {
		let last = this.#count - 1;
		while (last >= this.#readableCount && this.#lengths[last] === 0) last--;
		if (last < this.#readableCount) return false;
		return this.#memory.writeU8((this.#addresses[last] as number) + (this.#lengths[last] as number) - 1, value);
	}

	/**
	 * Adds the host memory under some of the bytes to what a system call is to use: nothing is copied. The list is released before
	 * the chain is completed.
	 * @param direction - which bytes: those that the device reads, or writes
	 * @param offset - of the first byte
	 * @param length - how many; all from `offset` on without this
	 * @returns false, and nothing added, where there are not as many, the list is full, or their memory has gone
	 */
	pin(direction: DmaDirection, vectors: IoVectors, offset = 0, length?: number): boolean {
		const isWrite = direction === 'write';
		const most = isWrite ? this.#writable : this.#readable;
		const wanted = length ?? most - offset;
		if (!(offset >= 0 && wanted >= 0 && offset + wanted <= most)) return false;
		const before = vectors.count;
		const done = isWrite
			? this.#each(this.#readableCount, this.#count, offset, vectors, 0, wanted, true)
			: this.#each(0, this.#readableCount, offset, vectors, 0, wanted, false);
		if (!done) vectors.drop(before);
		return done;
	}

	/**
	 * Gives the host's memory under the bytes to write back, which are zero then; the pages that lie whole in each buffer, and no more bytes than `most`.
	 * @returns how many bytes the host has taken
	 */
	discard(most: number): number {
		let [taken, left] = [0, most];
		for (let index = this.#readableCount; index < this.#count && left > 0; index++) {
			const start = this.#addresses[index] as number;
			const first = Math.ceil(start / pageBytes) * pageBytes;
			const end = Math.min(start + (this.#lengths[index] as number), first + left);
			const length = Math.floor((end - first) / pageBytes) * pageBytes;
			if (length <= 0) continue;
			left -= length;
			if (this.#memory.discard(first, length, 'zeros')) taken += length;
		}
		return taken;
	}

	/** @internal Where the ring has it. */
	get position(): number {
		return this.#position;
	}

	/** @internal Elements of the ring that it takes. */
	get slots(): number {
		return this.#slots;
	}

	/** @internal It waits for no more than its turn. */
	get isDone(): boolean {
		return this.#written !== undefined;
	}

	/** @internal How many of the bytes to write have been. */
	get written(): number {
		return this.#written ?? 0;
	}

	/** @internal The device needs it no more. */
	done(written: number): void {
		this.#written = written;
	}

	/** @internal Begins anew. */
	begin(position: number): void {
		this.#position = position;
		this.#written = undefined;
		this.#count = this.#readableCount = this.#readable = this.#writable = 0;
	}

	/** @internal Adds a buffer; false for one to read behind one to write, or one that makes the chain too long (virtio 1.2, 2.7.5.2). */
	add(address: number, length: number, isWritable: boolean): boolean {
		if (!isWritable && this.#count > this.#readableCount) return false;
		if (this.#readable + this.#writable + length > 2 ** 32) return false;
		this.#addresses[this.#count] = address;
		this.#lengths[this.#count] = length;
		this.#count++;
		if (isWritable) this.#writable += length;
		else {
			this.#readable += length;
			this.#readableCount++;
		}
		return true;
	}

	/** @internal All buffers have been added. */
	end(head: number, slots: number): void {
		this.#head = head;
		this.#slots = slots;
	}

	/** Copies the bytes of buffers, or pins them where there is a list for that. */
	#each(
		first: number,
		end: number,
		offset: number,
		bytes: Uint8Array | IoVectors,
		start: number,
		length: number,
		toGuest: boolean,
	): boolean {
		let [skipped, at, left] = [offset, start, length];
		for (let index = first; index < end && left > 0; index++) {
			const size = this.#lengths[index] as number;
			if (skipped >= size) {
				skipped -= size;
				continue;
			}
			const count = Math.min(size - skipped, left);
			const address = (this.#addresses[index] as number) + skipped;
			const done =
				bytes instanceof IoVectors
					? this.#memory.pin(address, count, toGuest ? 'write' : 'read', bytes)
					: toGuest
						? this.#memory.copyIn(address, bytes, at, count)
						: this.#memory.copyOut(address, bytes, at, count);
			if (!done) return false;
			[skipped, at, left] = [0, at + count, left - count];
		}
		return true;
	}
}
