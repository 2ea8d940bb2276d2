import {untilAborted} from '#support/abort';
import {within} from './tear-down.ts';

/** The order of a machine's operations: each waits for the one before it, but those that run beside the others. Long ones can be given up. */
export class OperationTurns {
	#last: Promise<void> = Promise.resolve();
	#working = new AbortController();
	readonly #beside = new Set<Promise<unknown>>();

	/** Runs operations one after another. @param signal - gives up one whose turn has not come; one that has begun is done all the same */
	next<T>(operation: () => Promise<T>, signal?: AbortSignal): Promise<T> {
		const turn = Promise.withResolvers<void>();
		const result = this.#last.then(() => {
			turn.resolve();
			signal?.throwIfAborted();
			return operation();
		});
		this.#last = result.then(
			() => {},
			() => {},
		);
		return signal === undefined ? result : untilAborted(turn.promise, signal).then(() => result);
	}

	/** Takes note of an operation that runs beside the others, for {@link besideEnded}. */
	beside<T>(operation: Promise<T>): Promise<T> {
		this.#beside.add(operation);
		const done = () => void this.#beside.delete(operation);
		operation.then(done, done);
		return operation;
	}

	/** Waits for the operations beside the others, and no longer than a limit. */
	async besideEnded(limitMs: number): Promise<void> {
		await within(
			Promise.allSettled(this.#beside).then(() => {}),
			limitMs,
		);
	}

	/** The signal that gives up a long operation which begins now. @param signal - gives it up as well */
	signal(signal?: AbortSignal): AbortSignal {
		const working = this.#working.signal;
		return signal === undefined ? working : AbortSignal.any([working, signal]);
	}

	/** Gives up long operations, also those that begin later: the guest as it is now cannot go on. */
	giveUp(reason: string): void {
		this.#working.abort(new Error(reason));
	}

	/** Lets long operations begin again: there is another guest. */
	renew(): void {
		if (this.#working.signal.aborted) this.#working = new AbortController();
	}
}
