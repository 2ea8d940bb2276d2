import {errorTable} from '#support/errors';
import {addressOf, Mmap, mapOver} from '#support/ffi';
import {lock, unlock} from '#support/shared-memory';
import {Found, OverlayHeader, OverlayPages, pageBytes, pagesOverhead} from './overlay-pages.ts';

const sectorBytes = 512;
/** A table is a page of words, each of which is for a page. */
const wordsPerPage = pageBytes / 4;
/** Part of a disk that one table is for. */
const spanBytes = wordsPerPage * pageBytes;
/** Tables that a disk may have. */
const mostSpans = 2 ** 22;
const allSectors = 0xff;
const lockWord = OverlayHeader.word('lock');

/** Longest disk that an overlay is for: 16 TiB. */
export const mostDiskBytes = mostSpans * spanBytes;
/** Most memory that one may take, its tables with it. A device's memory is of 16 GiB at most. */
export const mostOverlayBytes = 15 * 2 ** 30;

const overlayError = errorTable({
	DISK_OVERLAY_DAMAGED: () => ({
		message: 'What the snapshot has of a memdiff disk is damaged: its tables make no sense',
		remedy: 'Use a snapshot that is whole, or make it again with save-snapshot',
	}),
});

/** What an overlay has of a range. */
export const Content = {
	/** Nothing: it is as it was below. */
	ABSENT: 0,
	ZEROS: 1,
	DATA: 2,
} as const;
type Content = (typeof Content)[keyof typeof Content];

/** A span's word: no table and nothing in it, or no table and all of it zeros; else its table's page. */
const Span = {EMPTY: 0, ZEROS: -1} as const;

/** Page 0 is nobody's. */
const pagesOf = (limitBytes: number): number => Math.floor(limitBytes / pageBytes) + 1;

/** Of what snapshots have, before the pages: a page for its header, and the spans. */
const spansOffset = pageBytes;
const pagesOffset = spansOffset + mostSpans * 4;

/**
 * The sectors of a disk that are not as they are below, in memory that the workers share. It is a table of tables: a word for each 4 MiB of
 * the disk, and for such a span one for each page, of which the lower 8 bits say which of its sectors are here, and the upper 24 in which
 * page they are, 0 for zeros. Whoever looks or changes has it locked meanwhile.
 */
export class Overlay {
	readonly #pages: OverlayPages;
	readonly #spans: Int32Array;
	/** Of {@link look}: what a range begins with, and where data lie. */
	content: Content = Content.ABSENT;
	chunk: Buffer;
	start = 0;

	/** Bytes of shared memory for one that takes so many at most; most of them are never touched. */
	static sharedBytes(limitBytes: number): number {
		const {length} = Overlay.savedPart(0, limitBytes);
		return pagesOverhead(pagesOf(limitBytes)) + pageBytes + length;
	}

	/** The part of its shared memory that snapshots have. It begins alike whatever the limit is. */
	static savedPart(offset: number, limitBytes: number): {readonly offset: number; readonly length: number} {
		const count = pagesOf(limitBytes);
		const start = Math.ceil((offset + pagesOverhead(count)) / pageBytes) * pageBytes;
		return {offset: start, length: pagesOffset + count * pageBytes};
	}

	/**
	 * @param memory - zero at first, but for the {@link savedPart}, which may be a snapshot's
	 * @param offset - a multiple of 8
	 * @throws VmmError DISK_OVERLAY_DAMAGED
	 */
	constructor(memory: SharedArrayBuffer, offset: number, limitBytes: number) {
		const {offset: saved} = Overlay.savedPart(offset, limitBytes);
		this.#spans = new Int32Array(memory, saved + spansOffset, mostSpans);
		this.#pages = new OverlayPages(memory, offset, saved, saved + pagesOffset, pagesOf(limitBytes));
		this.chunk = this.#pages.chunk(0);
		const {header} = this.#pages;
		const isLocked = this.lock();
		if (isLocked && header.found === Found.UNKNOWN) header.found = this.#restore() ? Found.RIGHT : Found.WRONG;
		if (isLocked) this.unlock();
		if (header.found !== Found.RIGHT) throw overlayError('DISK_OVERLAY_DAMAGED', {});
	}

	/** Bytes of memory that it has now, tables with them. */
	get bytes(): number {
		return this.#pages.header.taken * pageBytes;
	}

