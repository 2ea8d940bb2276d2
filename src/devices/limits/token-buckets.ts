import {DiskOperation} from '#devices/storage/disk';
import {lock, unlock} from '#support/shared-memory';
import {burstOf, type DiskLimits, type LimitKey, limitTable} from './limits.ts';
import {DiskShare, type DiskShareView} from './share.ts';

const [lockWord, limitedWord] = [DiskShare.word('lock'), DiskShare.word('isLimited')];

/**
 * The token buckets of one disk, as one thread has them: all of a disk's workers draw from them. A request goes where no bucket of its
 * is empty, whatever its size; what it takes too much is owed by the next.
 */
export class TokenBuckets {
	readonly #words: Int32Array;
	readonly #limits: Float64Array;
	readonly #bursts: Float64Array;
	readonly #tokens: Float64Array;
	readonly #filledNs: Float64Array;
	readonly #clockNs: () => number;

	/** @param clockNs - the host's monotonic clock, the same on each thread */
	constructor(share: DiskShareView, clockNs: () => number) {
		this.#words = share.$atomic;
		this.#limits = share.limits;
		this.#bursts = share.bursts;
		this.#tokens = share.tokens;
		this.#filledNs = share.filledNs;
		this.#clockNs = clockNs;
	}

	/** Costs one look at memory where there is no limit. */
	get isLimited(): boolean {
		return Atomics.load(this.#words, limitedWord) !== 0;
	}

	/** Limits as they are now. */
	get limits(): DiskLimits {
		const [limits, bursts] = [this.#limits, this.#bursts];
		return Object.fromEntries(
			limitTable.flatMap(({name}, index) => [
				[name, limits[index] as number],
				[`${name}_burst`, bursts[index] as number],
			]),
		);
	}

	/** Changes limits: 0 takes one away. What is left of one goes on, and a new one is full. */
	set(changes: DiskLimits): void {
		const [limits, bursts, tokens] = [this.#limits, this.#bursts, this.#tokens];
		this.#locked(() => {
			this.#fill();
			for (const [index, {name}] of limitTable.entries()) {
				const limit = changes[name] ?? (limits[index] as number);
				const burst = changes[`${name}_burst` satisfies LimitKey] ?? (bursts[index] as number);
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
	 * Takes what a request needs.
	 * @param isOwed - takes it though there is nothing left
	 * @returns 0 where it may go, else the nanoseconds after which it may, as far as can be told
	 */
	take(operation: DiskOperation, bytes: number, isOwed = false): number {
		const [limits, tokens] = [this.#limits, this.#tokens];
		const isRead = operation === DiskOperation.READ;
		const moved = isRead || operation === DiskOperation.WRITE ? bytes : 0;
		if (!lock(this.#words, lockWord)) return 0;
		try {
			this.#fill();
			let waitNs = 0;
			for (let index = 0; index < limits.length; index++) {
				const limit = limits[index] as number;
				if (limit === 0 || !isOf(index, isRead)) continue;
				// Less than one operation is none; of bytes any is enough.
				const missing = (countsBytes[index] === 1 ? 0 : 1) - (tokens[index] as number);
				if (missing > 0) waitNs = Math.max(waitNs, (missing * 1e9) / limit);
			}
			if (waitNs > 0 && !isOwed) return Math.ceil(waitNs);
			for (let index = 0; index < limits.length; index++)
				if (limits[index] !== 0 && isOf(index, isRead))
					tokens[index] = (tokens[index] as number) - (countsBytes[index] === 1 ? moved : 1);
			return 0;
		} finally {
			unlock(this.#words, lockWord);
		}
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

/** By limit: whether it counts bytes, reads and writes. */
const countsBytes = Uint8Array.from(limitTable, ({unit}) => (unit === 'bytes' ? 1 : 0));
const countsReads = Uint8Array.from(limitTable, ({of}) => (of === 'writes' ? 0 : 1));
const countsWrites = Uint8Array.from(limitTable, ({of}) => (of === 'reads' ? 0 : 1));

const isOf = (index: number, isRead: boolean): boolean => (isRead ? countsReads : countsWrites)[index] === 1;
