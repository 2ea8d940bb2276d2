/**
 * Bytes of RAM that processors remember in another form, as code that they have decoded: who writes to them tells all processors. Bytes
 * count in lines of 64, of which a page has as many as two words have bits.
 */

const lineShift = 6;
const pageShift = 12;

/** Writes that the log holds: more than Linux patches at once while others wait. A processor that has missed more forgets all that it remembers. */
const logEntries = 8192;
/** Words before its entries, which begin where one would: writes that were begun, those that no entry has told, and looks at the log. */
const Log = {begun: 0, lost: 1, reads: 2} as const;
/** Words of an entry of the log: its number plus one, page, lower and upper lines, writer; threads that are writing it. */
const Entry = {number: 0, page: 1, low: 2, high: 3, writer: 4, inside: 5, words: 8} as const;

/** A word that a thread sets bits in to tell a processor of a write. */
interface WatcherWord {
	readonly memory: {readonly buffer: SharedArrayBuffer};
	readonly byteOffset: number;
}

/** A machine's watch as threads attach to it: plain data and shared buffers. */
export interface PageWatchHandle {
	/** Two words of lines for each page. Pages are counted by where they lie in the memory of RAM. */
	readonly lines: SharedArrayBuffer;
	/** Words of the log, then its entries. */
	readonly log: SharedArrayBuffer;
	/** A word for each processor, and the bit in it that says that the log has grown. */
	readonly watchers: readonly WatcherWord[];
	readonly bit: number;
}

/** Bytes of {@link PageWatchHandle.lines} for this much RAM. */
export const watchedLinesBytes = (ramBytes: number): number => Math.ceil(ramBytes / 2 ** pageShift) * 8;
/** Bytes of {@link PageWatchHandle.log}. */
export const watchLogBytes = (logEntries + 1) * Entry.words * 4;

/** Lines of a page: the bits of the lower and the upper half. */
export interface Lines {
	low: number;
	high: number;
}

/** Sets `lines` to those that bytes of one page lie in. */
export function linesOf(offset: number, length: number, lines: Lines): void {
	const first = offset >>> lineShift;
	const last = (offset + length - 1) >>> lineShift;
	lines.low = bitsFrom(first, Math.min(last, 31));
	lines.high = bitsFrom(Math.max(first - 32, 0), last - 32);
}

/** Bits from one to another; none where that comes before. */
function bitsFrom(first: number, last: number): number {
	const count = last - first + 1;
	return first > 31 || count <= 0 ? 0 : (count >= 32 ? -1 : (1 << count) - 1) << first;
}

/** The watch as one thread has it. Nothing allocates. */
export class PageWatch {
	readonly #lines: Int32Array;
	readonly #log: Int32Array;
	readonly #watchers: readonly Int32Array[];
	readonly #bit: number;
	/** The processor whose thread this is; -1 for none. */
	readonly #self: number;
	/** Writes that {@link read} has given, but for some behind. */
	#read: number;
	/** Of those that no entry has told. */
	#lost: number;
	readonly #own: Lines = {low: 0, high: 0};

