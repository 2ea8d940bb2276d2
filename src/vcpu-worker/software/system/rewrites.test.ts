import test from 'ava';
import {Rewrites} from './rewrites.ts';

const first = {low: 1, high: 0};
const last = {low: 0, high: -(2 ** 31)};
const all = {low: -1, high: -1};
const period = 2 ** 28;

test('times are those of the line that was rewritten most often, and four at most', (t) => {
	const rewrites = new Rewrites();
	t.is(rewrites.times(7, all, 0), 0);
	for (let time = 0; time < 3; time++) rewrites.note(7, last, 10);
	rewrites.note(7, first, 10);
	t.deepEqual(
		[first, last, all, {low: 2, high: 0}].map((lines) => rewrites.times(7, lines, 20)),
		[1, 3, 3, 0],
	);
	t.is(rewrites.times(7, last, 20, 1), 4);
	for (let time = 0; time < 10; time++) rewrites.note(7, last, 30);
	t.is(rewrites.times(7, last, 40, 1), 4);
	t.is(rewrites.times(8, last, 40), 0);
});

test('they are forgotten one by one', (t) => {
	const rewrites = new Rewrites();
	for (let time = 0; time < 3; time++) rewrites.note(7, last, 10);
	rewrites.note(7, first, 10);
	const now = (time: number) => [rewrites.times(7, last, time), rewrites.times(7, first, time)];
	t.deepEqual(now(period), [3, 1]);
	t.deepEqual(now(period + 10), [2, 0]);
	t.deepEqual(now(3 * period + 10), [0, 0]);
	rewrites.note(7, last, 3 * period + 20);
	t.deepEqual(now(3 * period + 20), [1, 0]);
});

test('of pages that were rewritten longest ago nothing is known any more', (t) => {
	const rewrites = new Rewrites();
	for (let page = 0; page < 4096; page++) rewrites.note(page, first, 0);
	rewrites.note(0, first, 1);
	rewrites.note(4096, first, 1);
	t.deepEqual(
		[0, 1, 2, 4096].map((page) => rewrites.times(page, first, 1)),
		[2, 0, 1, 1],
	);
});
