import test from 'ava';
import {stopTimeout} from '#devices/machine';
import {type TearDownStep, tearDown} from './tear-down.ts';

const stopped = {kind: 'stopped'} as const;

/** Steps that take note of themselves and then do this. */
function steps(done: string[], actions: Readonly<Record<string, () => void | Promise<void>>>): TearDownStep[] {
	return Object.entries(actions).map(([name, action]) => ({
		name,
		run: () => {
			done.push(name);
			return action();
		},
		...(name === 'last' && {needsAll: true as const}),
	}));
}

const fails = () => Promise.reject(new Error('no such device'));
const throws = () => {
	throw new Error('a bug');
};
const hangs = () => new Promise<void>(() => {});
const works = () => {};

test('every step is done, whatever comes of those before it, and the first failure is told', async (t) => {
	const done: string[] = [];
	const end = await tearDown(stopped, steps(done, {first: fails, second: throws, last: works}), 1000);

	t.deepEqual(done, ['first', 'second', 'last']);
	t.like(end, {kind: 'error', error: {message: 'The machine could not be stopped: no such device'}});
});

test('a step that hangs is named, and what it may still use is kept', async (t) => {
	const done: string[] = [];
	const end = await tearDown(stopped, steps(done, {first: hangs, second: works, last: works}), 10);

	t.deepEqual(done, ['first', 'second']);
	t.like(end, {kind: 'error', error: {code: 'VM_STOP_INCOMPLETE', context: {parts: ['first']}}, hanging: ['first']});
});

test('what hangs is told beside whatever else ended the machine', async (t) => {
	const cause = {kind: 'error', error: {code: 'DEVICE_FAILED', message: 'The device x failed', context: {}}} as const;
	const late = () => Promise.reject(stopTimeout([{name: 'disk', inFlight: '1 request'}]));
	t.deepEqual(await tearDown(cause, steps([], {first: hangs, second: late, third: works}), 10), {
		...cause,
		hanging: ['first', 'second'],
	});
	const end = await tearDown(stopped, steps([], {first: late, last: works}), 10);
	t.like(end, {kind: 'error', error: {code: 'DEVICE_STOP_TIMEOUT'}, hanging: ['first']});
});

test('the first cause is the one that ended the machine', async (t) => {
	const cause = {kind: 'error', error: {code: 'DEVICE_FAILED', message: 'The device x failed', context: {}}} as const;
	t.is(await tearDown(cause, steps([], {first: throws}), 10), cause);
});

test('where nothing goes wrong the end is the one that was asked for', async (t) => {
	t.is(await tearDown(stopped, steps([], {first: works, last: async () => {}}), 10), stopped);
});

test('a step that goes on has its time again, until it goes on no more', async (t) => {
	const partsOf = (parts: number, most: number): TearDownStep => {
		const {promise, resolve} = Promise.withResolvers<void>();
		let looks = 0;
		const progress = () => {
			if (++looks === parts) resolve();
			return Math.min(looks, most);
		};
		return {name: 'many', run: () => promise, progress};
	};

	t.is(await tearDown(stopped, [partsOf(5, 5)], 10), stopped);
	t.like(await tearDown(stopped, [partsOf(5, 3)], 10), {kind: 'error', error: {code: 'VM_STOP_INCOMPLETE'}});
});