	/** @param self - the processor that runs on this thread, which its own writes are not told */
	constructor({lines, log, watchers, bit}: PageWatchHandle, self = -1) {
		this.#lines = new Int32Array(lines);
		this.#log = new Int32Array(log);
		this.#watchers = watchers.map(({memory, byteOffset}) => new Int32Array(memory.buffer, byteOffset, 1));
		this.#bit = bit;
		this.#self = self;
		this.#lost = Atomics.load(this.#log, Log.lost);
		this.#read = Atomics.load(this.#log, Log.begun);
		Atomics.add(this.#log, Log.reads, 1);
	}

	/** True where some processor remembers bytes of the page. */
	isWatched(page: number): boolean {
		return Atomics.load(this.#lines, page * 2) !== 0 || Atomics.load(this.#lines, page * 2 + 1) !== 0;
	}

	/**
	 * Tells of writes to these lines of a page from now on, once for each line. Before the bytes are read.
	 * @returns whether nobody had watched the page: writers may not know it yet
	 */
	begin(page: number, {low, high}: Lines): boolean {
		const before = Atomics.or(this.#lines, page * 2, low) | Atomics.load(this.#lines, page * 2 + 1);
		return (Atomics.or(this.#lines, page * 2 + 1, high) | before) === 0;
	}

	/** Bytes have been written, from this place in the memory of RAM on. */
	written(place: number, length: number): void {
		for (let done = 0; done < length; ) {
			const at = place + done;
			const page = Math.floor(at / 2 ** pageShift);
			const offset = at % 2 ** pageShift;
			const count = Math.min(length - done, 2 ** pageShift - offset);
			if (this.#lines[page * 2] !== 0 || this.#lines[page * 2 + 1] !== 0) this.#writtenIn(page, offset, count);
			done += count;
		}
	}

	/**
	 * Calls `visit` for writes of others since the last call. One that its writer has not told yet comes with a later call, which that one asks
	 * for then; those behind it come now, and again with it.
	 * @returns false where some are not known any more: whatever is remembered may be wrong
	 */
	read(visit: (page: number, lines: Lines) => void): boolean {
		const log = this.#log;
		const lost = Atomics.load(log, Log.lost);
		const end = Atomics.load(log, Log.begun);
		const own = this.#own;
		let isWhole = lost === this.#lost && (end - this.#read) >>> 0 <= logEntries;
		let next = end;
		for (let count = this.#read; isWhole && count !== end; count = (count + 1) | 0) {
			const at = entryAt(count);
			const number = (count + 1) | 0;
			const isTold = Atomics.load(log, at + Entry.number) === number;
			const page = log[at + Entry.page] as number;
			own.low = log[at + Entry.low] as number;
			own.high = log[at + Entry.high] as number;
			const writer = log[at + Entry.writer];
			if (isTold && Atomics.load(log, at + Entry.number) === number) {
				if (writer !== this.#self || this.#self < 0) visit(page, own);
			} else if ((Atomics.load(log, Log.begun) - count) >>> 0 > logEntries) isWhole = false;
			else if (next === end) next = count;
		}
		this.#lost = lost;
		this.#read = isWhole ? next : end;
		Atomics.add(log, Log.reads, 1);
		return isWhole;
	}

	#writtenIn(page: number, offset: number, length: number): void {
		const own = this.#own;
		linesOf(offset, length, own);
		own.low &= Atomics.load(this.#lines, page * 2);
		own.high &= Atomics.load(this.#lines, page * 2 + 1);
		if ((own.low | own.high) === 0) return;
		const reads = Atomics.load(this.#log, Log.reads);
		// Who writes there once the bits are cleared tells nobody: by then all have been asked to look.
		this.#tell(page, own);
		Atomics.and(this.#lines, page * 2, ~own.low);
		Atomics.and(this.#lines, page * 2 + 1, ~own.high);
		// Who has heard of it meanwhile may remember bytes anew, which nobody watches any more.
		if (Atomics.load(this.#log, Log.reads) !== reads) this.#tell(page, own);
	}

	#tell(page: number, {low, high}: Lines): void {
		const log = this.#log;
		const count = Atomics.add(log, Log.begun, 1);
		const at = entryAt(count);
		// Nobody takes an entry that is half of one write and half of another: while one is being written it has no number, and where
		// another still writes it, since the log has gone round meanwhile, it stays without, and readers forget what they have.
		const isAlone = Atomics.add(log, at + Entry.inside, 1) === 0;
		Atomics.store(log, at + Entry.number, 0);
		if (!isAlone || (Atomics.load(log, Log.begun) - count) >>> 0 > logEntries) Atomics.add(log, Log.lost, 1);
		else {
			log[at + Entry.page] = page;
			log[at + Entry.low] = low;
			log[at + Entry.high] = high;
			log[at + Entry.writer] = this.#self;
			Atomics.store(log, at + Entry.number, (count + 1) | 0);
		}
		Atomics.sub(log, at + Entry.inside, 1);
		for (let index = 0; index < this.#watchers.length; index++)
			if (index !== this.#self) Atomics.or(this.#watchers[index] as Int32Array, 0, this.#bit);
	}
}

const entryAt = (number: number): number => ((number >>> 0) % logEntries) * Entry.words + Entry.words;
