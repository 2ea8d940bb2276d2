/** A futex-style lock in one shared word: 0 free, 1 held, 2 held with waiters (Drepper, "Futexes Are Tricky"). */

const spins = 200;

/** Time that a thread waits for a lock, in milliseconds: holders run bounded code, so that one that takes longer hangs. */
export const lockPatienceMs = 30_000;

/**
 * Waits come in so many slices: while the whole process is stopped, only the one that was under way runs out. So does one in which
 * others take the lock again and again.
 */
const slices = 50;

/**
 * Takes the lock. Holders run bounded, non-blocking code, so a short spin usually suffices; then the thread sleeps.
 * @returns false when it was not to be had in time, and is not held
 */
export function lock(words: Int32Array, index: number, patienceMs: number = lockPatienceMs): boolean {
	if (tryLock(words, index)) return true;
	for (let spin = 0; spin < spins; spin++) {
		if (tryLock(words, index)) return true;
	}
	const sliceMs = patienceMs / slices;
	for (let slice = 0; Atomics.exchange(words, index, 2) !== 0; ) {
		const end = performance.now() + sliceMs;
		let left = sliceMs;
		while (left > 0 && Atomics.wait(words, index, 2, left) !== 'timed-out') {
			if (Atomics.exchange(words, index, 2) === 0) return true;
			left = end - performance.now();
		}
		slice++;
		if (slice === slices) return false;
	}
	return true;
}

/** Takes the lock if it is free. */
export const tryLock = (words: Int32Array, index: number): boolean => Atomics.compareExchange(words, index, 0, 1) === 0;

/** Releases the lock and wakes one waiter if there may be any. */
export function unlock(words: Int32Array, index: number): void {
	if (Atomics.exchange(words, index, 0) === 2) Atomics.notify(words, index, 1);
}
