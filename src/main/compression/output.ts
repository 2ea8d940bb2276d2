const firstBytes = 2 ** 20;

/**
 * Decompressed bytes, which never become more than a limit. They grow in place, so that they are in memory once, and are
 * shared, so that another thread gets them without a copy.
 */
export class Output {
	/** Makes what is thrown when more bytes come than the limit. */
	readonly overflow: () => Error;
	readonly #limit: number;
	readonly #buffer: SharedArrayBuffer;
	#room: Uint8Array;
	#length = 0;

	constructor(limit: number, overflow: () => Error) {
		this.overflow = overflow;
		this.#limit = limit;
		this.#buffer = new SharedArrayBuffer(Math.min(firstBytes, limit), {maxByteLength: limit});
		this.#room = new Uint8Array(this.#buffer, 0, this.#buffer.byteLength);
	}

	get length(): number {
		return this.#length;
	}

	/** The bytes that have come. */
	get bytes(): Uint8Array {
		return this.#room.subarray(0, this.#length);
	}

	/** Returns the bytes that have come, with room for `length` bytes behind it, or for as many as the limit leaves. */
	reserve(length: number): Uint8Array {
		const needed = Math.min(this.#length + length, this.#limit);
		if (needed > this.#room.length) {
			this.#buffer.grow(Math.min(this.#limit, Math.max(needed, this.#room.length * 2)));
			this.#room = new Uint8Array(this.#buffer, 0, this.#buffer.byteLength);
		}
		return this.#room;
	}

	/** Counts `length` bytes that were written behind what had come. */
	commit(length: number): void {
		this.#length += length;
	}

	append(chunk: Uint8Array): void {
		if (this.#length + chunk.length > this.#limit) throw this.overflow();
		this.reserve(chunk.length).set(chunk, this.#length);
		this.commit(chunk.length);
	}
}
