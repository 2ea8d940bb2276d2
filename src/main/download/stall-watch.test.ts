import {mock} from 'node:test';
import test from 'ava';
import type {DownloadFaults} from './faults.ts';
import {usualPatience} from './patience.ts';
import {StallWatch} from './stall-watch.ts';

const faults: DownloadFaults = {
	unreachable: (_, what) => new Error(what),
	stalled: (_, bytes, seconds) => new Error(`less than ${bytes} bytes in ${seconds} s`),
	redirected: (_, what) => new Error(what),
};
const url = new URL('http://example.test/file');

/** What ends a line on which so many bytes come in each second of an hour, and after how many seconds. */
function endOf(bytesPerSecond: number): [what: string, seconds: number] {
	mock.timers.reset();
	mock.timers.enable({apis: ['setInterval', 'setTimeout']});
	const watch = new StallWatch(url, usualPatience.spans, faults);
	for (let seconds = 1; seconds <= 3600; seconds++) {
		watch.count(bytesPerSecond);
		mock.timers.tick(1000);
		if (watch.signal.aborted) return [(watch.signal.reason as Error).message, seconds];
	}
	watch.close();
	return ['it goes on', 3600];
}

test.serial('a line that is dead ends soon, one that trickles later, and one that is slow goes on', (t) => {
	t.deepEqual(endOf(0), ['less than 1024 bytes in 30 s', 30]);
	t.deepEqual(endOf(34), ['less than 1024 bytes in 30 s', 30]);
	t.deepEqual(endOf(35), ['less than 1048576 bytes in 600 s', 600]);
	t.deepEqual(endOf(1747), ['less than 1048576 bytes in 600 s', 600]);
	t.deepEqual(endOf(1748), ['it goes on', 3600]);
	mock.timers.reset();
});

test.serial('each span is for itself: what came before does not help', (t) => {
	mock.timers.reset();
	mock.timers.enable({apis: ['setInterval', 'setTimeout']});
	const watch = new StallWatch(url, usualPatience.spans, faults);
	watch.count(2 ** 30);
	mock.timers.tick(30_000);
	t.false(watch.signal.aborted);
	mock.timers.tick(30_000);
	t.true(watch.signal.aborted);
	mock.timers.reset();
});
