import {readFileSync} from 'node:fs';
import {constants} from 'node:os';
import type {Vm} from '#main/vm';
import {ignoreSignal} from '#support/ffi';
import {statusOfSignal} from './exit-status.ts';

/**
 * The signals that end openvmm in order. They are those of signal(7) that end a process by default, but for
 * - SIGKILL, which nothing can catch;
 * - the marks of a crash (SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS): after them no code of ours can be trusted;
 * - SIGPIPE and SIGXFSZ, which Node.js ignores: the write fails instead;
 * - SIGUSR1, which the launcher ignores, SIGUSR2, which is one of {@link machineSignals}, and the real-time signals.
 */
export const endingSignals = [
	'SIGHUP',
	'SIGINT',
	'SIGQUIT',
	'SIGTERM',
	'SIGALRM',
	'SIGVTALRM',
	'SIGPROF',
	'SIGXCPU',
	'SIGIO',
	'SIGPWR',
	'SIGSTKFLT',
] as const satisfies readonly NodeJS.Signals[];

/**
 * Those that a person sends again who does not want to wait. Of the others a second one comes unasked: SIGHUP from the
 * terminal and from the shell, SIGXCPU every second.
 */
export const forcingSignals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGTERM'];

/** The signals that change what the machine does, and how: as a shell's job control has them, and one more. */
export const machineSignals = {
	SIGTSTP: 'pause',
	SIGCONT: 'resume',
	SIGUSR2: 'reset',
} as const;

type Followed = Pick<Vm, (typeof machineSignals)[keyof typeof machineSignals]>;

/** The watch over the signals of a run, from before there is a machine until after it. */
export interface SignalWatch {
	/** Settles with the status to end with at the first of the {@link endingSignals}. */
	readonly first: Promise<number>;
	/** Aborted at the same moment. */
	readonly ending: AbortSignal;
	/**
	 * Hands {@link machineSignals} to a machine. Each waits for what was asked before; a pause that was asked for before there
	 * was a machine is made up for.
	 * @param failed - told what could not be done
	 * @returns a function that ends it
	 */
	follow(machine: Followed, failed: (error: unknown) => void): () => void;
	close(): void;
}

/**
 * Watches for signals. The first that ends settles {@link SignalWatch.first}; at a second one, of {@link forcingSignals},
 * `force` runs and the process dies of that signal at once, which works even while threads are inside KVM.
 */
export function watchSignals(force: () => void): SignalWatch {
	const {promise: first, resolve} = Promise.withResolvers<number>();
	const handlers = new Map<NodeJS.Signals, () => void>();
	let isPaused = false;
	const noMachine = (change: keyof Followed): void => {
		if (change !== 'reset') isPaused = change === 'pause';
	};
	let ask = noMachine;
	const ending = new AbortController();
	const end = (signal: NodeJS.Signals) => {
		if (!ending.signal.aborted) {
			ending.abort(new Error(signal));
			ask = noMachine;
			resolve(statusOfSignal(signal));
		} else if (forcingSignals.includes(signal)) {
			force();
			close();
			process.kill(process.pid, signal);
		}
	};
	const taken = caughtSignals();
	for (const signal of endingSignals) {
		// A profiler's signal is the profiler's. Node.js itself catches those that force, and lets them be caught instead.
		if (taken(signal) && !forcingSignals.includes(signal)) continue;
		handlers.set(signal, () => end(signal));
	}

	for (const [signal, change] of Object.entries(machineSignals))
		handlers.set(signal as keyof typeof machineSignals, () => ask(change));

	for (const [signal, handler] of handlers) process.on(signal, handler);
	// Node.js cannot catch real-time signals, and by default they would end the process.
	for (let signal = SIGRTMIN; signal <= SIGRTMAX; signal++) ignoreSignal(signal);
	const close = () => {
		for (const [signal, handler] of handlers) process.off(signal, handler);
	};
	return {
		first,
		ending: ending.signal,
		close,
		follow(machine, failed) {
			// A machine that is being stopped is left alone.
			if (!ending.signal.aborted) ask = (change) => void machine[change]().catch(failed);
			if (isPaused) ask('pause');
			return () => {
				ask = noMachine;
			};
		},
	};
}

// glibc keeps 32 and 33 for itself.
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/** Tells of a signal whether this process has a handler for it already (proc(5), SigCgt). */
function caughtSignals(): (signal: NodeJS.Signals) => boolean {
	const [, mask = '0'] = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1')) ?? [];
	const caught = BigInt(`0x${mask}`);
	return (signal) => ((caught >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n;
}
