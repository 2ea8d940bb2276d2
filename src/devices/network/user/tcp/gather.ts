/** Small writes are gathered up to this. */
const mostGathered = 64 * 1024;

/** Who has bytes gathered. */
interface Writer {
	flush(): void;
}

/** Joins what comes in small segments to one write: memory that the sockets of a guest have one after the other. */
export class Gather {
	readonly #bytes = new Uint8Array(new ArrayBuffer(mostGathered));
	#owner: Writer | undefined;
	#length = 0;

	/** Bytes that a writer has here. */
	lengthOf(writer: Writer): number {
		return this.#owner === writer ? this.#length : 0;
	}

	/** Adds bytes of a writer's, fewer than {@link mostGathered}; others write theirs first. */
	add(writer: Writer, bytes: Uint8Array): void {
		if (this.#owner !== writer || this.#length + bytes.length > mostGathered) this.#owner?.flush();
		this.#owner = writer;
		this.#bytes.set(bytes, this.#length);
		this.#length += bytes.length;
	}

	/** Takes what a writer has here, which stays as it is until the next is added. */
	take(writer: Writer): Uint8Array | undefined {
		if (this.#owner !== writer) return undefined;
		const taken = this.#bytes.subarray(0, this.#length);
		this.#owner = undefined;
		this.#length = 0;
		return taken;
	}
}
