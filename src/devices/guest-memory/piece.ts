import {Advice, advise} from '#support/ffi';
import type {MappedRange} from './memory-range.ts';
import type {PageClock} from './page-clock.ts';
import {PageStamps, PinCount, pageBytes} from './page-ledger.ts';
import type {PageWatch} from './page-watch.ts';

/**
 * 64 bits as a number, moved by one access of the host's and without a bigint: as a double, whose halves are then looked at.
 * A double that is no number may lose one bit on the way; as an unsigned number it is far beyond 2^53.
 */

/** Holds a value only within one call. */
const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);

/** The number that the bits of a double are; rounded beyond 2^53. */
function numberOf(bits: number): number {
	double[0] = bits;
	return (halves[1] as number) * 2 ** 32 + (halves[0] as number);
}

/** The double that has the bits of a whole number up to 2^53. */
function doubleOf(value: number): number {
	halves[0] = value;
	halves[1] = value / 2 ** 32;
	return double[0] as number;
}

/** No piece is larger, so that offsets in it are small integers to V8, which it does not allocate. */
export const pieceBytes = 2 ** 30;

/** Fewer bytes are copied by a loop, which costs 1 ns each; Node's own copy costs some 45 ns and then nearly nothing. */
const fewBytes = 40;

/**
 * A piece of a range of RAM as one thread has it. Offsets are within the piece; whoever calls has made sure of that. Aligned
 * accesses are made by typed arrays: a DataView's are byte by byte until they are compiled.
 */
export class Piece {
	readonly range: MappedRange;
	/** First guest-physical address. */
	readonly gpa: number;
	readonly length: number;
	/** Host address of the first byte. */
	readonly hostAddress: number;
	readonly pins: PinCount;
	readonly stamps: PageStamps;
	readonly #bytes: Buffer;
	readonly #u16: Uint16Array;
	readonly #u32: Uint32Array;
	readonly #i32: Int32Array;
	readonly #f64: Float64Array;
	readonly #u64: BigUint64Array;
	readonly #view: DataView;

	/** @param start - where in the range it begins, a multiple of {@link pieceBytes} */
	constructor(range: MappedRange, start: number, pins: PinCount, clock: PageClock, watch?: PageWatch) {
		const {gpa, hostAddress, memory, offset} = range;
		const length = Math.min(pieceBytes, range.length - start);
		this.range = range;
		this.gpa = gpa + start;
		this.length = length;
		this.hostAddress = hostAddress + start;
		this.pins = pins;
		this.stamps = new PageStamps(range, start, length, clock, watch);
		const {buffer} = memory;
		this.#bytes = Buffer.from(buffer, offset + start, length);
		this.#u16 = new Uint16Array(buffer, offset + start, length / 2);
		this.#u32 = new Uint32Array(buffer, offset + start, length / 4);
		this.#i32 = new Int32Array(buffer, offset + start, length / 4);
		this.#f64 = new Float64Array(buffer, offset + start, length / 8);
		this.#u64 = new BigUint64Array(buffer, offset + start, length / 8);
		this.#view = new DataView(buffer, offset + start, length);
	}

	/** Splits a range. */
	static of(range: MappedRange, clock: PageClock, watch?: PageWatch): Piece[] {
		const pins = new PinCount(range.ledger);
		const count = Math.ceil(range.length / pieceBytes);
		return Array.from({length: count}, (_, index) => new Piece(range, index * pieceBytes, pins, clock, watch));
	}

	/** Address behind the last byte. */
	get end(): number {
		return this.gpa + this.length;
	}

	readU8(at: number): number {
		return this.#bytes[at] as number;
	}

