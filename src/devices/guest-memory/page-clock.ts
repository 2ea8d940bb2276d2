/** Bytes of the shared memory of a {@link PageClock}; a cache line, since all writers read it. */
export const pageClockBytes = 64;

/** Generations older than this are forgotten: the words about pages hold 32 bits. */
const memorySpan = 2 ** 30;

/** So often all stamps are to be looked at, so that none comes to look newer than it is. */
export const agingSpan = 2 ** 29;

/**
 * Counts the generations of a machine's memory. It moves on when somebody asks what has been written; a page that is written
 * gets the number of the generation under way.
 */
export class PageClock {
	readonly #count: BigInt64Array;
	/** The low half of the count: what pages are stamped with. */
	readonly #stamp: Int32Array;
	readonly #own = new Int32Array(1);

	constructor(buffer: SharedArrayBuffer) {
		this.#count = new BigInt64Array(buffer, 0, 1);
		this.#stamp = new Int32Array(buffer, 0, 1);
		// The first generation is 1: pages that nobody has written have 0.
		Atomics.compareExchange(this.#count, 0, 0n, 1n);
	}

	/**
	 * Gives the stamp that pages get now. Whatever this thread has written before is visible to whoever moves the clock on after
	 * this read: the store to a word of its own keeps the read from passing earlier stores (x86: it is a locked instruction; arm64: a
	 * load-acquire does not pass a store-release).
	 */
	stamp(): number {
		Atomics.store(this.#own, 0, 0);
		return Atomics.load(this.#stamp, 0);
	}

	/** Begins a new generation. @returns the number of the one that has ended */
	advance(): number {
		return Number(Atomics.add(this.#count, 0, 1n));
	}

	/** Tells whether so many generations have passed since that stamps can no longer be compared with it. */
	hasForgotten(since: number): boolean {
		return Number(Atomics.load(this.#count, 0)) - since >= memorySpan;
	}
}

/** Tells whether a stamp is newer than a generation that the clock has not forgotten. */
export const isAfter = (stamp: number, generation: number): boolean => ((stamp - generation) | 0) > 0;
