import {setImmediate as nextTurn} from 'node:timers/promises';
import test from 'ava';
import {handOut} from './hand-out.ts';

/** Jobs of a pool of one thread, which are done when the test says so. */
function handing(signal?: AbortSignal) {
	const begun: number[] = [];
	const jobs = Array.from({length: 5}, () => Promise.withResolvers<void>());
	let isOver = false;
	const act = (job: number) => {
		begun.push(job);
		return jobs[job]?.promise ?? Promise.reject(new Error('there is none'));
	};
	const handed = handOut({threads: 1}, jobs.keys(), act, signal).finally(() => {
		isOver = true;
	});
	handed.catch(() => {});
	return {begun, jobs, handed, isOver: () => isOver};
}

test('jobs are handed out a few at a time, until all are done', async (t) => {
	const {begun, jobs, handed} = handing();
	t.deepEqual(begun, [0, 1]);
	jobs[1]?.resolve();
	await nextTurn();
	t.deepEqual(begun, [0, 1, 2]);
	for (const job of jobs) job.resolve();
	await handed;
	t.deepEqual(begun, [0, 1, 2, 3, 4]);
});

for (const [what, giveUp] of [
	['a signal', (asked: AbortController) => asked.abort(new Error('enough'))],
	['a failure', (_: AbortController, fail: (cause: Error) => void) => fail(new Error('enough'))],
] as const) {
	test(`after ${what} none is begun, and what is under way is waited for`, async (t) => {
		const asked = new AbortController();
		const {begun, jobs, handed, isOver} = handing(asked.signal);
		const [first, second] = jobs;
		giveUp(asked, (cause) => first?.reject(cause));
		first?.resolve();
		await nextTurn();
		t.false(isOver());
		second?.resolve();
		await t.throwsAsync(handed, {message: 'enough'});
		t.deepEqual(begun, [0, 1]);
	});
}

test('a signal amid the last jobs is not lost', async (t) => {
	const asked = new AbortController();
	const {jobs, handed} = handing(asked.signal);
	for (const job of jobs.slice(0, 4)) job.resolve();
	await nextTurn();
	asked.abort(new Error('enough'));
	jobs[4]?.resolve();
	await t.throwsAsync(handed, {message: 'enough'});
});
