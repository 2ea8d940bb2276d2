import test from 'ava';
import {SeededRandom} from '#devices/storage/image/testing';
import {RangeTurns, type RangeWork} from './range-turns.ts';

class Work implements RangeWork {
	readonly number: number;
	readonly start: number;
	readonly end: number;
	readonly clears: boolean;
	hasBegun = false;

	constructor(number: number, start: number, end: number, clears: boolean) {
		this.number = number;
		this.start = start;
		this.end = end;
		this.clears = clears;
	}

	begin(): void {
		this.hasBegun = true;
	}
}

test('who clears a range is alone in it, whatever came before goes first, and all get their turn', (t) => {
	const random = new SeededRandom(4);
	const turns = new RangeTurns<Work>();
	const under: Work[] = [];
	const hasToWait = (work: Work, other: Work) =>
		(work.clears || other.clears) && work.start < other.end && other.start < work.end;
	let together = 0;
	for (let number = 0; number < 3000 || under.length > 0; number++) {
		const active = under.filter(({hasBegun}) => hasBegun);
		together = Math.max(together, active.length);
		if (number < 3000 && (under.length === 0 || random.below(2) === 0) && under.length < 16) {
			const start = random.below(40);
			const work = new Work(number, start, start + 1 + random.below(5), random.below(4) === 0);
			under.push(work);
			turns.begin(work);
		} else {
			const ended = active[random.below(active.length)] as Work;
			under.splice(under.indexOf(ended), 1);
			turns.end(ended);
		}
		for (const work of under) {
			const isBlocked = under.some((other) => other.number < work.number && hasToWait(work, other));
			if (work.hasBegun === isBlocked)
				throw new Error(`${work.number} ${isBlocked ? 'has begun' : 'waits for nothing'}`);
		}
	}
	t.true(together > 6);
});

test('thousands that wait for one and end as soon as they begin take no room on the stack', (t) => {
	const turns = new RangeTurns<RangeWork>();
	const first = new Work(0, 0, 1, true);
	turns.begin(first);
	const ended: number[] = [];
	for (let number = 0; number < 20_000; number++) {
		const begin = () => {
			ended.push(number);
			turns.end(work);
		};
		const work: RangeWork = {start: 0, end: 1, clears: false, begin};
		turns.begin(work);
	}
	t.is(ended.length, 0);
	turns.end(first);
	t.is(ended.length, 20_000);
	t.true(ended.every((number, index) => number === index));
});
