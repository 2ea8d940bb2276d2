import {addressOf} from '#support/ffi';
import {lock, unlock} from '#support/shared-memory';
import {OverlayHeader, OverlayPages, pageBytes, pagesOverhead} from './overlay-pages.ts';

const sectorBytes = 512;
/** Pages that one table has: its words are a page too. */
const tablePages = pageBytes / 4;
/** Part of a disk that one table is for. */
const spanBytes = tablePages * pageBytes;
/** Tables that a disk may have. */
const mostSpans = 2 ** 22;
const allSectors = 0xff;
const lockWord = OverlayHeader.word('lock');

/** Longest disk that an overlay is for: 16 TiB. */
export const mostDiskBytes = mostSpans * spanBytes;
/** Most memory that one may take, its tables with it. */
export const mostOverlayBytes = 2 ** 34;

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
		const count = pagesOf(limitBytes);
		return pagesOverhead(count) + mostSpans * 4 + (count + 1) * pageBytes;
	}

	/** @param offset - a multiple of 8 */
	constructor(memory: SharedArrayBuffer, offset: number, limitBytes: number) {
		const count = pagesOf(limitBytes);
		const spans = offset + pagesOverhead(count);
		const end = spans + mostSpans * 4;
		const skipped = (pageBytes - ((Number(addressOf(memory) % BigInt(pageBytes)) + end) % pageBytes)) % pageBytes;
		this.#spans = new Int32Array(memory, spans, mostSpans);
		this.#pages = new OverlayPages(memory, offset, end + skipped, count);
		this.chunk = this.#pages.chunk(0);
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
			const page = word >>> 8 || this.#pages.take();
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

	/** The table of the span that a byte is in; 0 when there is no room for one. */
	#table(offset: number): number {
		const index = Math.floor(offset / spanBytes);
		const span = this.#spans[index] as number;
		if (span > 0) return span;
		const table = this.#pages.take();
		if (table === 0) return 0;
		if (span === Span.ZEROS) {
			const first = this.#pages.firstWord(table);
			this.#pages.words(table).fill(allSectors, first, first + tablePages);
		}
		this.#spans[index] = table;
		return table;
	}

	#setSpan(index: number, value: number): void {
		const table = this.#spans[index] as number;
		if (table > 0) {
			const words = this.#pages.words(table);
			const first = this.#pages.firstWord(table);
			for (let page = first; page < first + tablePages; page++) this.#giveOf(words[page] as number);
			this.#pages.give(table);
		}
		this.#spans[index] = value;
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
		for (let page = start; page < start + tablePages; page++) if (words[page] !== 0) return;
		this.#setSpan(index, Span.EMPTY);
	}
}

function contentOf(word: number, sector: number): Content {
	if ((word & (1 << sector)) === 0) return Content.ABSENT;
	return word >>> 8 === 0 ? Content.ZEROS : Content.DATA;
}
