/** At the start: the link is memory, which nobody else uses, so that it is more than the ten segments of RFC 6928. */
const initialBytes = 65_536;
/** A window beyond this bounds nothing. */
const mostBytes = 2 ** 30;
/** Acknowledgments of the same by which a segment is lost, and those before it for each of which one more may be under way (RFC 5681, 3.2; RFC 3042). */
const [lostAt, mostLimited] = [3, 2];

/** What is lost, and what was sent by then. */
export interface Loss {
	/** The latest transmission that is lost; undefined where who has it says nothing of that. */
	readonly order: number;
	/** The latest transmission of all. */
	readonly latest: number;
	/** What is sent and not acknowledged. */
	readonly acknowledged: number;
	readonly sent: number;
	/** The guest has said what it has. */
	readonly isSelective: boolean;
}

/** How much may be under way to a guest: it loses frames where its ring is full (RFC 5681; RFC 6582 for the recovery, RFC 6675 with a guest that says what it has). */
export class Congestion {
	readonly #mss: number;
	#window = initialBytes;
	#threshold = mostBytes;
	/**
	 * After a loss: what is under way is counted without what the guest has said it has; each acknowledgment tells of one segment that is not under way
	 * any more, and of one that is lost; or nothing was acknowledged in time, and the window grows again.
	 */
	#recovery: 'none' | 'selective' | 'fast' | 'late' = 'none';
	/** All sent until here are to be acknowledged before a recovery ends. */
	#until = 0;
	/** What was sent until then, and is lost, has made the window smaller already. */
	#answered = 0;
	#duplicates = 0;

	constructor(mss: number) {
		this.#mss = mss;
	}

	get window(): number {
		const limited = this.#recovery === 'none' ? Math.min(mostLimited, this.#duplicates) : 0;
		return this.#window + limited * this.#mss;
	}

	get isRecovering(): boolean {
		return this.#recovery !== 'none';
	}

	/**
	 * Bytes were acknowledged, all until `position`.
	 * @returns true where the next segment is lost too, and to be sent again now
	 */
	acknowledged(bytes: number, position: number): boolean {
		this.#duplicates = 0;
		const recovery = this.#recovery;
		if (recovery !== 'none' && position >= this.#until) {
			this.#recovery = 'none';
			if (recovery !== 'late') {
				this.#window = this.#threshold;
				return false;
			}
		} else if (recovery === 'selective') return false;
		else if (recovery === 'fast') {
			this.#window = Math.max(this.#mss, this.#window - bytes + this.#mss);
			return true;
		}
		const step =
			this.#window < this.#threshold ? bytes : Math.max(1, Math.floor((this.#mss * this.#mss) / this.#window));
		this.#window = Math.min(mostBytes, this.#window + step);
		return false;
	}

	/**
	 * The same was acknowledged once more, by a guest that has not said that it has anything beyond.
	 * @returns true where the first segment is lost by that
	 */
	duplicate(): boolean {
		if (this.#recovery === 'fast') this.#window = Math.min(mostBytes, this.#window + this.#mss);
		return this.#recovery === 'none' && ++this.#duplicates === lostAt;
	}

	/**
	 * Something is lost. What was sent when the window was larger counts once; what has been sent since, and is lost too, counts again (RFC 5681, 4.3).
	 * @returns true where the window is smaller now: what is lost first is sent again whatever is under way
	 */
	lost(loss: Loss): boolean {
		if (loss.order <= this.#answered) return false;
		this.#reduce(loss);
		this.#recovery = loss.isSelective ? 'selective' : 'fast';
		this.#window = this.#threshold + (loss.isSelective ? 0 : lostAt * this.#mss);
		this.#until = loss.sent;
		return true;
	}

	/** Something was lost, and has come again meanwhile (RFC 8985, 7.4.2). */
	repaired(loss: Loss): void {
		this.#reduce(loss);
		this.#window = this.#threshold;
	}

	/** Nothing was acknowledged in time. */
	timedOut(loss: Loss): void {
		this.#reduce(loss);
		this.#recovery = 'late';
		this.#until = loss.sent;
		this.#window = this.#mss;
	}

	#reduce({latest, acknowledged, sent}: Loss): void {
		const most = Math.min(sent - acknowledged, this.#window);
		this.#threshold = Math.max(Math.floor(most / 2), 2 * this.#mss);
		this.#answered = latest;
		this.#duplicates = 0;
	}
}
