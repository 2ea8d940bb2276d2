import test from 'ava';
import {SleepWatch} from './sleep-watch.ts';

test('a host that has slept is noticed once, and one that was busy or whose clock is coarse is not', (t) => {
	const clocks = {monotonic: 1000, boot: 50_000};
	const watch = new SleepWatch({monotonicMs: () => clocks.monotonic, bootMs: () => Math.floor(clocks.boot / 10) * 10});
	t.false(watch.look());
	clocks.monotonic += 3_600_000;
	clocks.boot += 3_600_000;
	t.false(watch.look(), 'nobody looked for long');
	clocks.monotonic += 2001;
	clocks.boot += 2001 + 60_000;
	t.true(watch.look(), 'it slept for a minute');
	t.false(watch.look());
	for (let round = 0; round < 100; round++) {
		clocks.monotonic += 2003;
		clocks.boot += 2003;
		t.false(watch.look());
	}
});
