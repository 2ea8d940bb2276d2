import type {Polled} from './reactor.ts';

/** How long a part's turn lasts, but for the call that is under way then, in milliseconds. */
export const turnMs = 2;

/** Most of what a part owes to the others of its thread: a call that hung once does not keep it waiting for long. */
const mostOwedMs = 100 * turnMs;

/**
 * A part's share of a thread that several have. A turn that has taken longer than {@link turnMs} is paid for with turns that are left
 * out, so that a part whose calls take long gets no more of the thread than the others.
 */
export class FairTurn {
	readonly #nowMs: () => number;
	#sinceMs = 0;
	#owedMs = 0;

	constructor(nowMs: () => number = () => performance.now()) {
		this.#nowMs = nowMs;
	}

	/** Has a part look for work, where it is its turn; true when there was any, or there may be in a turn that it has left out. */
	take(part: Pick<Polled, 'poll'>): boolean {
		if (this.#owedMs >= turnMs) {
			this.#owedMs -= turnMs;
			return true;
		}
		this.#sinceMs = this.#nowMs();
		try {
			return part.poll(this.#isOver);
		} finally {
			this.#owedMs = Math.min(Math.max(0, this.#owedMs + this.#elapsedMs() - turnMs), mostOwedMs);
		}
	}

	readonly #isOver = (): boolean => this.#elapsedMs() >= turnMs;

	#elapsedMs(): number {
		return this.#nowMs() - this.#sinceMs;
	}
}
