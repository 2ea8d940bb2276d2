import test from 'ava';
import {PollWindow} from './poll-window.ts';

const most = 50_000;

test('a thread whose work comes late looks for it ever shorter, and then not at all', (t) => {
	const window = new PollWindow();
	t.is(window.ns(most), most);
	const windows = [1, 2, 3, 4].map(() => {
		window.slept(most, most);
		return window.ns(most);
	});
	t.deepEqual(windows, [25_000, 12_500, 0, 0]);
});

test('one whose work would have been found looks longer, up to the most that there is', (t) => {
	const window = new PollWindow();
	for (let sleep = 0; sleep < 9; sleep++) window.slept(1e9, most);
	const windows = [1, 2, 3, 4, 5].map(() => {
		window.slept(most - 1, most);
		return window.ns(most);
	});
	t.deepEqual(windows, [10_000, 20_000, 40_000, 50_000, 50_000]);
	t.is(window.ns(most / 5), 10_000, 'the owner lowers it while the machine runs');
	t.is(window.ns(0), 0);
});
