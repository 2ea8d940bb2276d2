/** A guest that has run for so long since its power-on has got somewhere. */
const progressMs = 60_000;

/** So many resets in a row come at once; each one after them waits twice as long as the one before. */
const immediateResets = 3;
/** Pauses get no longer than so many times the first one. */
const longestPause = 16;

/** Verdict on a guest's wish to start again. */
export type ResetVerdict =
	| {readonly kind: 'reset'; readonly afterMs: number}
	| {readonly kind: 'loop'; readonly resets: number};

/**
 * Counts the resets that a guest asks for without getting anywhere in between: one that panics early, or means harm, would
 * have the machine built again and again at full load.
 */
export class ResetGuard {
	readonly #limit: number;
	readonly #firstPauseMs: number;
	readonly #now: () => number;
	#resets = 0;
	/** The guest's running time since its power-on, and since when it runs. */
	#ranMs = 0;
	#since: number | undefined;

	/**
	 * @param limit - so many resets in a row are a loop; 0: none are
	 * @param firstPauseMs - how long the first one waits that does not come at once
	 * @param now - a clock in milliseconds that never goes back
	 */
	constructor(limit: number, firstPauseMs: number, now: () => number = () => performance.now()) {
		this.#limit = limit;
		this.#firstPauseMs = firstPauseMs;
		this.#now = now;
	}

	/** The guest runs. */
	running(): void {
		this.#since ??= this.#now();
	}

	/** The guest stands still. */
	still(): void {
		if (this.#since !== undefined) this.#ranMs += this.#now() - this.#since;
		this.#since = undefined;
	}

	/** The guest, which stands still, asks to start again. */
	asked(): ResetVerdict {
		this.#resets = this.#ranMs >= progressMs ? 1 : this.#resets + 1;
		this.#ranMs = 0;
		if (this.#limit > 0 && this.#resets > this.#limit) return {kind: 'loop', resets: this.#limit};
		const slowed = this.#resets - immediateResets;
		const afterMs = slowed <= 0 ? 0 : this.#firstPauseMs * Math.min(longestPause, 2 ** (slowed - 1));
		return {kind: 'reset', afterMs};
	}

	/** The owner has started the guest again: a person's will is no loop. */
	restarted(): void {
		this.#resets = 0;
		this.#ranMs = 0;
	}
}
