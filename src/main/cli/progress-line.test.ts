import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {ProgressLine} from './progress-line.ts';

/** A line whose clock the test has, and what it has written. */
function lineOf(isShown = true) {
	const written: string[] = [];
	const clock = {ms: 0};
	let wrote = Promise.withResolvers<void>();
	const line = new ProgressLine({
		isShown,
		columns: 50,
		now: () => clock.ms,
		write(text) {
			written.push(text);
			wrote.resolve();
			wrote = Promise.withResolvers();
		},
	});
	/** Resolves when it writes by itself. */
	const next = () => wrote.promise;
	return {line, written, clock, next};
}

test('a step that tells nothing more is shown after a second all the same, and goes on', async (t) => {
	const {line, written, clock, next} = lineOf();
	// The line keeps no process, whose work does.
	const work = setInterval(() => {}, 1000);
	t.teardown(() => clearInterval(work));
	line.update('machine', 0, 0);
	line.update('boot', 0, 0);
	t.deepEqual(written, [], 'what takes no longer says nothing');
	clock.ms = 3000;
	await next();
	t.is(written.at(-1), '\ropenvmm: boot… 3 s');
	clock.ms = 4000;
	await next();
	t.is(written.at(-1)?.trimEnd(), '\ropenvmm: boot… 4 s');
	line.clear();
	t.is(written.at(-1), `\r${' '.repeat('openvmm: boot… 4 s'.length)}\r`);
	const {length} = written;
	clock.ms = 5000;
	// Longer than it takes between two lines.
	await sleep(500);
	t.is(written.length, length, 'it is gone');
});

test('each step counts for itself, and a line is never longer than its terminal', (t) => {
	const {line, written, clock} = lineOf();
	clock.ms = 10_000;
	line.update('image download', 10, 100);
	clock.ms = 20_000;
	line.update('image download', 50, 100);
	t.is(written.at(-1)?.trimEnd(), '\ropenvmm: image download: 50 %, 10 s left');
	line.update('image unpack', 0, 100);
	clock.ms = 21_000;
	line.update('image unpack', 10, 100);
	t.is(written.at(-1)?.trimEnd(), '\ropenvmm: image unpack: 10 %, 9 s left', 'not of the step before');
	clock.ms = 21_100;
	const {length} = written;
	line.update('image unpack', 20, 100);
	t.is(written.length, length, 'not more often than anybody reads');
	line.update('a step whose name is longer than all of the line', 10, 100);
	t.true((written.at(-1) ?? '').trimEnd().length <= 50);
	line.clear();
});

test('nobody is told where nobody looks', (t) => {
	const {line, written, clock} = lineOf(false);
	clock.ms = 5000;
	line.update('boot', 0, 0);
	line.clear();
	t.deepEqual(written, []);
});
