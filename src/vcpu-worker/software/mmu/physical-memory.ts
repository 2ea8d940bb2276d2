import {
	type Lines,
	linesOf,
	type MappedMemory,
	PageStamps,
	PageWatch,
	type PageWatchHandle,
} from '#devices/guest-memory';
import type {PageJournal} from './page-journal.ts';

/** A range of guest-physical addresses that is RAM. */
interface RamRange {
	readonly gpa: number;
	readonly length: number;
	/** Offset in the memory that all of RAM is in. */
	readonly offset: number;
	readonly stamps: PageStamps;
}

/** Arrays of words that `Atomics` takes, by their size; those of eight bytes hold bigints. */
const wordArrays = {1: Uint8Array, 2: Uint16Array, 4: Uint32Array} as const;

/** True for a word at a multiple of its size. */
const isWord = (place: number, length: number): length is 2 | 4 | 8 =>
	(length === 2 || length === 4 || length === 8) && place % length === 0;

/**
 * Guest RAM as one processor has it: by physical address for page walks, descriptors and fetches, and by *place*, the offset in the
 * memory that all of it lies in, for loads and stores.
 */
export class PhysicalMemory {
	/** Tells this processor and others of writes to code that they have decoded. */
	readonly watch: PageWatch;
	/** Takes note of pages before code stores there. Undefined: nobody wants to know. */
	journal: PageJournal | undefined;
	/** The memory that all of RAM is in. */
	readonly buffer: SharedArrayBuffer;
	/** Parts of RAM, as walks in generated code know them. */
	readonly parts: readonly {readonly begin: bigint; readonly bytes: bigint; readonly place: bigint}[];
	readonly #ranges: readonly RamRange[];
	readonly #words: Int32Array;
	readonly #quads: BigUint64Array;
	readonly #bytes: Uint8Array;
	/** Holds a word only within one call. */
	readonly #word = new DataView(new ArrayBuffer(8));

