/** Bytes that wait for the host, in the order in which they came. It takes memory when the first of them has to wait. */
export class ByteQueue {
	readonly #capacity: number;
	#bytes: Uint8Array | undefined;
	#first = 0;
	#length = 0;

	constructor(capacity: number) {
		this.#capacity = capacity;
	}

	get length(): number {
		return this.#length;
	}

	/** The longest piece from the first byte on. */
	peek(): Uint8Array {
		if (this.#bytes === undefined) return new Uint8Array();
		return this.#bytes.subarray(this.#first, Math.min(this.#first + this.#length, this.#capacity));
	}

	/** Takes the first bytes away. */
	consume(count: number): void {
		this.#first = (this.#first + count) % this.#capacity;
		this.#length -= count;
	}

	/**
	 * Adds `count` bytes, for which there is room.
	 * @param copy - copies bytes of the source, from `offset` on, to a piece of memory; false where they are not there any more, and nothing is added
	 */
	add(count: number, copy: (piece: Uint8Array, offset: number) => boolean): boolean {
		if (count > this.#capacity - this.#length) throw new RangeError(`there is no room for ${count} bytes`);
		this.#bytes ??= new Uint8Array(this.#capacity);
		const start = (this.#first + this.#length) % this.#capacity;
		const before = Math.min(count, this.#capacity - start);
		if (!copy(this.#bytes.subarray(start, start + before), 0)) return false;
		if (count > before && !copy(this.#bytes.subarray(0, count - before), before)) return false;
		this.#length += count;
		return true;
	}

	/** Forgets what is in it, and gives its memory back. */
	clear(): void {
		this.#bytes = undefined;
		this.#first = this.#length = 0;
	}
}
