import test from 'ava';
import {runOnFragileMachines} from './fragile-machines.ts';

class Death extends Error {}

/**
 * Runs `files` on machines that die at the nth run of a file, as often as `deaths` says, and takes note of what happens.
 * @param startsFail - so many machines do not come up
 * @param crashes - how often a file has a result that its machine may be at fault for
 */
async function runFiles(
	files: readonly string[],
	deaths: Readonly<Record<string, number>>,
	startsFail = 0,
	crashes: Readonly<Record<string, number>> = {},
) {
	const left = new Map(Object.entries(deaths));
	const crashing = new Map(Object.entries(crashes));
	const machines: string[][] = [];
	const reports: string[] = [];
	let failing = startsFail;
	const outcome = await runOnFragileMachines<string>({
		files,
		concurrency: 2,
		async start() {
			if (failing-- > 0) throw new Death('no boot');
			const ran: string[] = [];
			machines.push(ran);
			const {promise: died, reject} = Promise.withResolvers<never>();
			died.catch(() => {});
			return {
				async run(file: string) {
					ran.push(file);
					const isDeadly = (left.get(file) ?? 0) > 0;
					const crashesLeft = crashing.get(file) ?? 0;
					crashing.set(file, crashesLeft - 1);
					const result = crashesLeft > 0 ? `${file} crashed` : file;
					if (!isDeadly) return Promise.race([died, new Promise<string>((done) => setImmediate(done, result))]);
					left.set(file, (left.get(file) ?? 0) - 1);
					reject(new Death(file));
					return died;
				},
				async [Symbol.asyncDispose]() {},
			};
		},
		isDeath: (error) => error instanceof Death,
		doubt: (result) => (result.endsWith('crashed') ? result : undefined),
		died: (error, cutOff, givenUp) =>
			reports.push(`${(error as Error).message}: ${cutOff.join(' ')}; given up: ${givenUp.join(' ')}`),
	});
	return {...outcome, machines, reports};
}

test('files that let their machine live share one', async (t) => {
	const {results, notRun, machines} = await runFiles(['a', 'b', 'c'], {});

	t.deepEqual([results.toSorted(), notRun, machines], [['a', 'b', 'c'], [], [['a', 'b', 'c']]]);
});

test('after a death only what was cut off runs again, each alone, and the others after it', async (t) => {
	const {results, notRun, machines, reports} = await runFiles(['a', 'b', 'c', 'd'], {b: 1});

	t.deepEqual(results.toSorted(), ['a', 'b', 'c', 'd']);
	t.deepEqual(notRun, []);
	t.deepEqual(machines, [['a', 'b'], ['a'], ['b'], ['c', 'd']]);
	t.deepEqual(reports, ['b: a b; given up: ']);
});

test('a file that is cut off three times is given up by name, and the others still run', async (t) => {
	const {results, notRun, machines} = await runFiles(['a', 'b', 'c'], {b: 9});

	t.deepEqual(results.toSorted(), ['a', 'c']);
	t.deepEqual(notRun, ['b']);
	t.is(machines.flat().filter((file) => file === 'b').length, 3);
});

test('with two such files nothing more is tried', async (t) => {
	const {results, notRun} = await runFiles(['a', 'b', 'c'], {a: 9, b: 9});

	t.deepEqual(results, []);
	t.deepEqual(notRun.toSorted(), ['a', 'b', 'c']);
});

test('a machine that never comes up ends the run', async (t) => {
	const {results, notRun, machines, reports} = await runFiles(['a', 'b'], {}, 9);

	t.deepEqual([results, notRun.toSorted(), machines], [[], ['a', 'b'], []]);
	t.is(reports.length, 3);
});

test('one that does not come up is no fault of the files, which share the next', async (t) => {
	const {notRun, machines} = await runFiles(['a', 'b', 'c'], {}, 1);

	t.deepEqual([notRun, machines], [[], [['a', 'b', 'c']]]);
});

test('an error that is no death of a machine ends the run with it', async (t) => {
	const run = runOnFragileMachines({
		files: ['a'],
		concurrency: 2,
		start: async () => ({run: () => Promise.reject(new TypeError('a bug')), async [Symbol.asyncDispose]() {}}),
		isDeath: (error) => error instanceof Death,
		doubt: () => undefined,
		died: () => {},
	});

	await t.throwsAsync(run, {instanceOf: TypeError});
});

test('a crash is tried once more, alone on a fresh machine', async (t) => {
	const {results, machines, reports} = await runFiles(['a', 'b', 'c'], {}, 0, {a: 1});

	t.deepEqual(results.toSorted(), ['a', 'b', 'c']);
	t.deepEqual(machines, [['a', 'b'], ['a'], ['c']]);
	t.deepEqual(reports, ['a crashed: a; given up: ']);
});

test('a file that crashes again has failed', async (t) => {
	const {results, notRun, machines} = await runFiles(['a'], {}, 0, {a: 9});

	t.deepEqual([results, notRun, machines], [['a crashed'], [], [['a'], ['a']]]);
});
