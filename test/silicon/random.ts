/** Random numbers from a seed, the same everywhere: xoshiro128** by Blackman and Vigna, its state filled from the seed by a counter. */
export class Random {
	readonly #state = new Uint32Array(4);

	constructor(seed: number) {
		for (let index = 0; index < 4; index++) this.#state[index] = mixed(seed + index * 0x9e37_79b9);
	}

	/** 32 bits, unsigned. */
	u32(): number {
		const state = this.#state;
		const [a, b, c, d] = state as unknown as [number, number, number, number];
		const times5 = Math.imul(b, 5);
		const result = Math.imul((times5 << 7) | (times5 >>> 25), 9) >>> 0;
		state[2] = c ^ a;
		state[3] = d ^ b;
		state[1] = b ^ (c ^ a);
		state[0] = a ^ (d ^ b);
		state[2] = c ^ a ^ (b << 9);
		const last = d ^ b;
		state[3] = (last << 11) | (last >>> 21);
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
		for (let index = 0; index < words.length; index++) words[index] = this.u32();
	}
}

/** The finalizer of MurmurHash3: every bit of the seed changes half of the result's. */
function mixed(value: number): number {
	let hash = value >>> 0;
	hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
	hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
	return (hash ^ (hash >>> 16)) >>> 0;
}