	readU16(at: number): number {
		return (at & 1) === 0 ? (this.#u16[at >>> 1] as number) : this.#view.getUint16(at, true);
	}

	readU32(at: number): number {
		return (at & 3) === 0 ? (this.#u32[at >>> 2] as number) : this.#view.getUint32(at, true);
	}

	readU64(at: number): number {
		return numberOf((at & 7) === 0 ? (this.#f64[at >>> 3] as number) : this.#view.getFloat64(at, true));
	}

	readBigU64(at: number): bigint {
		return (at & 7) === 0 ? (this.#u64[at >>> 3] as bigint) : this.#view.getBigUint64(at, true);
	}

	writeU8(at: number, value: number): void {
		this.#bytes[at] = value;
		this.stamps.mark(at, 1);
	}

	writeU16(at: number, value: number): void {
		if ((at & 1) === 0) this.#u16[at >>> 1] = value;
		else this.#view.setUint16(at, value, true);
		this.stamps.mark(at, 2);
	}

	writeU32(at: number, value: number): void {
		if ((at & 3) === 0) this.#u32[at >>> 2] = value;
		else this.#view.setUint32(at, value, true);
		this.stamps.mark(at, 4);
	}

	writeU64(at: number, value: number): void {
		if ((at & 7) === 0) this.#f64[at >>> 3] = doubleOf(value);
		else this.#view.setFloat64(at, doubleOf(value), true);
		this.stamps.mark(at, 8);
	}

	writeBigU64(at: number, value: bigint): void {
		if ((at & 7) === 0) this.#u64[at >>> 3] = value;
		else this.#view.setBigUint64(at, value, true);
		this.stamps.mark(at, 8);
	}

	// Words of 32 bits with a sign: V8 allocates those without one when they are given to `Atomics`.

	acquireU16(at: number): number {
		return Atomics.load(this.#u16, at >>> 1);
	}

	acquireU32(at: number): number {
		return Atomics.load(this.#i32, at >>> 2) >>> 0;
	}

	releaseU16(at: number, value: number): void {
		Atomics.store(this.#u16, at >>> 1, value);
		this.stamps.mark(at, 2);
	}

	releaseU32(at: number, value: number): void {
		Atomics.store(this.#i32, at >>> 2, value | 0);
		this.stamps.mark(at, 4);
	}

	compareExchangeU32(at: number, expected: number, value: number): boolean {
		const hasStored = Atomics.compareExchange(this.#i32, at >>> 2, expected | 0, value | 0) === (expected | 0);
		if (hasStored) this.stamps.mark(at, 4);
		return hasStored;
	}

	/** Gives whole pages back to the host. See `GuestMemory`. */
	discard(at: number, length: number, after: 'zeros' | 'anything'): boolean {
		const {discards} = this.range;
		const address = this.hostAddress + at;
		if (discards === undefined || (discards === 'contents' && after === 'zeros')) return false;
		if (address % pageBytes !== 0 || length % pageBytes !== 0) return false;
		const advice = discards === 'hole' ? Advice.REMOVE : Advice.DONTNEED;
		// SAFETY: the piece's own pages, which stay mapped.
		const isDone = advise(BigInt(address), length, advice) >= 0;
		if (isDone) this.stamps.mark(at, length);
		return isDone;
	}

	copyOut(at: number, target: Uint8Array, offset: number, length: number): void {
		if (length < fewBytes) {
			const bytes = this.#bytes;
			for (let index = 0; index < length; index++) target[offset + index] = bytes[at + index] as number;
		} else {
			this.#bytes.copy(target, offset, at, at + length);
		}
	}

	copyWordsOut(at: number, target: Int32Array): void {
		const words = this.#i32;
		const first = at >>> 2;
		for (let index = 0; index < target.length; index++) target[index] = words[first + index] as number;
	}

	copyIn(at: number, source: Uint8Array, offset: number, length: number): void {
		if (length < fewBytes) {
			const bytes = this.#bytes;
			for (let index = 0; index < length; index++) bytes[at + index] = source[offset + index] as number;
		} else {
			Buffer.prototype.copy.call(source, this.#bytes, at, offset, offset + length);
		}
		this.stamps.mark(at, length);
	}

	fill(at: number, length: number, value: number): void {
		this.#bytes.fill(value, at, at + length);
		this.stamps.mark(at, length);
	}

	/** Calls `visit` for runs of bytes from `at` on, in whole pages, that were written after a generation. */
	writtenAfter(since: number, at: number, length: number, visit: (gpa: number, length: number) => void): void {
		const last = Math.floor((at + length - 1) / pageBytes);
		this.stamps.after(since, Math.floor(at / pageBytes), last, (page, count) =>
			visit(this.gpa + page * pageBytes, count * pageBytes),
		);
	}
}