	/**
	 * @param memory - whose ranges are all in one memory
	 * @param self - the processor's number
	 */
	constructor(memory: MappedMemory, watch: PageWatchHandle, self: number) {
		this.#ranges = memory.ranges.map((range) => ({
			gpa: range.gpa,
			length: range.length,
			offset: range.offset,
			stamps: new PageStamps(range, 0, range.length, memory.clock),
		}));
		this.parts = this.#ranges.map(({gpa, length, offset}) => ({
			begin: BigInt(gpa),
			bytes: BigInt(length),
			place: BigInt(offset),
		}));
		this.buffer = memory.ranges[0]?.memory.buffer ?? new SharedArrayBuffer(0);
		this.#words = new Int32Array(this.buffer);
		this.#quads = new BigUint64Array(this.buffer);
		this.#bytes = new Uint8Array(this.buffer);
		this.watch = new PageWatch(watch, self);
	}

	/** Gives the place of a physical address in RAM; -1 where it is none. */
	placeOf(gpa: number): number {
		for (const range of this.#ranges) {
			const at = gpa - range.gpa;
			if (at >= 0 && at < range.length) return range.offset + at;
		}
		return -1;
	}

	/** A page's bytes; undefined where it is not RAM. */
	page(gpa: number): Uint8Array | undefined {
		const place = this.placeOf(gpa);
		return place < 0 ? undefined : new Uint8Array(this.buffer, place, 4096);
	}

	/** Tells whether a place has bytes of `bytes`, from one index to before another. */
	has(place: number, bytes: Uint8Array, from: number, to: number): boolean {
		for (let index = from; index < to; index++) if (this.#bytes[place + index - from] !== bytes[index]) return false;
		return true;
	}

	/** The aligned 32-bit word there; all ones where it is not RAM, as an absent device reads. */
	word(gpa: number): number {
		const place = this.placeOf(gpa);
		return place < 0 ? -1 : Atomics.load(this.#words, place / 4);
	}

	/** The aligned 64-bit word there, whole. */
	quad(gpa: number): bigint {
		const place = this.placeOf(gpa);
		return place < 0 ? 2n ** 64n - 1n : Atomics.load(this.#quads, place / 8);
	}

	/** Sets bits in the aligned word that was read as `expected`; false where another has changed it meanwhile. */
	setBits(gpa: number, expected: number, bits: number): boolean {
		const place = this.placeOf(gpa);
		if (place < 0) return true;
		this.journal?.mark(place, bits);
		if (Atomics.compareExchange(this.#words, place / 4, expected, expected | bits) !== expected) return false;
		this.stored(place, 4);
		return true;
	}

	/** Stores a value of 1, 2, 4 or 8 bytes at an aligned place that holds what is expected. @returns what it held */
	compareExchange(place: number, bytes: number, expected: bigint, value: bigint): bigint {
		let found: bigint;
		this.journal?.keep(place);
		if (bytes === 8) found = Atomics.compareExchange(new BigUint64Array(this.buffer, place, 1), 0, expected, value);
		else {
			const words = new wordArrays[bytes as 1](this.buffer, place, 1);
			found = BigInt(Atomics.compareExchange(words, 0, Number(expected), Number(value)));
		}
		if (found === expected) this.stored(place, bytes);
		return found;
	}

	/**
	 * Copies `length` bytes, at most to the end of the page. A word at a multiple of its size is whole (SDM volume 3, 9.1.1), and so is
	 * what crosses no multiple of 8.
	 */
	read(place: number, length: number, target: Uint8Array): void {
		const shift = place % 8;
		if (!isWord(place, length)) {
			if (length > 1 && shift + length <= 8) {
				const word = this.#word;
				word.setBigUint64(0, Atomics.load(this.#quads, (place - shift) / 8), true);
				for (let index = 0; index < length; index++) target[index] = word.getUint8(shift + index);
				return;
			}
			target.set(new Uint8Array(this.buffer, place, length));
			return;
		}
		const word = this.#word;
		if (length === 8) word.setBigUint64(0, Atomics.load(new BigUint64Array(this.buffer, place, 1), 0), true);
		else word.setUint32(0, Atomics.load(new wordArrays[length as 2](this.buffer, place, 1), 0), true);
		for (let index = 0; index < length; index++) target[index] = word.getUint8(index);
	}

	/** Stores bytes, at most to the end of the page. What {@link read} has whole is stored whole. */
	write(place: number, source: Uint8Array): void {
		const {length} = source;
		this.journal?.keep(place);
		if (!isWord(place, length)) {
			if (length > 1 && (place % 8) + length <= 8) this.#writeWithin(place, source);
			else new Uint8Array(this.buffer, place, length).set(source);
		} else {
			const word = this.#word;
			for (let index = 0; index < length; index++) word.setUint8(index, source[index] as number);
			if (length === 8) Atomics.store(new BigUint64Array(this.buffer, place, 1), 0, word.getBigUint64(0, true));
			else Atomics.store(new wordArrays[length as 2](this.buffer, place, 1), 0, word.getUint32(0, true));
		}
		this.stored(place, length);
	}

	/** Stores bytes of one multiple of 8 with what others store beside them meanwhile. */
	#writeWithin(place: number, source: Uint8Array): void {
		const shift = place % 8;
		const at = (place - shift) / 8;
		const word = this.#word;
		let expected = Atomics.load(this.#quads, at);
		for (;;) {
			word.setBigUint64(0, expected, true);
			for (let index = 0; index < source.length; index++) word.setUint8(shift + index, source[index] as number);
			const found = Atomics.compareExchange(this.#quads, at, expected, word.getBigUint64(0, true));
			if (found === expected) return;
			expected = found;
		}
	}

	/** An aligned word of 32 bits, signed, as nobody need have it whole with others. */
	readInt(place: number): number {
		return this.#words[place / 4] as number;
	}

	/** Stores 64 bits at a multiple of 8, whose writers need tell nobody. */
	writeHalves(place: number, low: number, high: number): void {
		this.#words[place / 4] = low;
		this.#words[place / 4 + 1] = high;
	}

	/** Stores words at an aligned place in one page, whose writers need tell nobody. */
	storeInts(place: number, source: Int32Array, from: number, count: number): void {
		for (let index = 0; index < count; index++) this.#words[place / 4 + index] = source[from + index] as number;
	}

	/** Reads them. */
	loadInts(place: number, target: Int32Array, to: number, count: number): void {
		for (let index = 0; index < count; index++) target[to + index] = this.#words[place / 4 + index] as number;
	}

	/** A value of up to 8 bytes in one page. */
	readWord(place: number, bytes: number): bigint {
		const words = this.#quads;
		if (bytes === 8 && place % 8 === 0) return words[place / 8] as bigint;
		const shift = place % 8;
		const first = (words[Math.floor(place / 8)] as bigint) >> BigInt(shift * 8);
		const whole =
			shift + bytes <= 8 ? first : first | ((words[Math.floor(place / 8) + 1] as bigint) << BigInt((8 - shift) * 8));
		return BigInt.asUintN(bytes * 8, whole);
	}

	/** Stores a value of up to 8 bytes in one page, whose writers need tell nobody. */
	writeWord(place: number, bytes: number, value: bigint): void {
		if (bytes === 8 && place % 8 === 0) {
			this.#quads[place / 8] = value;
			return;
		}
		for (let index = 0; index < bytes; index++)
			this.#bytes[place + index] = Number((value >> BigInt(index * 8)) & 0xffn);
	}

	/** Stamps a page as written, which stores are about to reach without this. */
	stamp(place: number): void {
		for (const {offset, length, stamps} of this.#ranges)
			if (place >= offset && place < offset + length) stamps.stamp(place - offset, 1);
	}

	/** Bytes of one page have been stored to. */
	stored(place: number, length: number): void {
		this.stamp(place);
		this.watch.written(place, length);
	}
}

/** Lines of a page that bytes lie in. */
export function linesIn(offset: number, length: number): Lines {
	const lines = {low: 0, high: 0};
	linesOf(offset, length, lines);
	return lines;
}
