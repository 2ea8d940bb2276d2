import test from 'ava';
import {ReactorState} from '#support/reactor';
import {type DevicePlace, DevicePool} from './device-pool.ts';

/** A pool whose threads note what is asked of them. */
function poolOf(most: number) {
	const threads: {
		readonly asked: string[];
		die(): void;
		/** Machines whose removal does not come back. */
		readonly hanging: Set<number>;
		/** What removing one rejects with. */
		unreleased?: Error;
	}[] = [];
	const pool = new DevicePool(() => {
		const asked: string[] = [];
		const {promise: failed, reject} = Promise.withResolvers<never>();
		const {promise: exited, resolve: exit} = Promise.withResolvers<void>();
		failed.catch(() => {});
		const thread: (typeof threads)[number] = {
			asked,
			hanging: new Set(),
			die() {
				reject(new Error('out of memory'));
				exit();
			},
		};
		threads.push(thread);
		const api = {
			async remove(machine: number) {
				asked.push(`remove ${machine}`);
				if (thread.unreleased !== undefined) throw thread.unreleased;
				if (thread.hanging.has(machine)) await new Promise(() => {});
			},
		};
		const leave = () => {
			asked.push('leave');
			exit();
			return exited;
		};
		return {api: api as never, failed, exited, eventLoopUse: () => 0, keepProcess() {}, connected() {}, leave};
	}, most);
	return {pool, threads};
}

test('machines get threads until there are enough, then places where there are the fewest', async (t) => {
	const {pool, threads} = poolOf(2);
	const [first, , third] = [pool.take(false), pool.take(false), pool.take(false)];
	t.is(threads.length, 2);
	t.is(third.reactor, first.reactor);
	t.not(third.machine, first.machine);
	const fourth = pool.take(false);
	t.not(fourth.reactor, first.reactor);
	await first.leave();
	t.deepEqual(threads[0]?.asked, [`remove ${first.machine}`], 'the other one stays');
	t.is(pool.take(false).reactor, third.reactor);
	t.is(threads.length, 2);
});

test('the places of one machine are on threads apart, though there be more of them than else', async (t) => {
	const {pool, threads} = poolOf(2);
	pool.take(false);
	const places: DevicePlace[] = [];
	for (let worker = 0; worker < 3; worker++) places.push(pool.take(false, places));
	t.is(new Set(places.map(({reactor}) => reactor)).size, 3);
	t.is(threads.length, 3, 'the first is shared');
	pool.take(false);
	t.is(threads.length, 3);
	const alone = [pool.take(true)];
	alone.push(pool.take(true, alone));
	t.is(threads.length, 5);
});

test('the last machine ends its thread, and the next one gets another', async (t) => {
	const {pool, threads} = poolOf(1);
	const [first, second] = [pool.take(false), pool.take(false)];
	threads[0]?.hanging.add(first.machine);
	void first.leave();
	await second.leave();
	t.deepEqual(threads[0]?.asked, [`remove ${first.machine}`, `remove ${second.machine}`, 'leave']);
	t.not(pool.take(false).reactor, first.reactor);
});

test('a machine of which something is not released says so, and its thread is told to end all the same', async (t) => {
	const {pool, threads} = poolOf(1);
	const [first, last] = [pool.take(false), pool.take(false)];
	const [thread] = threads;
	if (thread) thread.unreleased = new Error('closing /mnt/log');
	await t.throwsAsync(first.leave(), {message: 'closing /mnt/log'});
	t.false(thread?.asked.includes('leave'));
	await t.throwsAsync(last.leave(), {message: 'closing /mnt/log'});
	t.is(thread?.asked.at(-1), 'leave');
});

test('a machine that shall be alone stays alone, and is none of those that share', async (t) => {
	const {pool, threads} = poolOf(1);
	const alone = pool.take(true);
	const [shared, other] = [pool.take(false), pool.take(false)];
	t.not(shared.reactor, alone.reactor);
	t.is(other.reactor, shared.reactor);
	t.not(pool.take(true).reactor, alone.reactor);
	await alone.leave();
	t.deepEqual(threads[0]?.asked, [`remove ${alone.machine}`, 'leave']);
	t.is(threads.length, 3);
});

test('a thread that dies tells every machine on it, lets them leave, and gets no more', async (t) => {
	const {pool, threads} = poolOf(1);
	const [first, second] = [pool.take(false), pool.take(false)];
	threads[0]?.die();
	for (const {failed} of [first, second]) await t.throwsAsync(failed, {message: 'out of memory'});
	const third = pool.take(false);
	t.not(third.reactor, first.reactor);
	await Promise.all([first.leave(), second.leave()]);
	t.is(pool.take(false).reactor, third.reactor, 'the leaving of the dead is nothing to the others');
});

test('a thread that does not come back from a turn gets no machine until it does', async (t) => {
	const {pool, threads} = poolOf(1);
	const {reactor} = pool.take(false);
	const state = ReactorState.on(reactor);
	state.turnNs = Number(process.hrtime.bigint()) - 3e9;
	t.not(pool.take(false).reactor, reactor);
	state.waiting = 1;
	t.is(threads.length, 2);
	const places = [pool.take(false), pool.take(false)];
	t.true(places.some((place) => place.reactor === reactor));
});

test('a thread that has taken many machines in its life gets no more', async (t) => {
	const {pool, threads} = poolOf(1);
	pool.take(false);
	let taken = 1;
	for (; threads.length === 1; taken++) await pool.take(false).leave();
	t.is(taken, 65);
	t.is(threads[1]?.asked.at(-1), 'leave');
});
