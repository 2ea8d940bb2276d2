/** Lets one piece of work after another have its turn, in the order in which they came. */
export class Turns {
	#last: Promise<unknown> = Promise.resolve();

	/** Runs `work` when all that came before it is over. */
	run<T>(work: () => Promise<T>): Promise<T> {
		const turn = this.#last.then(work, work);
		this.#last = turn;
		return turn;
	}
}

/**
 * Blocks that are being written for the first time: a second write to one of them waits, since it would not know where the first
 * one puts it.
 */
export class InFlight {
	readonly #blocks = new Map<number, Promise<void>>();

	/** What a write to these blocks has to wait for; undefined for nothing. */
	waitFor(first: number, last: number): Promise<void> | undefined {
		if (this.#blocks.size === 0) return undefined;
		for (let block = first; block <= last; block++) {
			const other = this.#blocks.get(block);
			if (other !== undefined) return other;
		}
		return undefined;
	}

	/** Marks blocks until the function that is returned is called. */
	begin(blocks: readonly number[]): () => void {
		const {promise, resolve} = Promise.withResolvers<void>();
		for (const block of blocks) this.#blocks.set(block, promise);
		return () => {
			for (const block of blocks) this.#blocks.delete(block);
			resolve();
		};
	}
}
