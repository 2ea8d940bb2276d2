/** Random numbers from a seed, the same everywhere: xoshiro128** by Blackman and Vigna, its state filled from the seed by a counter. */
export class Random {
	#a = 0;
	#b = 0;
	#c = 0;
	#d = 0;

	constructor(seed: number) {
		this.restart(seed);
	}

	/** Begins the sequence of a seed; each has many, by number. */
	restart(seed: number, sequence = 0): void {
		const start = sequence === 0 ? seed : mixed(seed) + mixed(sequence);
		this.#a = mixed(start);
		this.#b = mixed(start + 0x9e37_79b9);
		this.#c = mixed(start + 2 * 0x9e37_79b9);
		this.#d = mixed(start + 3 * 0x9e37_79b9);
	}

	/** 32 bits, unsigned. */
	u32(): number {
		const b = this.#b;
		const times5 = Math.imul(b, 5);
		const result = Math.imul((times5 << 7) | (times5 >>> 25), 9) >>> 0;
		const c = this.#c ^ this.#a;
		const d = this.#d ^ b;
		this.#b = b ^ c;
		this.#a ^= d;
		this.#c = c ^ (b << 9);
		this.#d = (d << 11) | (d >>> 21);
		return result;
	}

	u64(): bigint {
		return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
	}

	/** 0 to `limit` - 1. */
	below(limit: number): number {
		return Math.floor((this.u32() / 2 ** 32) * limit);
	}

	/** True once in `times`. */
	oneIn(times: number): boolean {
		return this.below(times) === 0;
	}

	pick<T>(items: readonly T[]): T {
		return items[this.below(items.length)] as T;
	}

	/** Fills whole 32-bit words of a view. */
	fill(words: Uint32Array): void {
		const {length} = words;
		for (let index = 0; index < length; index++) words[index] = this.u32();
	}
}

/** The finalizer of MurmurHash3: every bit of the seed changes half of the result's. */
function mixed(value: number): number {
	let hash = value >>> 0;
	hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
	hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
	return (hash ^ (hash >>> 16)) >>> 0;
}
