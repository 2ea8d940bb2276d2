import {libc} from './libc.ts';

/** A signal set: the kernel uses 8 bytes of it, libc up to 128. */
function signalSet(signals: readonly number[]): Uint8Array {
	const set = new Uint8Array(128);
	for (const signal of signals) set[(signal - 1) >> 3] = (set[(signal - 1) >> 3] as number) | (1 << ((signal - 1) & 7));
	return set;
}

const SIG_BLOCK = 0;
const SIG_IGN = 1;

const cGettid = libc('int gettid(void)');
const cTgkill = libc('int tgkill(int pid, int tid, int signal)');
const cSigmask = libc('int pthread_sigmask(int how, const void *set, void *old)');
// The handler is a pointer to a function, or one of a few small numbers.
const cSignal = libc('intptr_t signal(int signal, intptr_t handler)');
const cTcgetpgrp = libc('int tcgetpgrp(int fd)');
const cGetpgrp = libc('int getpgrp(void)');
const cSigtimedwait = libc('int sigtimedwait(const void *set, void *info, const void *timeout)');

/** The calling thread's id. */
export const gettid = (): number => cGettid();

/** Sends a signal to one thread of this process. 0 or the negated errno. */
export const signalThread = (tid: number, signal: number): number => cTgkill(process.pid, tid, signal);

/** Blocks a signal in the calling thread. */
export const blockSignal = (signal: number): number => cSigmask(SIG_BLOCK, signalSet([signal]), null);

/** The process group that has the terminal at `fd`, or the negated errno: -ENOTTY when it is not the one that controls this process. */
export const foregroundGroup = (fd: number): number => cTcgetpgrp(fd);

/** The process group of this process. */
export const processGroup = (): number => cGetpgrp();

/** Has the whole process ignore a signal: one that a thread blocks is kept for it all the same. */
export const ignoreSignal = (signal: number): number => cSignal(signal, SIG_IGN);

/** Makes a function that takes one pending, blocked signal off the calling thread; true when there was one. */
export function signalConsumer(signal: number): () => boolean {
	const set = signalSet([signal]);
	const now = new Uint8Array(16);
	return () => cSigtimedwait(set, null, now) === signal;
}
