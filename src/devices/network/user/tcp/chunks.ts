/** What one read of a socket takes at most: a read costs as much as some KiB of its copy. */
const chunkBytes = 128 * 1024;
/** Chunks that are kept for later. */
const mostFree = 32;

/** Memory that a read went to. */
export interface Chunk {
	readonly bytes: Uint8Array<ArrayBuffer>;
	/** Gives it back. */
	free(): void;
}

/** Memory that is read into again and again: what is made anew for each read costs more than the read, and its collection as much again. */
export class Chunks {
	readonly #free: Chunk[] = [];

	take(): Chunk {
		return this.#free.pop() ?? this.#make();
	}

	#make(): Chunk {
		const free = this.#free;
		const chunk: Chunk = {
			bytes: new Uint8Array(new ArrayBuffer(chunkBytes)),
			free() {
				if (free.length < mostFree) free.push(chunk);
			},
		};
		return chunk;
	}
}
