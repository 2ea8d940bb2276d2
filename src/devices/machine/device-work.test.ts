import test from 'ava';
import type {BackServices, DeviceBack, DeviceModel} from '#devices/device';
import {completeModel} from '#devices/pci/function';
import {FakeReactor, oneThreadMachine} from '#devices/testing';
import {u8, wire} from '#support/wire';
import {DeviceBacks} from './index.ts';

const State = wire('working', {value: u8});

/** A device of three queues, and two workers unless said; each worker's back is what `backOf` makes. */
function machineOf(backOf: (services: BackServices) => Partial<DeviceBack>, workers = 2) {
	const told: string[] = [];
	const model: DeviceModel<null, typeof State.fields> = {
		kind: 'working',
		state: State,
		attach: {regions: () => [{space: 'mmio', name: 'bells', base: 0xd000_0000, length: 12}]},
		doorbells: () => [0, 1, 2].map((queue) => ({region: 0, offset: 4 * queue, size: 4, queue})),
		workers: () => workers,
		front: () => ({read: () => 0, write() {}}),
		back: (_config, _state, services) => ({
			start() {},
			stop: async () => {},
			notified() {},
			queueReady: (queue) => void told.push(`${services.worker.index} serves ${queue}`),
			dispose() {},
			...backOf(services),
		}),
	};
	const device = {name: 'it', kind: 'working', config: null};
	const {machine} = oneThreadMachine([device], {findModel: () => completeModel(model), workers});
	const parts = Array.from({length: workers}, (_, worker) => {
		const reactor = new FakeReactor();
		const failed = ({message}: Error) => void told.push(message);
		return {reactor, backs: new DeviceBacks(machine, reactor, failed, {worker, stopLimitNs: 1e6})};
	});
	const settle = () => new Promise<void>((resolve) => void setImmediate(resolve));
	return {told, parts, settle, backs: parts[0]?.backs as DeviceBacks, reactor: parts[0]?.reactor as FakeReactor};
}

test('a stop waits for the promises that are tracked, and those that come meanwhile', async (t) => {
	const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
	const acts: string[] = [];
	const {backs, settle} = machineOf(
		({track, drained}) => ({
			start: () => track(first.promise.then(() => track(second.promise))),
			async stop() {
				acts.push('stops');
				await drained();
				acts.push('has drained');
			},
		}),
		1,
	);
	backs.start();
	const stopped = backs.stop().then(() => void acts.push('is at rest'));
	await settle();
	first.resolve();
	await settle();
	t.deepEqual(acts, ['stops']);
	second.resolve();
	await stopped;
	t.deepEqual(acts, ['stops', 'has drained', 'is at rest']);
});

test('what is tracked and does not come back is named with its number, beside what the back says', async (t) => {
	const never = new Promise<void>(() => {});
	const kinds = ['a write', 'a write', 'a read', undefined];
	const {backs, reactor, settle} = machineOf(
		({track}) => ({
			start: () => {
				for (const kind of kinds) track(never, kind);
			},
			inFlight: () => 'a tape',
		}),
		1,
	);
	backs.start();
	const stopped = backs.stop();
	await settle();
	reactor.turn(2e6);
	const message = 'These devices do not come to rest: it (a tape, 2 times a write, a read, a promise)';
	await t.throwsAsync(stopped, {code: 'DEVICE_STOP_TIMEOUT', message});
});

test('a promise that is tracked and rejected fails its device, and keeps no stop', async (t) => {
	const write = Promise.withResolvers<void>();
	const {backs, told, settle} = machineOf(({track}) => ({start: () => track(write.promise, 'a write')}), 1);
	backs.start();
	write.reject(new Error('no space'));
	await settle();
	t.deepEqual(told, ['The device it failed (a write): no space']);
	await backs.stop();
});

test('a back has a queue of its worker served without a doorbell, while it runs', async (t) => {
	const all: BackServices[] = [];
	const {parts, told} = machineOf((services) => {
		all.push(services);
		return {};
	});
	const polls = () => parts.map(({backs}) => backs.poll());
	all[0]?.serve(2);
	polls();
	t.deepEqual(told, []);
	for (const {backs} of parts) backs.start();
	polls();
	t.deepEqual(told.splice(0), ['0 serves 0', '0 serves 2', '1 serves 1']);
	for (const queue of [2, 2]) all[0]?.serve(queue);
	parts[0]?.reactor.after(0, () => all[0]?.serve(0));
	t.deepEqual(polls(), [true, false]);
	t.deepEqual(told.splice(0), ['0 serves 2'], 'once, however often it was asked for');
	parts[0]?.reactor.turn();
	polls();
	t.deepEqual(told.splice(0), ['0 serves 0']);
	for (const queue of [1, 3, -1, 0.5, Number.NaN]) t.throws(() => all[0]?.serve(queue), {instanceOf: RangeError});
	await Promise.all(parts.map(({backs}) => backs.stop()));
	all[1]?.serve(1);
	polls();
	t.deepEqual(told, []);
});
