/** Work on a range of a disk. */
export interface RangeWork {
	/** First byte, and the one behind the last. */
	readonly start: number;
	readonly end: number;
	/** Takes the range's place away, so that nobody may be at it meanwhile. */
	readonly clears: boolean;
	begin(): void;
}

/**
 * Lets work on a disk begin, in the order in which it came where ranges overlap and either clears its own. All other work goes on side by side, and
 * finding that out costs nothing while nobody clears anything.
 */
export class RangeTurns<W extends RangeWork> {
	readonly #active: W[] = [];
	readonly #waiting: W[] = [];
	/** How many there are, active or waiting, that clear. */
	#clearing = 0;
	/** The waiting one that is looked at next, while any are let go. */
	#next = -1;

	begin(work: W): void {
		if (work.clears) this.#clearing++;
		if (this.#clearing > 0 && (isBlocked(work, this.#active) || isBlocked(work, this.#waiting)))
			this.#waiting.push(work);
		else this.#start(work);
	}

	end(work: W): void {
		if (work.clears) this.#clearing--;
		const last = this.#active.pop() as W;
		if (last !== work) this.#active[this.#active.indexOf(work)] = last;
		// One that ends as soon as it begins has all looked at again, and not from within: there may be thousands.
		const isLooking = this.#next >= 0;
		this.#next = 0;
		if (isLooking) return;
		while (this.#next < this.#waiting.length) {
			const next = this.#waiting[this.#next] as W;
			if (isBlocked(next, this.#active) || isBlocked(next, this.#waiting, this.#next)) this.#next++;
			else {
				this.#waiting.splice(this.#next, 1);
				this.#start(next);
			}
		}
		this.#next = -1;
	}

	#start(work: W): void {
		this.#active.push(work);
		work.begin();
	}
}

/** True where any of the first `count` has to be over before. */
function isBlocked(work: RangeWork, others: readonly RangeWork[], count = others.length): boolean {
	for (let index = 0; index < count; index++) {
		const other = others[index] as RangeWork;
		if ((work.clears || other.clears) && work.start < other.end && other.start < work.end) return true;
	}
	return false;
}
