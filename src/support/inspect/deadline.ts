import type {Answer} from './node.ts';

/** Stands for an answer that did not come. */
export const noAnswer = Symbol('no answer');

/** One moment until which everything a query asks has to answer. */
export class Deadline {
	readonly timeoutMs: number;
	readonly #passed: Promise<typeof noAnswer>;
	readonly #timer: NodeJS.Timeout;

	constructor(timeoutMs: number) {
		this.timeoutMs = timeoutMs;
		const {promise, resolve} = Promise.withResolvers<typeof noAnswer>();
		this.#passed = promise;
		// An answer that came while this thread was busy itself counts: it is taken on the way to the second turn.
		const pass = () => setImmediate(() => setImmediate(() => resolve(noAnswer)));
		this.#timer = setTimeout(pass, timeoutMs);
	}

	/** The answer, or {@link noAnswer}; an answer that comes later is forgotten. Rejects as the answer does. */
	async wait<T>(answer: Answer<T>): Promise<T | typeof noAnswer> {
		return answer instanceof Promise ? Promise.race([answer, this.#passed]) : answer;
	}

	[Symbol.dispose](): void {
		clearTimeout(this.#timer);
	}
}
