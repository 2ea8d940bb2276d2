/**
 * A sequence lock in the first of shared words: odd while its owner changes what it guards, another number after each change. Readers take
 * nothing: they look at the number before and after. Owners exclude each other by other means, and never stay.
 */

const spins = 10_000;

/** Time that a reader sleeps at once, in milliseconds, while an owner has no processor. */
const sleepMs = 1;

/** Begins a change. */
export const beginChange = (words: Int32Array): void => void Atomics.add(words, 0, 1);

/** Ends a change. */
export const endChange = (words: Int32Array): void => void Atomics.add(words, 0, 1);

/** The number with which a reader begins: waits for the change that is under way. */
export function sequence(words: Int32Array): number {
	for (let spin = 0; ; spin++) {
		const number = Atomics.load(words, 0);
		if ((number & 1) === 0) return number;
		if (spin > spins) Atomics.wait(words, 0, number, sleepMs);
	}
}

/** True when nothing has changed since a reader began. */
export const isSame = (words: Int32Array, number: number): boolean => Atomics.load(words, 0) === number;