	/** Keeps others out, for as long as it takes to copy a request's data. @returns false where another does not come back */
	lock(): boolean {
		return lock(this.#pages.header.$atomic, lockWord);
	}

	unlock(): void {
		this.#pages.flush();
		unlock(this.#pages.header.$atomic, lockWord);
	}

	/**
	 * Looks what a range begins with: {@link content}, and for data {@link chunk} and {@link start}.
	 * @returns how many of its bytes are so, and follow each other in memory
	 */
	look(offset: number, length: number): number {
		const span = this.#spans[Math.floor(offset / spanBytes)] as number;
		const within = offset % spanBytes;
		const most = Math.min(length, spanBytes - within);
		if (span <= 0) {
			this.content = span === Span.EMPTY ? Content.ABSENT : Content.ZEROS;
			return most;
		}
		const words = this.#pages.words(span);
		const first = this.#pages.firstWord(span);
		let index = Math.floor(within / pageBytes);
		let sector = (within % pageBytes) / sectorBytes;
		let word = words[first + index] as number;
		const content = contentOf(word, sector);
		this.content = content;
		let page = word >>> 8;
		if (content === Content.DATA) {
			this.chunk = this.#pages.chunk(page);
			this.start = this.#pages.start(page) + sector * sectorBytes;
		}
		for (let done = 0; ; ) {
			for (; sector < 8; sector++) {
				if (done === most || contentOf(word, sector) !== content) return done;
				done += sectorBytes;
			}
			if (done === most) return done;
			sector = 0;
			word = words[first + ++index] as number;
			if (content === Content.DATA && !this.#pages.follows(word >>> 8, page)) return done;
			page = word >>> 8;
		}
	}

	/**
	 * Takes memory for what a range begins with, so that it is {@link Content.DATA} in {@link chunk} and {@link start}, and is to be
	 * filled before the lock is given back.
	 * @returns how many of its bytes follow each other in memory; 0 when there is no room
	 */
	claim(offset: number, length: number): number {
		const table = this.#table(offset);
		if (table === 0) return 0;
		const words = this.#pages.words(table);
		const first = this.#pages.firstWord(table);
		const within = offset % spanBytes;
		const most = Math.min(length, spanBytes - within);
		let index = Math.floor(within / pageBytes);
		let sector = (within % pageBytes) / sectorBytes;
		let before = 0;
		for (let done = 0; done < most; index++) {
			const word = words[first + index] as number;
			const page = word >>> 8 || this.#takePage(word);
			if (page === 0) return done;
			const count = Math.min(8 - sector, (most - done) / sectorBytes);
			const mask = ((1 << count) - 1) << sector;
			// Of a page that was taken in vain all is as it was.
			words[first + index] =
				(page << 8) | (word & allSectors) | (done === 0 || this.#pages.follows(page, before) ? mask : 0);
			if (done === 0) {
				this.chunk = this.#pages.chunk(page);
				this.start = this.#pages.start(page) + sector * sectorBytes;
			} else if (!this.#pages.follows(page, before)) return done;
			before = page;
			done += count * sectorBytes;
			sector = 0;
		}
		return most;
	}

	/** Has a range be zeros. @returns false when there is no room for its tables */
	zero(offset: number, length: number): boolean {
		for (let done = 0; done < length; ) {
			const at = offset + done;
			const count = Math.min(length - done, spanBytes - (at % spanBytes));
			if (count === spanBytes) this.#setSpan(Math.floor(at / spanBytes), Span.ZEROS);
			else if (!this.#zeroPart(at, count)) return false;
			done += count;
		}
		return true;
	}

	/** Forgets the whole pages of a range, which are as below then. */
	drop(offset: number, length: number): void {
		const end = Math.floor((offset + length) / pageBytes) * pageBytes;
		for (let at = Math.ceil(offset / pageBytes) * pageBytes; at < end; ) {
			const index = Math.floor(at / spanBytes);
			const count = Math.min(end - at, spanBytes - (at % spanBytes));
			const span = this.#spans[index] as number;
			if (count === spanBytes) this.#setSpan(index, Span.EMPTY);
			else if (span > 0) this.#dropPart(index, span, at, count);
			// What is left of zeros without a table would need one, which may find no room: they stay zeros.
			at += count;
		}
	}

	/** A page for what was none: sectors of it that are zeros already lie in it from now on. 0 when there is no room. */
	#takePage(word: number): number {
		const page = this.#pages.take();
		if (page === 0 || (word & allSectors) === 0) return page;
		const at = this.#pages.start(page);
		this.#pages.chunk(page).fill(0, at, at + pageBytes);
		return page;
	}

	/** The table of the span that a byte is in; 0 when there is no room for one. */
	#table(offset: number): number {
		const index = Math.floor(offset / spanBytes);
		const span = this.#spans[index] as number;
		if (span > 0) return span;
		const table = this.#pages.take();
		if (table === 0) return 0;
		const first = this.#pages.firstWord(table);
		this.#pages.words(table).fill(span === Span.ZEROS ? allSectors : 0, first, first + wordsPerPage);
		this.#changeSpan(index, table);
		return table;
	}

	#changeSpan(index: number, value: number): void {
		const {saved} = this.#pages;
		if (index >= saved.spans) saved.spans = (Math.floor(index / wordsPerPage) + 1) * wordsPerPage;
		this.#spans[index] = value;
	}

	/**
	 * Looks through what a snapshot had, which may be anybody's: each page that is led to is one, and led to once. The file may be written to
	 * later; so what leads anywhere is first made a copy of its own, by writing to it. @returns false where something makes no sense
	 */
	#restore(): boolean {
		const {saved, count} = this.#pages;
		ownPage(saved.$atomic, 0);
		const {touched, spans} = saved;
		if (touched < 0 || touched > count || spans < 0 || spans > mostSpans || spans % wordsPerPage !== 0) return false;
		this.#forgetSpans(spans);
		const taken = new Uint8Array(touched);
		const isTaken = (page: number): boolean => {
			if (page <= 0 || taken[page] !== 0) return false;
			taken[page] = 1;
			return true;
		};
		for (let index = 0; index < spans; index++) {
			if (index % wordsPerPage === 0) ownPage(this.#spans, index);
			const table = this.#spans[index] as number;
			if (table === Span.EMPTY || table === Span.ZEROS) continue;
			if (!isTaken(table)) return false;
			const words = this.#pages.words(table);
			const first = this.#pages.firstWord(table);
			ownPage(words, first);
			for (let word = first; word < first + wordsPerPage; word++) {
				const page = (words[word] as number) >>> 8;
				if (page !== 0 && !isTaken(page)) return false;
			}
		}
		this.#pages.restore(taken);
		return true;
	}

	/** Has the spans from one on be empty, whatever a snapshot has there, without a look at them. */
	#forgetSpans(first: number): void {
		const left = this.#spans.subarray(first);
		if (left.length === 0) return;
		const flags = Mmap.PRIVATE | Mmap.ANONYMOUS | Mmap.NORESERVE;
		mapOver(addressOf(left), left.byteLength, {protection: Mmap.PROT_READ | Mmap.PROT_WRITE, flags, fd: -1});
	}

	#setSpan(index: number, value: number): void {
		const table = this.#spans[index] as number;
		if (table > 0) {
			const words = this.#pages.words(table);
			const first = this.#pages.firstWord(table);
			for (let page = first; page < first + wordsPerPage; page++) this.#giveOf(words[page] as number);
			this.#pages.give(table);
		}
		this.#changeSpan(index, value);
	}

	#giveOf(word: number): void {
		if (word >>> 8 !== 0) this.#pages.give(word >>> 8);
	}

