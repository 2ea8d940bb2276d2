import test from 'ava';
import {FairTurn, turnMs} from './fair-turn.ts';

/** Parts of one thread, whose calls are never through and each take this many milliseconds, and how long each part has had. */
function thread(...callMs: readonly number[]) {
	let nowMs = 1000;
	const had = callMs.map(() => 0);
	const parts = callMs.map((ms, part) => {
		const turn = new FairTurn(() => nowMs);
		const poll = (isOver: () => boolean) => {
			do {
				nowMs += ms;
				had[part] = (had[part] as number) + ms;
			} while (!isOver());
			return true;
		};
		return () => turn.take({poll});
	});
	return {had, parts};
}

test('a turn ends with the call that is under way when its time is over', (t) => {
	const {had, parts} = thread(0.75);
	t.true(parts[0]?.());
	t.deepEqual(had, [2.25]);
});

test('a part whose calls take long gets no more of the thread than the others', (t) => {
	const {had, parts} = thread(50, 0.25, 3);
	for (let round = 0; round < 1000; round++) for (const take of parts) t.true(take());
	for (const ms of had) t.true(Math.abs(ms - 1000 * turnMs) <= 50 + turnMs, `${had}`);
});

test('a call that takes for ever is paid for with so many turns, and a turn without work owes nothing', (t) => {
	let nowMs = 0;
	const turn = new FairTurn(() => nowMs);
	const takes: number[] = [];
	const take = (ms: number) =>
		turn.take({
			poll: () => {
				takes.push(ms);
				nowMs += ms;
				return false;
			},
		});
	t.false(take(60_000));
	let leftOut = 0;
	while (take(0)) leftOut++;
	t.false(take(0));
	t.deepEqual([leftOut, takes], [100, [60_000, 0, 0]]);
});

test('a part that throws has had its turn all the same', (t) => {
	let nowMs = 0;
	const turn = new FairTurn(() => nowMs);
	const poll = () => {
		nowMs += 2 * turnMs;
		throw new Error('a bug');
	};
	t.throws(() => turn.take({poll}), {message: 'a bug'});
	t.true(turn.take({poll}), 'the next is left out');
	t.throws(() => turn.take({poll}));
});
