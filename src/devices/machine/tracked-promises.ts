/** Most kinds of what is under way that people are told of. */
const mostTold = 4;

/** The promises that a device has under way. */
export class TrackedPromises {
	readonly #pending = new Map<Promise<void>, string>();
	readonly #failed: (what: string, cause: unknown) => void;

	/** @param failed - told of each that is rejected */
	constructor(failed: (what: string, cause: unknown) => void) {
		this.#failed = failed;
	}

	/** @param what - it is, for people */
	add(promise: Promise<unknown>, what = 'a promise'): void {
		const failed = (cause: unknown) => this.#failed(what, cause);
		const settled: Promise<void> = Promise.resolve(promise)
			.then(() => {}, failed)
			.finally(() => this.#pending.delete(settled));
		this.#pending.set(settled, what);
	}

	/** Resolves when none is under way, nor any that came meanwhile. */
	async drained(): Promise<void> {
		while (this.#pending.size > 0) await Promise.all(this.#pending.keys());
	}

	/** For people; undefined where nothing is. */
	get inFlight(): string | undefined {
		const counts = new Map<string, number>();
		for (const what of this.#pending.values()) counts.set(what, (counts.get(what) ?? 0) + 1);
		const told = [...counts].slice(0, mostTold).map(([what, count]) => (count === 1 ? what : `${count} times ${what}`));
		if (counts.size > mostTold) told.push('others');
		return told.length === 0 ? undefined : told.join(', ');
	}
}
