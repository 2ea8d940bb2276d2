import type {CheckResult} from './disk-image.ts';

/** A check shows no more faults than this. */
const mostShown = 20;

/** Collects what a check finds. */
export class Faults {
	readonly #shown: string[] = [];
	#count = 0;
	#leaks = 0;
	#repaired = 0;

	/** A fault that stays. */
	add(what: string): void {
		this.#count++;
		if (this.#shown.length < mostShown) this.#shown.push(what);
	}

	/** Blocks that nothing uses. */
	leak(count = 1): void {
		this.#leaks += count;
	}

	/** A fault or leak that was put right. */
	repair(count = 1): void {
		this.#repaired += count;
	}

	get result(): CheckResult {
		return {leaks: this.#leaks, faultCount: this.#count, faults: this.#shown, repaired: this.#repaired};
	}
}
