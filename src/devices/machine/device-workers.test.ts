import test from 'ava';
import type {DeviceBack, DeviceModel} from '#devices/device';
import {completeModel} from '#devices/pci/function';
import {FakeReactor, oneThreadMachine} from '#devices/testing';
import {u8, wire} from '#support/wire';
import type {DeviceFailurePolicy} from './device-failure.ts';
import {DeviceBacks, workerOf, workersFor} from './index.ts';

const State = wire('several', {written: u8});
/** Values that the guest writes to the front's port. */
const [rest, notify] = [1, 2];
const queues = 3;

interface Options {
	readonly workers?: number;
	readonly policy?: DeviceFailurePolicy;
	/** Callbacks of a worker's back in place of telling. */
	readonly changes?: readonly (Partial<DeviceBack> | undefined)[];
	/** Lets the backs stop when the test says so. */
	readonly holds?: boolean;
	/** Called when the front is told that all have come to rest. */
	readonly rested?: () => void;
}

/** A device of three queues on two workers, of which each has an attachment and a reactor of its own, all on this thread. */
function make({workers = 2, policy = 'machine', changes = [], holds = false, rested}: Options = {}) {
	const told: string[] = [];
	const failures: string[] = [];
	const stopping: (() => void)[][] = [[], []];
	const model: DeviceModel<object, typeof State.fields> = {
		kind: 'several',
		state: State,
		attach: {regions: () => [{space: 'pio', name: 'port', base: 0x500, length: 16}]},
		doorbells: () =>
			Array.from({length: queues}, (_, queue) => ({region: 0, offset: 4 + 4 * queue, size: 'any', queue})),
		workers: () => workers,
		front: (_config, state, services) => ({
			read: () => state.written,
			write(_region, _offset, _size, value) {
				if (value === rest) services.restBack();
				else if (value === notify) services.notifyBack();
				state.written = value;
			},
			rested() {
				told.push(`rested after ${state.written}`);
				rested?.();
			},
		}),
		back: (_config, _state, {worker: {index}}) => ({
			start: () => void told.push(`${index} starts`),
			stop: () => {
				told.push(`${index} stops`);
				return holds ? new Promise((resolve) => void stopping[index]?.push(resolve)) : Promise.resolve();
			},
			notified: () => void told.push(`${index} notified`),
			queueReady: (queue) => void told.push(`${index} has queue ${queue}`),
			dispose: () => void told.push(`${index} goes`),
			...changes[index],
		}),
	};
	const device = {name: 'disk', kind: 'several', config: {}} as const;
	const parts = {findModel: () => completeModel(model), deviceFailure: policy, workers: 2};
	const {machine, layout, bus} = oneThreadMachine([device], parts);
	const threads = [0, 1].map((worker) => {
		const {machine: attached} = oneThreadMachine([], {...parts, layout});
		const reactor = new FakeReactor();
		const failed = ({message}: Error) => void failures.push(`worker ${worker}: ${message}`);
		return {reactor, backs: new DeviceBacks(attached, reactor, failed, {worker, stopLimitNs: 1e6})};
	});
	const [one, two] = threads.map(({backs}) => backs) as [DeviceBacks, DeviceBacks];
	const settle = () => new Promise<void>((resolve) => void setImmediate(resolve));
	return {
		...{machine, layout, bus, one, two, failures},
		reactors: threads.map(({reactor}) => reactor),
		taken: () => told.splice(0),
		write: (value: number) => bus.writePort(0x500, 1, value),
		ring: (queue: number) => bus.writePort(0x504 + 4 * queue, 4, 0),
		/** Both have started and done what there was. */
		begin() {
			for (const {backs} of threads) {
				backs.start();
				backs.poll();
			}
			return told.splice(0);
		},
		/** Does a worker's one turn, and all that follows from it. */
		async turn(backs: DeviceBacks) {
			const worked = backs.poll();
			await settle();
			return worked;
		},
		async stopped(worker: number) {
			for (const resolve of stopping[worker]?.splice(0) ?? []) resolve();
			await settle();
		},
		settle,
	};
}

test('a doorbell reaches the worker that has its queue and no other, a front’s call reaches all', (t) => {
	const {one, two, begin, ring, write, taken} = make();
	t.deepEqual(begin(), ['0 starts', '0 has queue 0', '0 has queue 2', '1 starts', '1 has queue 1']);
	ring(1);
	t.false(one.poll());
	t.true(two.poll());
	ring(2);
	t.false(two.poll());
	t.true(one.poll());
	t.deepEqual(taken(), ['1 has queue 1', '0 has queue 2']);
	write(notify);
	t.true(two.poll());
	t.true(one.poll());
	t.deepEqual(taken(), ['1 notified', '0 notified']);
});

