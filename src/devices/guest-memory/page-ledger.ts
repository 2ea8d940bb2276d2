import type {LedgerPlace, MappedRange} from './memory-range.ts';
import {agingSpan, isAfter, type PageClock} from './page-clock.ts';
import type {PageWatch} from './page-watch.ts';

/** The unit of generations in bytes. */
export const pageBytes = 4096;
/** Pages that share a word which says when one of them was written last. */
const groupPages = 512;

/** The count of pins has a cache line of its own. */
const pinWords = 16;
const closed = -(2 ** 31);

const pagesOf = (length: number): number => Math.ceil(length / pageBytes);
const groupsOf = (length: number): number => Math.ceil(pagesOf(length) / groupPages);

/** Bytes that the ledger of a range takes, a multiple of 64. */
export const ledgerBytes = (length: number): number =>
	Math.ceil((pinWords + groupsOf(length) + pagesOf(length)) / 16) * 64;

/** Stamps of the writes to the pages of a part of a range, which all threads share. */
export class PageStamps {
	readonly #clock: PageClock;
	readonly #groups: Int32Array;
	readonly #pages: Int32Array;
	readonly #watch: PageWatch | undefined;
	/** Where in the memory of RAM the part begins. */
	readonly #place: number;

	/** @param start - where in the range the part begins, a multiple of the bytes of a group */
	constructor(
		{ledger, offset: place, length: rangeLength}: MappedRange,
		start: number,
		length: number,
		clock: PageClock,
		watch?: PageWatch,
	) {
		const {memory, offset} = ledger;
		const groups = offset + pinWords * 4;
		const pages = groups + groupsOf(rangeLength) * 4;
		this.#clock = clock;
		this.#watch = watch;
		this.#place = place + start;
		this.#groups = new Int32Array(memory.buffer, groups + groupsOf(start) * 4, groupsOf(length));
		this.#pages = new Int32Array(memory.buffer, pages + pagesOf(start) * 4, pagesOf(length));
	}

	/** Stamps the pages of bytes that have been written, after they have been, and tells processors that remember them. */
	mark(offset: number, length: number): void {
		this.stamp(offset, length);
		this.#watch?.written(this.#place + offset, length);
	}

	/** Stamps the pages of bytes. */
	stamp(offset: number, length: number): void {
		// With its sign: no bytes at the start of a piece end on the page before.
		const last = (offset + length - 1) >> 12;
		const stamp = this.#clock.stamp();
		for (let page = offset >>> 12; page <= last; page++) if (this.#pages[page] !== stamp) this.#stampPage(page);
	}

	/** Calls `visit` for runs of pages from `first` to `last` that were written after a generation; skips groups that were not. */
	after(since: number, first: number, last: number, visit: (page: number, count: number) => void): void {
		if (this.#clock.hasForgotten(since)) {
			visit(first, last + 1 - first);
			return;
		}
		let start = -1;
		const end = (page: number) => {
			if (start >= 0) visit(start, page - start);
			start = -1;
		};
		for (let page = first; page <= last; ) {
			const group = Math.floor(page / groupPages);
			const next = Math.min((group + 1) * groupPages, last + 1);
			if (isAfter(Atomics.load(this.#groups, group), since)) {
				for (; page < next; page++) {
					if (!isAfter(Atomics.load(this.#pages, page), since)) end(page);
					else if (start < 0) start = page;
				}
			} else {
				end(page);
				page = next;
			}
		}
		end(last + 1);
	}

	/** Brings stamps that are older than {@link agingSpan} generations up to that; every such span, so that none wraps around. */
	age(generation: number): void {
		const oldest = (generation - agingSpan) | 0;
		for (const words of [this.#groups, this.#pages]) {
			for (let index = 0; index < words.length; index++) {
				const stamp = Atomics.load(words, index);
				if (!isAfter(stamp, oldest)) Atomics.compareExchange(words, index, stamp, oldest);
			}
		}
	}

	/**
	 * Repeats until both words have the stamp of a clock that has stood still meanwhile: else who has moved it on may have looked
	 * before they had it, and would not find the page later either. A stamp replaces what was there before the clock was
	 * read, never a newer one.
	 */
	#stampPage(page: number): void {
		const group = Math.floor(page / groupPages);
		for (;;) {
			const ofGroup = Atomics.load(this.#groups, group);
			const ofPage = Atomics.load(this.#pages, page);
			const stamp = this.#clock.stamp();
			if (ofGroup === stamp && ofPage === stamp) return;
			if (ofGroup !== stamp) Atomics.compareExchange(this.#groups, group, ofGroup, stamp);
			if (ofPage !== stamp) Atomics.compareExchange(this.#pages, page, ofPage, stamp);
		}
	}
}

/** Number of parties that use a range's host memory by its address; shared by all threads. */
export class PinCount {
	readonly #word: Int32Array;

	constructor({memory, offset}: LedgerPlace) {
		this.#word = new Int32Array(memory.buffer, offset, 1);
	}

	/** One more; false, and not counted, when the memory is on its way out. */
	take(): boolean {
		if (Atomics.add(this.#word, 0, 1) >= 0) return true;
		this.release();
		return false;
	}

	/** One less. */
	release(): void {
		if (Atomics.sub(this.#word, 0, 1) === closed + 1) Atomics.notify(this.#word, 0);
	}

	/** Number of parties. */
	get count(): number {
		return Atomics.load(this.#word, 0) & ~closed;
	}

	/** Lets nobody in any more, and resolves when the last one is gone, however long that takes. */
	async close(): Promise<void> {
		Atomics.or(this.#word, 0, closed);
		for (let now = closed; ; ) {
			now = Atomics.load(this.#word, 0);
			if (now === closed) return;
			await Atomics.waitAsync(this.#word, 0, now).value;
		}
	}
}
