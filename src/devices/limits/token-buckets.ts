import {lock, unlock} from '#support/shared-memory';
import {burstOf, type LimitKey, type Limits, type LimitTable} from './limits.ts';

/** A view of memory with `bucketFields`. */
export interface BucketsView {
	/** Its words, of which the first two are the lock, and whether there is any limit. */
	readonly $atomic: Int32Array;
	readonly limits: Float64Array;
	readonly bursts: Float64Array;
	readonly tokens: Float64Array;
	readonly filledNs: Float64Array;
}

const [lockWord, limitedWord] = [0, 1];

/**
 * The token buckets of one device, or of a part of it, as one thread has them: all its workers draw from them. What is asked for goes where no bucket
 * of its is empty, whatever its size; what it takes too much is owed by the next.
 */
export class TokenBuckets<N extends string> {
	readonly table: LimitTable<N>;
	readonly #words: Int32Array;
	readonly #limits: Float64Array;
	readonly #bursts: Float64Array;
	readonly #tokens: Float64Array;
	readonly #filledNs: Float64Array;
	readonly #clockNs: () => number;
	/** By limit: whether it counts bytes, and each direction. */
	readonly #ofBytes: Uint8Array;
	readonly #ofIn: Uint8Array;
	readonly #ofOut: Uint8Array;

	/** @param clockNs - the host's monotonic clock, the same on each thread */
	constructor(table: LimitTable<N>, share: BucketsView, clockNs: () => number) {
		this.table = table;
		this.#words = share.$atomic;
		this.#limits = share.limits;
		this.#bursts = share.bursts;
		this.#tokens = share.tokens;
		this.#filledNs = share.filledNs;
		this.#clockNs = clockNs;
		this.#ofBytes = Uint8Array.from(table, ({unit}) => Number(unit === 'bytes'));
		this.#ofIn = Uint8Array.from(table, (limit) => Number(limit.of !== 'out'));
		this.#ofOut = Uint8Array.from(table, (limit) => Number(limit.of !== 'in'));
	}

	/** Costs one look at memory where there is no limit. */
	get isLimited(): boolean {
		return Atomics.load(this.#words, limitedWord) !== 0;
	}

	/** Limits as they are now. */
	get limits(): Limits<N> {
		const [limits, bursts] = [this.#limits, this.#bursts];
		return Object.fromEntries(
			this.table.flatMap(({name}, index) => [
				[name, limits[index] as number],
				[`${name}_burst`, bursts[index] as number],
			]),
		) as Limits<N>;
	}

	/** Changes limits: 0 takes one away. What is left of one goes on, and a new one is full. */
	set(changes: Limits<N>): void {
		const [limits, bursts, tokens] = [this.#limits, this.#bursts, this.#tokens];
		this.#locked(() => {
			this.#fill();
			for (const [index, {name}] of this.table.entries()) {
				const limit = changes[name] ?? (limits[index] as number);
				const burst = changes[`${name}_burst` as LimitKey<N>] ?? (bursts[index] as number);
				const most = burstOf(limit, burst);
				const isNew = limits[index] === 0;
				tokens[index] = isNew ? most : Math.min(tokens[index] as number, most);
				limits[index] = limit;
				bursts[index] = burst;
			}
			Atomics.store(this.#words, limitedWord, limits.some((limit) => limit > 0) ? 1 : 0);
		});
	}

	/**
	 * Takes what one request or frame needs.
	 * @param isIn - of which direction it is
	 * @param bytes - that it moves, for limits of bytes
	 * @param times - that it counts as; once without this
	 * @param isOwed - takes it though there is nothing left
	 * @returns 0 where it may go, else the nanoseconds after which it may, as far as can be told
	 */
	take(isIn: boolean, bytes: number, times = 1, isOwed = false): number {
		const [limits, tokens, counted] = [this.#limits, this.#tokens, isIn ? this.#ofIn : this.#ofOut];
		if (!lock(this.#words, lockWord)) return 0;
		try {
			this.#fill();
			let waitNs = 0;
			for (let index = 0; index < limits.length; index++) {
				const limit = limits[index] as number;
				if (limit === 0 || counted[index] === 0) continue;
				// Less than once is never; of bytes any is enough.
				const missing = (this.#ofBytes[index] === 1 ? 0 : 1) - (tokens[index] as number);
				if (missing > 0) waitNs = Math.max(waitNs, (missing * 1e9) / limit);
			}
			if (waitNs > 0 && !isOwed) return Math.ceil(waitNs);
			this.#add(counted, -bytes, -times);
			return 0;
		} finally {
			unlock(this.#words, lockWord);
		}
	}

	/** Gives back what {@link take} has taken for what did not go after all. */
	giveBack(isIn: boolean, bytes: number, times = 1): void {
		this.#locked(() => this.#add(isIn ? this.#ofIn : this.#ofOut, bytes, times));
	}

	#add(counted: Uint8Array, bytes: number, times: number): void {
		const [limits, tokens] = [this.#limits, this.#tokens];
		for (let index = 0; index < limits.length; index++)
			if (limits[index] !== 0 && counted[index] === 1)
				tokens[index] = (tokens[index] as number) + (this.#ofBytes[index] === 1 ? bytes : times);
	}

	/** Adds what has come since the last time. */
	#fill(): void {
		const [limits, bursts, tokens] = [this.#limits, this.#bursts, this.#tokens];
		const now = this.#clockNs();
		// Another thread may have been later.
		const seconds = Math.max(0, now - (this.#filledNs[0] as number)) / 1e9;
		if (seconds === 0) return;
		this.#filledNs[0] = now;
		for (let index = 0; index < limits.length; index++) {
			const limit = limits[index] as number;
			if (limit > 0)
				tokens[index] = Math.min(burstOf(limit, bursts[index] as number), (tokens[index] as number) + limit * seconds);
		}
	}

	#locked(action: () => void): void {
		// Who holds it does a few sums: one that does not come back is dead, and what there is is still right enough.
		const isHeld = lock(this.#words, lockWord);
		try {
			action();
		} finally {
			if (isHeld) unlock(this.#words, lockWord);
		}
	}
}
