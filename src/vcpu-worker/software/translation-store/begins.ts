import type {CodeSize} from '#vcpu-worker/software/decode';

const slots = 2 ** 16;
/** Bytes of a page from where a block begins that it is told by: many functions begin with the same few. */
const firstBytes = 16;

const mixed = (value: number): number => {
	const product = Math.imul(value, 0x9e37_79b1);
	return product ^ (product >>> 15);
};

/**
 * Tells any thread whether the store may have a translation that begins like a block: so processors need not ask for each block that could be
 * there. Counts of those that there are, by a hash. Behind them it tells whether the store has time for more than what is needed.
 */
export class Begins {
	static readonly byteLength: number = (slots + 1) * Int32Array.BYTES_PER_ELEMENT;
	readonly buffer: SharedArrayBuffer;
	readonly #counts: Int32Array;

	constructor(buffer: SharedArrayBuffer) {
		this.buffer = buffer;
		this.#counts = new Int32Array(buffer);
	}

	/** What is alike of all blocks that begin like one of a page. */
	static keyOf(page: Uint8Array, offset: number, codeSize: CodeSize): number {
		let hash = offset * 128 + codeSize;
		for (let at = offset; at < offset + firstBytes; at++) hash = mixed(hash ^ (page[at] ?? 0));
		return hash >>> 0;
	}

	/** @param by - how many more, or fewer, there are */
	change(key: number, by: number): void {
		Atomics.add(this.#counts, key % slots, by);
	}

	get hasTime(): boolean {
		return Atomics.load(this.#counts, slots) !== 0;
	}

	set hasTime(hasTime: boolean) {
		Atomics.store(this.#counts, slots, hasTime ? 1 : 0);
	}

	has(key: number): boolean {
		return Atomics.load(this.#counts, key % slots) > 0;
	}
}
