/** Times in a row that looking has found nothing, after which it is done rarely. */
const mostMisses = 8;
/** Then one idle time of so many is looked through, to learn whether work comes sooner again. */
const rareness = 8;

/**
 * Whether it is worth to look for work before sleeping: it is while what has been asked for came within that time. Where guests take
 * longer from one request to the next, looking only takes a processor of the host from them.
 */
export class PollHistory {
	#misses = 0;
	#idleTimes = 0;

	/** There is nothing to do any more. @returns true when it is to be looked for work before sleeping */
	idle(): boolean {
		return this.#misses < mostMisses || ++this.#idleTimes % rareness === 0;
	}

	/** It was looked for, and came. */
	found(): void {
		this.#misses = 0;
	}

	/** It was looked for in vain. */
	missed(): void {
		if (this.#misses < mostMisses) this.#misses++;
	}
}
