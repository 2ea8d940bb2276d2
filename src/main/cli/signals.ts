import {exitStatuses} from './exit-status.ts';
import type {Machine} from './machine.ts';

/** The signals that end openvmm cleanly. */
export const endingSignals = {
	SIGINT: exitStatuses.interrupted.status,
	SIGTERM: exitStatuses.terminated.status,
	SIGHUP: exitStatuses.hangup.status,
} as const;

type EndingSignal = keyof typeof endingSignals;

/** The watch over the ending signals. */
export interface SignalWatch {
	/** Settles with the status to end with at the first signal. */
	readonly first: Promise<number>;
	close(): void;
}

/** The signals that change what the machine does, and how: as a shell's job control has them, and one more. */
export const machineSignals = {
	SIGTSTP: 'pause',
	SIGCONT: 'resume',
	SIGUSR2: 'reset',
} as const;

/**
 * Hands signals to a machine. Each waits for what was asked before.
 * @param failed - told what could not be done
 * @returns a function that ends it
 */
export function followSignals(
	machine: Pick<Machine, 'pause' | 'resume' | 'reset'>,
	failed: (error: unknown) => void,
): () => void {
	const handlers = (Object.keys(machineSignals) as (keyof typeof machineSignals)[]).map((signal) => {
		const handler = () => void machine[machineSignals[signal]]().catch(failed);
		process.on(signal, handler);
		return [signal, handler] as const;
	});
	return () => {
		for (const [signal, handler] of handlers) process.off(signal, handler);
	};
}

/**
 * Watches for signals that end the process. The first one settles {@link SignalWatch.first}; at a second one
 * `force` runs and the process dies of that signal at once, which works even while threads are inside KVM.
 */
export function watchSignals(force: () => void): SignalWatch {
	const {promise: first, resolve} = Promise.withResolvers<number>();
	let seen = false;
	const handlers = (Object.keys(endingSignals) as EndingSignal[]).map((signal) => {
		const handler = () => {
			if (!seen) {
				seen = true;
				resolve(endingSignals[signal]);
				return;
			}
			force();
			close();
			process.kill(process.pid, signal);
		};
		process.on(signal, handler);
		return [signal, handler] as const;
	});
	const close = () => {
		for (const [signal, handler] of handlers) process.off(signal, handler);
	};
	return {first, close};
}
