/** At the start: the link is memory, which nobody else uses, so that it is more than the ten segments of RFC 6928. */
const initialBytes = 65_536;
/** A window beyond this bounds nothing. */
const mostBytes = 2 ** 30;

/** How much may be under way to a guest: it loses frames where its ring is full (RFC 5681; RFC 6582 for the recovery, RFC 6675 with a guest that says what it has). */
export class Congestion {
	readonly #mss: number;
	#window = initialBytes;
	#threshold = mostBytes;
	/** All sent until here are to be acknowledged before a recovery ends. */
	#recover: number | undefined;
	/** What is sent again is what the guest has not, and what it has is not under way. */
	#isSelective = false;
	/** All sent until here may be sent again since nothing was acknowledged in time. */
	#late = 0;
	#duplicates = 0;

	constructor(mss: number) {
		this.#mss = mss;
	}

	get window(): number {
		return this.#window;
	}

	/** In a recovery in which the window bounds what is under way by {@link Scoreboard.underWay}. */
	get isSelective(): boolean {
		return this.#recover !== undefined && this.#isSelective;
	}

	/**
	 * Bytes were acknowledged, all until `position`.
	 * @returns true where the next segment is lost too, and to be sent again now
	 */
	acknowledged(bytes: number, position: number): boolean {
		this.#duplicates = 0;
		if (this.#recover !== undefined) {
			if (position < this.#recover) {
				if (this.#isSelective) return false;
				this.#window = Math.max(this.#mss, this.#window - bytes + this.#mss);
				return true;
			}
			this.#recover = undefined;
			this.#window = this.#threshold;
			return false;
		}
		const step =
			this.#window < this.#threshold ? bytes : Math.max(1, Math.floor((this.#mss * this.#mss) / this.#window));
		this.#window = Math.min(mostBytes, this.#window + step);
		return false;
	}

	/**
	 * The same was acknowledged once more, or something came out of order.
	 * @param known - what the guest has said it has: whether there is anything, and whether the first segment is lost by that
	 * @returns true where the first segment is to be sent again now
	 */
	duplicate(acknowledged: number, sent: number, known: {readonly any: boolean; readonly isLost: boolean}): boolean {
		if (this.#recover !== undefined) {
			if (!this.#isSelective) this.#window = Math.min(mostBytes, this.#window + this.#mss);
			return false;
		}
		// All of it is being sent again already.
		if (known.any && acknowledged < this.#late) return false;
		if (++this.#duplicates < 3 && !known.isLost) return false;
		this.#reduce(sent - acknowledged);
		this.#isSelective = known.any;
		this.#window = this.#threshold + (known.any ? 0 : 3 * this.#mss);
		this.#recover = sent;
		return true;
	}

	/** Nothing was acknowledged in time. */
	timedOut(acknowledged: number, sent: number): void {
		this.#reduce(sent - acknowledged);
		this.#late = sent;
		this.#window = this.#mss;
		this.#recover = undefined;
		this.#duplicates = 0;
	}

	#reduce(underWay: number): void {
		this.#threshold = Math.max(Math.floor(underWay / 2), 2 * this.#mss);
	}
}
