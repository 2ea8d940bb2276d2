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
		for (let index = 0; index < this.#waiting.length; ) {
			const next = this.#waiting[index] as W;
			if (isBlocked(next, this.#active) || isBlocked(next, this.#waiting, index)) index++;
			else {
				this.#waiting.splice(index, 1);
				this.#start(next);
				// What ended within that has looked at the rest, which may be another one now.
				index = 0;
			}
		}
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
