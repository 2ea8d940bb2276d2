import {bytes, i32, type Scalar, type ScalarArray} from '#support/wire';

type RingFields<P extends string> = {readonly [K in `${P}Head` | `${P}Tail`]: Scalar<'i32'>} & {
	readonly [K in `${P}Data`]: ScalarArray<'u8'>;
};

/** Part of the struct around a ring that the ring needs, and of its view. */
interface RingWire<P extends string> {
	word(name: `${P}Head` | `${P}Tail`): number;
}
type RingView<P extends string> = {readonly [K in `${P}Data`]: Uint8Array} & {readonly $atomic: Int32Array};

/**
 * The fields of a byte queue inside a shared struct: `<prefix>Head`, `<prefix>Tail`, `<prefix>Data`.
 * `capacity` must be a power of two.
 */
export function ringFields<const P extends string>(prefix: P, capacity: number): RingFields<P> {
	return {
		[`${prefix}Head`]: i32,
		[`${prefix}Tail`]: i32,
		[`${prefix}Data`]: bytes(capacity).sensitive(),
	} as RingFields<P>;
}

/**
 * A bounded byte queue over {@link ringFields}: one producer and one consumer, on any two threads.
 * Head and tail run freely and wrap at 2^32.
 */
export class ByteRing<P extends string> {
	readonly #words: Int32Array;
	readonly #data: Uint8Array;
	readonly #head: number;
	readonly #tail: number;

	constructor(wire: RingWire<P>, view: RingView<P>, prefix: P) {
		this.#words = view.$atomic;
		this.#data = (view as RingView<string>)[`${prefix}Data`] as Uint8Array;
		this.#head = wire.word(`${prefix}Head`);
		this.#tail = wire.word(`${prefix}Tail`);
	}

	/** Bytes waiting to be read. Within the capacity whatever the words hold: saved state may say anything. */
	get length(): number {
		const distance = (Atomics.load(this.#words, this.#tail) - Atomics.load(this.#words, this.#head)) | 0;
		return Math.max(0, Math.min(distance, this.#data.length));
	}

	/** Bytes that can still be written. */
	get space(): number {
		return this.#data.length - this.length;
	}

	/** Appends one byte; false when full. */
	push(byte: number): boolean {
		if (this.space <= 0) return false;
		const tail = Atomics.load(this.#words, this.#tail);
		this.#data[tail & (this.#data.length - 1)] = byte;
		Atomics.store(this.#words, this.#tail, (tail + 1) | 0);
		return true;
	}

	/** Removes the oldest byte; -1 when empty. */
	shift(): number {
		if (this.length <= 0) return -1;
		const head = Atomics.load(this.#words, this.#head);
		const byte = this.#data[head & (this.#data.length - 1)] as number;
		Atomics.store(this.#words, this.#head, (head + 1) | 0);
		return byte;
	}

	/** The oldest bytes that lie in one piece: read them, then {@link consume} what was used. */
	peek(): Uint8Array {
		const start = Atomics.load(this.#words, this.#head) & (this.#data.length - 1);
		return this.#data.subarray(start, Math.min(this.#data.length, start + this.length));
	}

	/** Drops `count` bytes, at most {@link length}. */
	consume(count: number): void {
		Atomics.store(this.#words, this.#head, (Atomics.load(this.#words, this.#head) + Math.min(count, this.length)) | 0);
	}

	/** Appends as much of `source` as fits; returns how much. */
	write(source: Uint8Array): number {
		const count = Math.min(this.space, source.length);
		const tail = Atomics.load(this.#words, this.#tail);
		for (let i = 0; i < count; i++) this.#data[(tail + i) & (this.#data.length - 1)] = source[i] as number;
		Atomics.store(this.#words, this.#tail, (tail + count) | 0);
		return count;
	}

	/** Drops everything. Only for the consumer, or while neither side runs. */
	clear(): void {
		Atomics.store(this.#words, this.#head, Atomics.load(this.#words, this.#tail));
	}
}
