import {Advice, addressOf, advise} from '#support/ffi';
import {i32, type ViewOf, wire} from '#support/wire';

/** Unit in which memory is taken and given back: a page of the host's. */
export const pageBytes = 4096;
/** Memory is seen through buffers of this length, so that offsets in them are small integers to V8. No run of pages crosses them. */
const chunkPages = 2 ** 18;
const wordsPerPage = pageBytes / 4;

/** What the threads have in common. */
export const OverlayHeader = wire('overlay', {
	/** See `lock`. */
	lock: i32,
	/** Pages that were ever taken, page 0 with them, which nobody gets. */
	touched: i32,
	/** First of the pages that were given back, 0 for none. */
	free: i32,
	/** Pages that are taken. */
	taken: i32,
});

/** Bytes before so many pages: the header, and which page was given back before each. */
export const pagesOverhead = (count: number): number => OverlayHeader.byteLength + Math.ceil(count / 2) * 8;

/**
 * Pages in memory that threads share. They hold zeros when they are taken, and the host has the memory of those that are not. Who
 * calls has the lock.
 */
export class OverlayPages {
	readonly count: number;
	readonly header: ViewOf<typeof OverlayHeader>;
	readonly #next: Int32Array;
	readonly #chunks: readonly Buffer[];
	readonly #words: readonly Int32Array[];
	readonly #address: bigint;
	/** Pages that are given back together, by one call. */
	#runStart = 0;
	#runLength = 0;

	/**
	 * @param offset - of the header
	 * @param pages - offset of the first page, a multiple of a page as an address
	 */
	constructor(memory: SharedArrayBuffer, offset: number, pages: number, count: number) {
		this.count = count;
		this.header = OverlayHeader.on(memory, offset);
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
		const {header} = this;
		const free = header.free;
		let page = free;
		if (free !== 0) header.free = this.#next[free] as number;
		else {
			page = Math.max(1, header.touched);
			if (page >= this.count) {
				if (this.#runLength === 0) return 0;
				this.flush();
				return this.take();
			}
			header.touched = page + 1;
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
		const {header} = this;
		const bytes = this.#runLength * pageBytes;
		if (advise(start, bytes, Advice.DONTNEED) < 0) {
			const at = this.start(this.#runStart);
			this.chunk(this.#runStart).fill(0, at, at + bytes);
		}
		// The first is taken first again, so that what is written in order lies in order.
		for (let page = this.#runStart + this.#runLength - 1; page >= this.#runStart; page--) {
			this.#next[page] = header.free;
			header.free = page;
		}
		header.taken -= this.#runLength;
		this.#runLength = 0;
	}
}
