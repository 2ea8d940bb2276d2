import {balloonPage} from './handle.ts';

/**
 * Calls `visit` for each range that some of the guest's pages make together: drivers list them one by one, and seldom in their order.
 * @param numbers - of the pages; their order is lost
 */
export function eachPageRun(numbers: Uint32Array, visit: (gpa: number, length: number) => void): void {
	numbers.sort();
	for (let first = 0; first < numbers.length; ) {
		let last = first;
		// One that is there twice does not make the range longer.
		while (last + 1 < numbers.length && (numbers[last + 1] as number) - (numbers[last] as number) <= 1) last++;
		const [low, high] = [numbers[first] as number, numbers[last] as number];
		visit(low * balloonPage, (high - low + 1) * balloonPage);
		first = last + 1;
	}
}
