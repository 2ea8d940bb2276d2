/** A call that a processor was in, and for how long. */
export interface LogEntry {
	readonly node: number;
	readonly ms: number;
}

/**
 * The calls that one processor was in, in their order. When it is full, one of each two neighbours goes and the other one gets its time,
 * and from then on only one of each two that come is kept, and so on. Each has a chance that is its part of their time, so that what the
 * log says of times stays right in the mean.
 */
export class SampleLog {
	#entries: LogEntry[] = [];
	/** Samples that become one entry. */
	#stride = 1;
	/** One of those that have come since the last entry, with the time of all of them. */
	#waiting: LogEntry | undefined;
	#waitingCount = 0;
	readonly #most: number;
	readonly #random: () => number;

	/**
	 * @param most - entries, at least 2
	 * @param random - numbers from 0 to 1
	 */
	constructor(most: number, random: () => number = Math.random) {
		this.#most = most;
		this.#random = random;
	}

	get length(): number {
		return this.#entries.length;
	}

	add(node: number, ms: number): void {
		this.#waiting = this.#oneOf(this.#waiting, {node, ms});
		this.#waitingCount++;
		if (this.#waitingCount < this.#stride) return;
		this.#put(this.#waiting);
		this.#waiting = undefined;
		this.#waitingCount = 0;
	}

	*[Symbol.iterator](): Generator<LogEntry> {
		yield* this.#entries;
		if (this.#waiting !== undefined) yield this.#waiting;
	}

	#put(entry: LogEntry): void {
		const last = this.#entries.at(-1);
		if (last?.node === entry.node) {
			this.#entries[this.length - 1] = {node: entry.node, ms: last.ms + entry.ms};
			return;
		}
		if (this.length >= this.#most) this.#thin();
		this.#entries.push(entry);
	}

	#thin(): void {
		const all = this.#entries;
		this.#stride *= 2;
		this.#entries = [];
		for (let index = 0; index < all.length; index += 2) {
			const [first, second] = all.slice(index, index + 2);
			if (first !== undefined) this.#entries.push(second === undefined ? first : this.#oneOf(first, second));
		}
	}

	/** One of two, with the time of both. */
	#oneOf(first: LogEntry | undefined, second: LogEntry): LogEntry {
		if (first === undefined) return second;
		const ms = first.ms + second.ms;
		return {node: this.#random() * ms < first.ms ? first.node : second.node, ms};
	}
}