for (const [first, second] of [
	[0, 1],
	[1, 0],
] as const) {
	test(`a rest is over when the last worker has come to it, and all start again: worker ${first} comes first`, async (t) => {
		const {one, two, begin, write, ring, turn, stopped, taken} = make({holds: true});
		const workers = [one, two] as const;
		begin();
		write(rest);
		await turn(workers[first]);
		await stopped(first);
		t.deepEqual(taken(), [`${first} stops`]);
		write(rest);
		for (const queue of [0, 1]) ring(queue);
		await turn(workers[first]);
		t.deepEqual(taken(), [], 'who has come waits for the other');
		await turn(workers[second]);
		t.deepEqual(taken(), [`${second} stops`], 'its queue is told later');
		await turn(workers[second]);
		t.deepEqual(taken(), []);
		await stopped(second);
		t.deepEqual(taken(), [`rested after ${rest}`, `${second} starts`]);
		for (const worker of [second, first]) {
			await turn(workers[worker]);
			await turn(workers[worker]);
		}
		const queuesOf = [['0 has queue 0', '0 has queue 2'], ['1 has queue 1']];
		t.deepEqual(taken(), [...(queuesOf[second] ?? []), `${first} starts`, ...(queuesOf[first] ?? [])]);
		t.false(one.poll() || two.poll());
	});
}

test('a rest that is asked for before all have left the one before is another one', async (t) => {
	const {one, two, begin, write, turn, taken, failures} = make();
	begin();
	write(rest);
	await turn(one);
	await turn(two);
	t.deepEqual(taken(), ['0 stops', '1 stops', `rested after ${rest}`, '1 starts']);
	write(rest);
	await turn(two);
	t.deepEqual(taken(), ['1 stops'], 'it waits for the other, which has not even started');
	await turn(one);
	await turn(one);
	t.deepEqual(taken(), ['0 starts', '0 stops', `rested after ${rest}`, '0 starts']);
	await turn(two);
	t.deepEqual(taken().slice(0, 1), ['1 starts']);
	t.deepEqual(failures, []);
});

for (const looked of [[], [0], [1]]) {
	test(`a machine that stops has a rest done that workers ${looked.join() || 'none'} have seen`, async (t) => {
		const {one, two, begin, write, turn, settle, taken, reactors} = make();
		begin();
		write(rest);
		for (const worker of looked) await turn([one, two][worker] as DeviceBacks);
		const stops = [one.stop(), two.stop()];
		await Promise.all(stops);
		await settle();
		const all = taken();
		t.deepEqual(all.filter((what) => what.endsWith('stops')).sort(), ['0 stops', '1 stops'], 'each once');
		t.deepEqual(all.slice(-1), [`rested after ${rest}`], 'and nothing starts');
		for (const {timers} of reactors) t.is(timers.size, 0);
		t.deepEqual(begin(), ['0 starts', '0 has queue 0', '0 has queue 2', '1 starts', '1 has queue 1']);
	});
}

for (const policy of ['machine', 'device'] as const) {
	test(`a worker that never comes to a rest is named within the limit, the policy being ${policy}`, async (t) => {
		const {machine, one, bus, begin, write, turn, taken, failures, reactors} = make({policy});
		begin();
		write(rest);
		await turn(one);
		taken();
		reactors[0]?.turn(2e6);
		const message = 'These devices do not come to rest: disk (workers that do not answer: 1)';
		t.is(machine.devices[0]?.faults.message, message);
		t.deepEqual(failures, policy === 'machine' ? [`worker 0: ${message}`] : []);
		t.deepEqual(taken(), ['0 goes']);
		t.is(bus.readPort(0x500, 1), 0xff);
	});

	test(`a back that throws on one worker takes down its device on all, the policy being ${policy}`, async (t) => {
		const throwing = () => {
			throw new Error('a bug');
		};
		const {one, two, bus, begin, ring, turn, taken, failures} = make({
			policy,
			changes: [undefined, {queueReady: throwing}],
		});
		one.start();
		two.start();
		t.true(one.poll());
		taken();
		await turn(two);
		t.deepEqual(taken(), ['1 goes']);
		ring(0);
		await turn(one);
		t.deepEqual(taken(), ['0 goes'], 'no queue is served any more');
		t.deepEqual(failures, policy === 'machine' ? ['worker 1: The device disk failed (queueReady): a bug'] : []);
		t.is(bus.readPort(0x500, 1), 0xff);
		await Promise.all([one.stop(), two.stop()]);
		t.deepEqual(begin(), []);
	});
}

test('a front that throws at the end of a rest fails its device once, and nobody waits', async (t) => {
	const {one, two, bus, begin, write, turn, taken, failures, reactors} = make({
		rested: () => {
			throw new Error('a bug');
		},
	});
	begin();
	write(rest);
	await turn(one);
	await turn(two);
	await turn(one);
	t.deepEqual(failures, ['worker 1: The device disk failed (rested): a bug']);
	t.deepEqual(taken(), ['0 stops', '1 stops', `rested after ${rest}`, '1 goes', '0 goes']);
	t.is(bus.readPort(0x500, 1), 0xff);
	t.is(reactors[0]?.timers.size, 0);
});

