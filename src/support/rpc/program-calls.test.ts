import test, {type ExecutionContext} from 'ava';
import type {Timer} from '#support/reactor';
import {ProgramCalls, type ProgramObject, ProgramObjects} from './index.ts';

/** A program and a thread's way to it, with timers that go off when the test says so. */
function connected(t: ExecutionContext) {
	const timers = new Set<() => void>();
	const after = (_delayNs: number, expired: () => void): Timer => {
		timers.add(expired);
		return {cancel: () => void timers.delete(expired)};
	};
	const objects = new ProgramObjects();
	const calls = new ProgramCalls(objects.connect(), {after});
	// The channel keeps no process from its end.
	const kept = setInterval(() => {}, 1000);
	t.teardown(() => {
		calls.close();
		clearInterval(kept);
	});
	const passTime = () => {
		for (const expired of [...timers]) expired();
	};
	return {objects, calls, caller: calls.caller(), timers, passTime};
}

const never = () => new Promise(() => {});

test('an object that stays with the program answers by value, and keeps its own', async (t) => {
	const {objects, caller, timers} = connected(t);
	let total = 0;
	const handle = objects.keep({
		add: async (number: number) => {
			total += number;
			return {total};
		},
	});
	t.deepEqual(await caller.call(handle, 'add', 3), {kind: 'value', value: {total: 3}});
	t.deepEqual(await caller.call(handle, 'add', 4), {kind: 'value', value: {total: 7}});
	t.deepEqual(await caller.call(handle, 'none', 4), {kind: 'value', value: undefined});
	t.is(timers.size, 0, 'no timer is left');
});

const wild: readonly (readonly [string, ProgramObject[string], object])[] = [
	[
		'throws',
		() => {
			throw Object.assign(new Error('full'), {code: 'ENOSPC'});
		},
		{kind: 'failed', message: 'full', code: 'ENOSPC'},
	],
	['is rejected', () => Promise.reject(new Error('later')), {kind: 'failed', message: 'later', code: undefined}],
	[
		'throws no error',
		() => {
			throw null;
		},
		{kind: 'failed', message: 'null', code: undefined},
	],
	[
		'throws what cannot be shown',
		() => {
			throw {
				toString() {
					throw new Error();
				},
			};
		},
		{kind: 'failed', message: 'it has thrown what cannot be shown', code: undefined},
	],
	['gives what a thread cannot have', () => ({call: () => {}}), {kind: 'failed', code: undefined}],
	[
		'gives what fails when it is read',
		() => ({
			get value() {
				throw new Error('no');
			},
		}),
		{kind: 'failed'},
	],
	[
		'gives what fails when it is waited for',
		() => ({
			// biome-ignore lint/suspicious/noThenProperty: a program may do that
			then() {
				throw new Error('wait');
			},
		}),
		{kind: 'failed', message: 'wait'},
	],
];
for (const [what, method, expected] of wild)
	test(`a function that ${what} is an answer`, async (t) => {
		const {objects, caller} = connected(t);
		t.like(await caller.call(objects.keep({method}), 'method', {}), expected);
	});

test('a function that never answers has its time, and hears that nobody waits', async (t) => {
	const {objects, caller, passTime} = connected(t);
	const heard = Promise.withResolvers<void>();
	const begun = Promise.withResolvers<void>();
	const handle = objects.keep({
		wait: (_: unknown, signal) => {
			signal.addEventListener('abort', () => heard.resolve());
			begun.resolve();
			return never();
		},
	});
	const waiting = caller.call(handle, 'wait', 0);
	await begun.promise;
	t.is(objects.underWay, 1);
	passTime();
	t.deepEqual(await waiting, {kind: 'given-up'});
	await heard.promise;
	t.is(objects.underWay, 0, 'nothing of it is kept');
});

test('who calls may give it up, and an answer that comes later is nobody’s', async (t) => {
	const {objects, caller} = connected(t);
	const late = Promise.withResolvers<number>();
	const handle = objects.keep({late: () => late.promise, now: () => 1});
	const controller = new AbortController();
	const waiting = caller.call(handle, 'late', 0, {signal: controller.signal});
	controller.abort();
	t.deepEqual(await waiting, {kind: 'given-up'});
	t.deepEqual(await caller.call(handle, 'now', 0, {signal: controller.signal}), {kind: 'given-up'});
	late.resolve(5);
	t.deepEqual(await caller.call(handle, 'now', 0), {kind: 'value', value: 1});
});

test('a device that goes takes its calls along, and those of others go on', async (t) => {
	const {objects, calls, caller, timers} = connected(t);
	const answer = Promise.withResolvers<number>();
	const heard = Promise.withResolvers<void>();
	const handle = objects.keep({
		answer: () => answer.promise,
		wait: (_: unknown, signal) => {
			signal.addEventListener('abort', () => heard.resolve());
			return never();
		},
	});
	const other = calls.caller();
	const [gone, going] = [caller.call(handle, 'wait', 0), other.call(handle, 'answer', 0)];
	caller.close();
	t.deepEqual(await gone, {kind: 'gone'});
	await heard.promise;
	t.is(objects.underWay, 1, 'the other’s');
	t.deepEqual(await caller.call(handle, 'answer', 0), {kind: 'gone'});
	answer.resolve(2);
	t.deepEqual(await going, {kind: 'value', value: 2});
	t.is(timers.size, 0);
	const last = other.call(handle, 'answer', 0);
	objects.forget(handle);
	t.deepEqual(await last, {kind: 'value', value: 2}, 'it was asked before');
	t.deepEqual(await other.call(handle, 'answer', 0), {kind: 'gone'});
	t.is(objects.size, 0);
});

test('when the machine ends the program hears it, and what was said before is heard', async (t) => {
	const {objects, calls, caller} = connected(t);
	const heard: unknown[] = [];
	const aborted = Promise.withResolvers<void>();
	const handle = objects.keep({
		hear: (argument: unknown) => void heard.push(argument),
		wait: (_: unknown, signal) => {
			signal.addEventListener('abort', () => aborted.resolve());
			return never();
		},
	});
	const waiting = caller.call(handle, 'wait', 0);
	const last = caller.call(handle, 'hear', 'last words');
	objects.close();
	t.deepEqual(heard, ['last words']);
	await aborted.promise;
	t.deepEqual(await waiting, {kind: 'gone'});
	t.deepEqual(await last, {kind: 'gone'});
	calls.close();
	t.is(objects.size, 0);
});

test('a guest that causes calls without end is bounded', async (t) => {
	const {objects, caller} = connected(t);
	const handle = objects.keep({never});
	for (let count = 0; count < 1024; count++) void caller.call(handle, 'never', count);
	t.like(await caller.call(handle, 'never', 0), {kind: 'failed', code: 'EAGAIN'});
});
