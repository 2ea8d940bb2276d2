import test from 'ava';
import {PollHistory} from './poll-history.ts';

/** How many of some idle times are looked through, of which each finds work within `delay`, where looking lasts 50. */
function looks(history: PollHistory, delay: number, times: number): number {
	let count = 0;
	for (let time = 0; time < times; time++) {
		if (!history.idle()) continue;
		count++;
		if (delay < 50) history.found();
		else history.missed();
	}
	return count;
}

test('while work comes soon it is looked for each time', (t) => {
	t.is(looks(new PollHistory(), 20, 1000), 1000);
});

test('where work comes late it is looked for rarely, and always again as soon as it comes sooner', (t) => {
	const history = new PollHistory();
	t.is(looks(history, 200, 8), 8);
	t.is(looks(history, 200, 800), 100);
	t.is(looks(history, 20, 8), 1);
	t.is(looks(history, 20, 100), 100);
});

test('a late one now and then changes nothing', (t) => {
	const history = new PollHistory();
	for (let time = 0; time < 100; time++) {
		t.true(history.idle());
		if (time % 4 === 3) history.found();
		else history.missed();
	}
});