test('a back that throws while the device comes to rest does not keep the other workers waiting', async (t) => {
	const {one, two, begin, write, turn, taken, failures, reactors} = make({
		changes: [undefined, {stop: () => Promise.reject(new Error('no space left'))}],
	});
	begin();
	write(rest);
	await turn(one);
	await turn(two);
	await turn(one);
	t.deepEqual(failures, ['worker 1: The device disk failed (stop): no space left']);
	t.deepEqual(taken(), ['0 stops', '1 goes', '0 goes']);
	t.is(reactors[0]?.timers.size, 0);
});

test('a worker whose back does not come to rest fails the device, and the others do not wait for it', async (t) => {
	const {machine, one, two, begin, write, turn, settle, stopped, taken, failures, reactors} = make({
		holds: true,
		policy: 'device',
	});
	begin();
	write(rest);
	await turn(one);
	await stopped(0);
	await turn(two);
	reactors[1]?.turn(2e6);
	await settle();
	await turn(one);
	t.deepEqual(failures, []);
	t.is(machine.devices[0]?.faults.message, 'These devices do not come to rest: disk');
	t.is(machine.devices[0]?.header.late, 2);
	t.deepEqual(taken(), ['0 stops', '1 stops', '1 goes', '0 goes']);
	await stopped(1);
	t.is(machine.devices[0]?.header.late, 0);
});

test('what the backs have together is given back when the last worker has left, and has released all', async (t) => {
	const bytes = 64 * 1024;
	const released = Promise.withResolvers<void>();
	const kept: Uint8Array[] = [];
	const model: DeviceModel<object, typeof State.fields> = {
		kind: 'keeper',
		state: State,
		attach: {regions: () => [{space: 'pio', name: 'port', base: 0x500, length: 2}]},
		doorbells: () => [0, 1].map((queue) => ({region: 0, offset: queue, size: 1, queue})),
		workers: () => 2,
		hostMemory: () => bytes,
		front: () => ({read: () => 0, write() {}}),
		back: (_config, _state, {hostMemory, worker: {index}}) => {
			kept.push(new Uint8Array(hostMemory as SharedArrayBuffer));
			return {
				start() {},
				stop: async () => {},
				notified() {},
				dispose: () => (index === 0 ? released.promise : undefined),
			};
		},
	};
	const parts = {findModel: () => completeModel(model), workers: 2};
	const {machine} = oneThreadMachine([{name: 'keeper', kind: 'keeper', config: {}}], parts);
	const [one, two] = [0, 1].map((worker) => new DeviceBacks(machine, new FakeReactor(), () => t.fail(), {worker}));
	const middle = bytes / 2;
	t.is(kept[1]?.[middle], 0);
	(kept[0] as Uint8Array)[middle] = 9;
	await two?.dispose();
	t.is(kept[1]?.[middle], 9, 'the same memory, which one still uses');
	const ended = one?.dispose();
	t.is(kept[1]?.[middle], 9, 'it may still be written');
	released.resolve();
	await ended;
	t.is(kept[1]?.[middle], 0);
});

for (const workers of [0, 4, 9, 1.5, Number.NaN, 2 ** 40]) {
	test(`${workers} workers for three queues are refused by the device’s name`, (t) => {
		t.throws(() => make({workers}), {code: 'DEVICE_WORKERS_IMPOSSIBLE', message: /disk/});
	});
}

test('a machine has as many workers as a device of it wants, and at most as many as one may have', (t) => {
	const findModel = (kind: string) => ({...completeModel({} as never), workers: () => Number(kind)}) as never;
	const wanted = (...kinds: string[]) =>
		workersFor(
			kinds.map((kind) => ({name: kind, kind, config: {}})),
			findModel,
		);
	t.deepEqual([wanted(), wanted('1', '3', '2'), wanted('8'), wanted('9', '0'), wanted('NaN')], [1, 3, 8, 1, 1]);
});

test('a device that leaves the first thread to the others has its queues on the next, or on the one that there is', (t) => {
	const model: DeviceModel<object, typeof State.fields> = {
		kind: 'waiting',
		state: State,
		attach: {regions: () => [{space: 'pio', name: 'port', base: 0x500, length: 16}]},
		doorbells: () => [{region: 0, offset: 4, size: 'any', queue: 0}],
		workers: () => 2,
		firstWorker: 1,
		mayWait: true,
		front: () => ({read: () => 0, write() {}}),
		back: () => ({start() {}, stop: async () => {}, notified() {}, queueReady: () => false, dispose() {}}),
	};
	const device = {name: 'files', kind: 'waiting', config: {}} as const;
	for (const [workers, own] of [
		[2, 1],
		[3, 1],
		[1, 0],
	] as const) {
		const {layout} = oneThreadMachine([device], {findModel: () => completeModel(model), workers});
		const calls = layout.devices[0]?.calls;
		t.is(calls && workerOf(calls, 0), own, `of ${workers}`);
	}
	t.is(
		workersFor([device], () => completeModel(model)),
		2,
	);
});
