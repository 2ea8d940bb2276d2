import {errorTable} from '#support/errors';

const abortError = errorTable({
	OPERATION_ABORTED: (c: {operation: string; reason: string}) => ({
		message: `The operation ${c.operation} was given up before it was done: ${c.reason}`,
		remedy: 'It has changed nothing: ask for it again',
	}),
});

/**
 * An `AbortSignal` where the program that uses the package declares any: it compiles without the types of Node.js and of browsers
 * too.
 */
export type OperationSignal = typeof globalThis extends {AbortSignal: {prototype: infer S}} ? S : never;

/** The longest time that a timer of Node.js has, in milliseconds: with a longer one it is over at once. */
export const longestTimerMs: number = 2 ** 31 - 1;

/** The part of a long operation's parameters that all of them have. */
export interface LongOperation {
	/** Told how far it is. */
	readonly progress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
	/** Gives it up: it fails with OPERATION_ABORTED and leaves nothing behind. Too late, it is done all the same. */
	readonly signal?: OperationSignal | undefined;
}

/**
 * Does work that throws the signal's reason when it is given up, and makes one error of all such reasons.
 * @param operation - what a person calls it
 * @throws VmmError OPERATION_ABORTED, and what the work throws
 */
export async function abortable<T>(
	operation: string,
	signal: AbortSignal | undefined,
	work: () => Promise<T>,
): Promise<T> {
	try {
		signal?.throwIfAborted();
		return await work();
	} catch (cause) {
		if (!signal?.aborted || cause !== signal.reason) throw cause;
		const reason = cause instanceof Error ? cause.message : String(cause);
		throw abortError('OPERATION_ABORTED', {operation, reason}, {cause});
	}
}

/** Waits for work that nothing ends, no longer than until the signal is aborted. @throws the signal's reason */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
	if (signal === undefined) return work;
	// Nobody waits for one that fails later.
	work.catch(() => {});
	signal.throwIfAborted();
	const {promise: aborted, reject} = Promise.withResolvers<never>();
	const abort = () => reject(signal.reason);
	signal.addEventListener('abort', abort);
	try {
		return await Promise.race([work, aborted]);
	} finally {
		signal.removeEventListener('abort', abort);
	}
}
