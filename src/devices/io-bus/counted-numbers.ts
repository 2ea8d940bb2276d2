/** Words of one counter. */
interface Slots {
	/** The low 31 bits of the number and a 1 (0 is a free slot), and the bits above. */
	readonly low: Int32Array;
	readonly high: Int32Array;
	readonly count: Int32Array;
}

const probes = 8;

/** Counts how often numbers come, up to 62 bits wide, in a table of fixed size that all threads share. */
export class CountedNumbers {
	readonly #slots: Slots;
	readonly #mask: number;

	/** @param slots - as many of each as a power of two */
	constructor(slots: Slots) {
		this.#slots = slots;
		this.#mask = slots.low.length - 1;
	}

	/** False where the number found no slot. */
	add(number: number): boolean {
		const [low, high] = [(number << 1) | 1, Math.floor(number / 2 ** 31)];
		const {low: lows, high: highs, count} = this.#slots;
		for (let probe = 0; probe < probes; probe++) {
			const slot = (Math.imul(low ^ high, 0x9e3779b1) + probe) & this.#mask;
			const found = Atomics.compareExchange(lows, slot, 0, low);
			if (found === 0) Atomics.store(highs, slot, high);
			if (found === 0 || (found === low && Atomics.load(highs, slot) === high)) {
				Atomics.add(count, slot, 1);
				return true;
			}
		}
		return false;
	}

	/** Lists what was counted, in no order. */
	*[Symbol.iterator](): Generator<{readonly number: number; readonly count: number}> {
		const {low: lows, high, count} = this.#slots;
		for (const [slot, low] of lows.entries()) {
			if (low === 0) continue;
			yield {number: (high[slot] as number) * 2 ** 31 + (low >>> 1), count: (count[slot] as number) >>> 0};
		}
	}
}
