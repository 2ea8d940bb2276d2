import {once} from 'node:events';
import {setTimeout as sleep} from 'node:timers/promises';
import {MessageChannel, type MessagePort} from 'node:worker_threads';
import test from 'ava';
import type {SpawnedWorker} from '#support/rpc';
import type {VcpuWorker} from '#vcpu-worker/worker';
import {VcpuPool} from './vcpu-pool.ts';

const longMs = 600_000;

/** A pool, and threads for it that note what is asked of them. */
function poolOf(most: number, spareMs = longMs) {
	const pool = new VcpuPool(most, spareMs);
	const threads: {
		readonly asked: string[];
		die(): void;
		/** What letting a machine go comes to. */
		released: () => Promise<boolean>;
		/** Opens a channel. */
		connect(): MessagePort;
	}[] = [];
	const start = () => {
		const asked: string[] = [];
		const {promise: failed, reject} = Promise.withResolvers<never>();
		const {promise: exited, resolve: exit} = Promise.withResolvers<void>();
		failed.catch(() => {});
		const die = () => {
			reject(new Error('out of memory'));
			exit();
		};
		const connect = () => {
			const {port1, port2} = new MessageChannel();
			worker.connected(port2);
			return port1;
		};
		const thread: (typeof threads)[number] = {asked, die, released: async () => true, connect};
		const api = {
			release: () => {
				asked.push('release');
				return thread.released();
			},
		};
		threads.push(thread);
		const leave = () => {
			asked.push('leave');
			exit();
			return exited;
		};
		const keepProcess = (isKept: boolean) => void asked.push(isKept ? 'keeps the process' : 'waits');
		const worker: SpawnedWorker<VcpuWorker> = {
			...{api: api as never, failed, exited, eventLoopUse: () => 0, keepProcess, leave},
			connected: () => {},
		};
		return worker;
	};
	return {pool, threads, take: () => pool.take(start)};
}

test('a machine takes the thread of one that has ended, which keeps no process meanwhile', async (t) => {
	const {pool, threads, take} = poolOf(2);
	const [first, second] = [take(), take()];
	t.is(threads.length, 2);
	await Promise.all([first.leave(), first.leave()]);
	t.is(pool.spares, 1, 'it is let go once');
	t.throws(() => first.api, {message: /let go/});
	const third = take();
	t.is(threads.length, 2);
	t.not(third.api, second.api);
	t.deepEqual(threads[0]?.asked, ['keeps the process', 'release', 'waits', 'keeps the process']);
	t.is(pool.spares, 0);
	t.not(take().api, third.api);
	t.is(threads.length, 3);
});

test('a channel that a thread opens is of the machine that has it', async (t) => {
	const {threads, take} = poolOf(1);
	const heard: string[] = [];
	const first = take();
	first.listen(() => heard.push('first'));
	threads[0]?.connect();
	await first.leave();
	const late = threads[0]?.connect() as MessagePort;
	late.ref();
	// Nobody has it.
	await once(late, 'close');
	take().listen(() => heard.push('second'));
	threads[0]?.connect();
	t.deepEqual(heard, ['first', 'second']);
	t.is(threads.length, 1);
});

test('no more threads wait than shall', async (t) => {
	const {pool, threads, take} = poolOf(1);
	const places = [take(), take()];
	for (const place of places) await place.leave();
	t.is(pool.spares, 1);
	t.deepEqual(
		threads.map(({asked}) => asked.at(-1)),
		['waits', 'leave'],
	);
});

for (const [how, released] of [
	['has failed', async () => false],
	['cannot release its machine', () => Promise.reject(new Error('KVM_RUN'))],
] as const) {
	test(`a thread that ${how} ends`, async (t) => {
		const {pool, threads, take} = poolOf(2);
		const place = take();
		const [thread] = threads;
		if (thread) thread.released = released;
		await place.leave();
		t.deepEqual(thread?.asked, ['keeps the process', 'release', 'leave']);
		t.is(pool.spares, 0);
	});
}

test("a thread that hangs is nobody else's", async (t) => {
	const {pool, threads, take} = poolOf(2);
	const place = take();
	const [thread] = threads;
	if (thread) thread.released = () => new Promise(() => {});
	void place.leave();
	take();
	t.is(threads.length, 2);
	t.is(pool.spares, 0);
});

test('the death of a thread is told to the machine that has it, also in its end, and to no other', async (t) => {
	const {threads, take} = poolOf(2);
	const first = take();
	await first.leave();
	const second = take();
	const [thread] = threads;
	if (thread) thread.released = () => new Promise(() => {});
	const leaving = second.leave();
	thread?.die();
	await t.throwsAsync(second.failed, {message: 'out of memory'});
	await leaving;
	t.is(await Promise.race([first.failed, sleep(0, 'nothing')]), 'nothing');
	take();
	t.is(threads.length, 2);
});

test('a thread that dies while it waits is taken no more', async (t) => {
	const {pool, threads, take} = poolOf(2);
	await take().leave();
	threads[0]?.die();
	await sleep(0);
	t.is(pool.spares, 0);
	await take().leave();
	t.is(threads.length, 2);
});

test('a thread that nobody takes ends after a while', async (t) => {
	const {pool, threads, take} = poolOf(1, 1);
	await take().leave();
	while (pool.spares > 0) await sleep(1);
	t.is(threads[0]?.asked.at(-1), 'leave');
});

test('a thread that has taken many machines in its life ends', async (t) => {
	const {threads, take} = poolOf(1);
	for (let taken = 0; threads.length < 2; taken++) {
		t.true(taken <= 64);
		await take().leave();
	}
	t.is(threads[0]?.asked.filter((what) => what === 'release').length, 64);
	t.is(threads[0]?.asked.at(-1), 'leave');
});
