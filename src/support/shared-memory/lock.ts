/** A futex-style lock in one shared word: 0 free, 1 held, 2 held with waiters (Drepper, "Futexes Are Tricky"). */

const spins = 200;

/** Takes the lock. Holders run bounded, non-blocking code, so a short spin usually suffices; then the thread sleeps. */
export function lock(words: Int32Array, index: number): void {
	if (Atomics.compareExchange(words, index, 0, 1) === 0) return;
	for (let spin = 0; spin < spins; spin++) {
		if (Atomics.compareExchange(words, index, 0, 1) === 0) return;
	}
	while (Atomics.exchange(words, index, 2) !== 0) Atomics.wait(words, index, 2);
}

/** Releases the lock and wakes one waiter if there may be any. */
export function unlock(words: Int32Array, index: number): void {
	if (Atomics.exchange(words, index, 0) === 2) Atomics.notify(words, index, 1);
}
