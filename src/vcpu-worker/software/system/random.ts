import {fillRandom} from '#support/ffi';

/** Numbers that are taken from the host at once: a single one costs a thousand times as much. */
const batch = 512;

/** Gives 64 random bits at each call, of the host's generator for keys. */
export function randomNumbers(): () => bigint {
	const numbers = new BigUint64Array(batch);
	let left = 0;
	return () => {
		if (left === 0) {
			fillRandom(numbers);
			left = batch;
		}
		left--;
		const number = numbers[left] as bigint;
		// Nobody finds in memory what a guest has got.
		numbers[left] = 0n;
		return number;
	};
}
