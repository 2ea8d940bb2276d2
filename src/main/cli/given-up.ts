import type {LongOperation} from '#support/abort';
import {ProgressLine} from './progress-line.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Does work that signals give up. */
export async function givenUpBySignals<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
	const controller = new AbortController();
	const stop = (signal: NodeJS.Signals) => controller.abort(new Error(signal));
	for (const signal of signals) process.on(signal, stop);
	try {
		return await work(controller.signal);
	} finally {
		for (const signal of signals) process.off(signal, stop);
	}
}

/**
 * Does work that signals give up, and says on a terminal how far it is.
 * @param step - what is done
 * @param elsewhere - told how far it is where there is no terminal
 */
export async function withProgress<T>(
	step: string,
	work: (asked: LongOperation) => Promise<T>,
	elsewhere?: LongOperation['progress'],
): Promise<T> {
	const line = new ProgressLine();
	const progress = line.isShown ? (done: number, total: number) => line.update(step, done, total) : elsewhere;
	try {
		// It may be long until it tells anything.
		line.update(step, 0, 0);
		return await givenUpBySignals((signal) => work({signal, ...(progress && {progress})}));
	} finally {
		line.clear();
	}
}
