/** At the start: the link is memory, which nobody else uses, so that it is more than the ten segments of RFC 6928. */
const initialBytes = 65_536;
/** A window beyond this bounds nothing. */
const mostBytes = 2 ** 30;

/** How much may be under way to a guest: it loses frames where its ring is full (RFC 5681; RFC 6582 for the recovery). */
export class Congestion {
	readonly #mss: number;
	#window = initialBytes;
	#threshold = mostBytes;
	/** All sent until here are to be acknowledged before a recovery ends. */
	#recover: number | undefined;
	#duplicates = 0;

	constructor(mss: number) {
		this.#mss = mss;
	}

	get window(): number {
		return this.#window;
	}

	/**
	 * Bytes were acknowledged, all until `position`.
	 * @returns true where the next segment is lost too, and to be sent again now
	 */
	acknowledged(bytes: number, position: number): boolean {
		this.#duplicates = 0;
		if (this.#recover !== undefined) {
			if (position < this.#recover) {
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

	/** The same was acknowledged once more. @returns true where the first segment is to be sent again now */
	duplicate(underWay: number, sent: number): boolean {
		if (this.#recover !== undefined) {
			this.#window = Math.min(mostBytes, this.#window + this.#mss);
			return false;
		}
		if (++this.#duplicates < 3) return false;
		this.#reduce(underWay);
		this.#window = this.#threshold + 3 * this.#mss;
		this.#recover = sent;
		return true;
	}

	/** Nothing was acknowledged in time. */
	timedOut(underWay: number): void {
		this.#reduce(underWay);
		this.#window = this.#mss;
		this.#recover = undefined;
		this.#duplicates = 0;
	}

	#reduce(underWay: number): void {
		this.#threshold = Math.max(Math.floor(underWay / 2), 2 * this.#mss);
	}
}
