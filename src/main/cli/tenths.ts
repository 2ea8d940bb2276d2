import {howFar} from './progress-line.ts';

/** Says how far something has come, ten times in all, and how long it takes yet. @param now - milliseconds of a clock that only goes forward */
export function tenths(
	say: (text: string) => void,
	now: () => number = () => performance.now(),
): (done: number, total: number) => void {
	const began = now();
	let said = 0;
	return (done, total) => {
		const tenth = Math.floor((done / total) * 10);
		if (tenth === said) return;
		said = tenth;
		say(howFar(done, total, now() - began).replace(/^: /, ''));
	};
}