	#zeroPart(offset: number, length: number): boolean {
		if (this.#spans[Math.floor(offset / spanBytes)] === Span.ZEROS) return true;
		const table = this.#table(offset);
		if (table === 0) return false;
		const words = this.#pages.words(table);
		const first = this.#pages.firstWord(table);
		let index = Math.floor((offset % spanBytes) / pageBytes);
		let sector = (offset % pageBytes) / sectorBytes;
		for (let done = 0; done < length; index++) {
			const word = words[first + index] as number;
			const count = Math.min(8 - sector, (length - done) / sectorBytes);
			if (count === 8) {
				this.#giveOf(word);
				words[first + index] = allSectors;
			} else {
				const page = word >>> 8;
				const at = this.#pages.start(page) + sector * sectorBytes;
				if (page !== 0) this.#pages.chunk(page).fill(0, at, at + count * sectorBytes);
				words[first + index] = word | (((1 << count) - 1) << sector);
			}
			done += count * sectorBytes;
			sector = 0;
		}
		return true;
	}

	#dropPart(index: number, table: number, offset: number, length: number): void {
		const words = this.#pages.words(table);
		const start = this.#pages.firstWord(table);
		const first = start + (offset % spanBytes) / pageBytes;
		for (let page = first; page < first + length / pageBytes; page++) {
			this.#giveOf(words[page] as number);
			words[page] = 0;
		}
		for (let page = start; page < start + wordsPerPage; page++) if (words[page] !== 0) return;
		this.#setSpan(index, Span.EMPTY);
	}
}

/** Has the kernel copy the page that a word is in, where it is a file's. */
const ownPage = (words: Int32Array, index: number): void => void Atomics.add(words, index, 0);

function contentOf(word: number, sector: number): Content {
	if ((word & (1 << sector)) === 0) return Content.ABSENT;
	return word >>> 8 === 0 ? Content.ZEROS : Content.DATA;
}
