import {Advice, addressOf, advise} from '#support/ffi';
import {i32, type ViewOf, wire} from '#support/wire';

/** Unit in which memory is taken and given back: a page of the host's. */
export const pageBytes = 4096;
/** Memory is seen through buffers of this length, so that offsets in them are small integers to V8. No run of pages crosses them. */
const chunkPages = 2 ** 18;
const wordsPerPage = pageBytes / 4;

/** What the threads have in common, and no snapshot has. */
export const OverlayHeader = wire('overlay', {
	/** See `lock`. */
	lock: i32,
	/** See {@link Found}. */
	found: i32,
	/** First of the pages that were given back, 0 for none. */
	free: i32,
	/** Pages that are taken. */
	taken: i32,
});

/** What there is in an overlay's memory at first: nobody has looked yet; all is right; a snapshot was damaged. */
export const Found = {UNKNOWN: 0, RIGHT: 1, WRONG: 2} as const;

/** What snapshots have too. */
export const SavedHeader = wire('overlay-saved', {
	/** Pages that were ever taken, page 0 with them, which nobody gets. */
	touched: i32,
	/** Spans up to the last that something was ever in. */
	spans: i32,
});

/** Bytes before so many pages: the header, and which page was given back before each. */
export const pagesOverhead = (count: number): number => OverlayHeader.byteLength + Math.ceil(count / 2) * 8;

/**
 * Pages in memory that threads share. They may hold anything when they are taken: of a snapshot's the host brings back what its file has.
 * It has the memory of those that are not taken. Who calls has the lock.
 */
export class OverlayPages {
	readonly count: number;
	readonly header: ViewOf<typeof OverlayHeader>;
	readonly saved: ViewOf<typeof SavedHeader>;
	readonly #next: Int32Array;
	readonly #chunks: readonly Buffer[];
	readonly #words: readonly Int32Array[];
	readonly #address: bigint;
	/** Pages that are given back together, by one call. */
	#runStart = 0;
	#runLength = 0;

	/**
	 * @param offset - of the header
	 * @param saved - offset of what snapshots have, and of its header
	 * @param pages - offset of the first page
	 */
	constructor(memory: SharedArrayBuffer, offset: number, saved: number, pages: number, count: number) {
		this.count = count;
		this.header = OverlayHeader.on(memory, offset);
		this.saved = SavedHeader.on(memory, saved);
		this.#next = new Int32Array(memory, offset + OverlayHeader.byteLength, count);
		const chunks: Buffer[] = [];
		const words: Int32Array[] = [];
		for (let first = 0; first < count; first += chunkPages) {
			const [at, length] = [pages + first * pageBytes, Math.min(chunkPages, count - first) * pageBytes];
			chunks.push(Buffer.from(memory, at, length));
			words.push(new Int32Array(memory, at, length / 4));
		}
		this.#chunks = chunks;
		this.#words = words;
		this.#address = addressOf(memory) + BigInt(pages);
	}

	/** The buffer that a page lies in. */
	chunk(page: number): Buffer {
		return this.#chunks[page >>> 18] as Buffer;
	}

	/** Where in its buffer a page begins. */
	start(page: number): number {
		return (page % chunkPages) * pageBytes;
	}

	/** True where the one page follows the other in memory. */
	follows(page: number, before: number): boolean {
		return page === before + 1 && page % chunkPages !== 0;
	}

	/** The words of 32 bits of the buffer that a page lies in, its own from {@link firstWord} on. */
	words(page: number): Int32Array {
		return this.#words[page >>> 18] as Int32Array;
	}

	firstWord(page: number): number {
		return (page % chunkPages) * wordsPerPage;
	}

	/** Takes a page; 0 when there is none. */
	take(): number {
		const {header, saved} = this;
		const free = header.free;
		let page = free;
		if (free !== 0) header.free = this.#next[free] as number;
		else {
			page = Math.max(1, saved.touched);
			if (page >= this.count) {
				if (this.#runLength === 0) return 0;
				this.flush();
				return this.take();
			}
			saved.touched = page + 1;
		}
		header.taken++;
		return page;
	}

	/** Gives a page back, with the next {@link flush}. */
	give(page: number): void {
		if (this.#runLength > 0 && this.follows(page, this.#runStart + this.#runLength - 1)) this.#runLength++;
		else {
			this.flush();
			this.#runStart = page;
			this.#runLength = 1;
		}
	}

	/** Gives the host the memory of the pages that were given back. Before the lock is. */
	flush(): void {
		if (this.#runLength === 0) return;
		const start = this.#address + BigInt(this.#runStart) * BigInt(pageBytes);
		advise(start, this.#runLength * pageBytes, Advice.DONTNEED);
		// The first is taken first again, so that what is written in order lies in order.
		for (let page = this.#runStart + this.#runLength - 1; page >= this.#runStart; page--) this.#free(page);
		this.header.taken -= this.#runLength;
		this.#runLength = 0;
	}

	/** Has exactly these pages be taken, of those that ever were: for what comes from a snapshot. */
	restore(taken: Uint8Array): void {
		const {header, saved} = this;
		header.taken = 0;
		for (let page = saved.touched - 1; page > 0; page--) {
			if (taken[page] === 0) this.#free(page);
			else header.taken++;
		}
	}

	#free(page: number): void {
		this.#next[page] = this.header.free;
		this.header.free = page;
	}
}
