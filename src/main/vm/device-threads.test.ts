import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {openSnapshot} from '#main/snapshot';
import type {DevicePlace} from '#main/workers';
import {InProcessWorkers} from '#main/workers/testing';
import {ReactorState} from '#support/reactor';
import {ProgramObjects} from '#support/rpc';
import type {Guest} from '#vcpu-worker/hypervisor/testing';
import {DeviceThreads} from './device-threads.ts';
import {type FakeMachineOptions, fakeMachine, openFiles} from './testing/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-device-thread-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const module = join(folder, 'device.mjs');
writeFileSync(
	module,
	`import {u8, wire} from '${import.meta.resolve('#support/wire')}';
	export default {
		kind: 'own',
		state: wire('own', {value: u8}),
		attach: {regions: () => [{space: 'pio', name: 'port', base: 0x600, length: 1}]},
		front: () => ({read: () => 0, write() {}}),
	};`,
);

function* nothing(): Guest {}

const hotPlugPcie = {
	rootComplexes: [
		{
			...{name: 'rc0', segment: 0, startBus: 0, endBus: 15, preserveBars: false},
			...{lowMmioBytes: 2 ** 26, highMmioBytes: 2 ** 26},
		},
	],
	rootPorts: [{rootComplex: 'rc0', name: 'rp0', hotplug: true, acs: 0, pasid: false}],
	switches: [],
	ecamBelow4Gb: false,
};

test.serial(
	'machines share their devices’ thread, but for those that may hang it or want one of their own',
	async (t) => {
		const workers = new InProcessWorkers({deviceThreads: 1});
		const threadsWith = async (options: FakeMachineOptions) => {
			await fakeMachine(t, [nothing], {...options, workers});
			return workers.devices.length;
		};
		t.is(await threadsWith({}), 1);
		t.is(await threadsWith({}), 1);
		t.is(await threadsWith({config: {devices: [{module}]}}), 2);
		t.is(await threadsWith({pollNs: 1000}), 3);
		t.is(await threadsWith({config: {pcie: hotPlugPcie}}), 4, 'a module may come to its port');
		t.is(await threadsWith({}), 4);
	},
);

test.serial('the death of a thread ends each machine on it by name, and the next machine gets another', async (t) => {
	const before = openFiles();
	const workers = new InProcessWorkers({deviceThreads: 1});
	const machines = [];
	for (let number = 0; number < 2; number++) machines.push(await fakeMachine(t, [nothing], {workers, start: true}));
	workers.devices[0]?.die(new Error('out of memory'));
	for (const {vm} of machines) {
		const message = "The devices' thread failed: out of memory";
		t.like(await vm.ended, {kind: 'error', error: {code: 'INTERNAL_ERROR', message}});
	}
	t.deepEqual([workers.alive, openFiles()], [0, before]);
	const {vm} = await fakeMachine(t, [nothing], {workers, start: true});
	await vm.stop();
	t.deepEqual(await vm.ended, {kind: 'stopped'});
	t.is(workers.devices.length, 2);
});

const disk = {kind: 'virtio-blk-mmio', options: {disk: 'mem:4K', queues: 3, workers: 3, base: 0xd000_0000, irq: 20}};

test.serial('a machine has a thread for each worker of its device, and all end with it', async (t) => {
	const before = openFiles();
	const workers = new InProcessWorkers({deviceThreads: 1});
	const {vm} = await fakeMachine(t, [nothing], {workers, config: {devices: [disk]}, start: true});
	t.is(workers.devices.length, 3);
	await fakeMachine(t, [nothing], {workers, start: true});
	t.is(workers.devices.length, 3, 'another machine shares one of them');
	await vm.stop();
	t.deepEqual(await vm.ended, {kind: 'stopped'});
	t.is(workers.alive, 2, 'that one, and its processor');
	t.true(openFiles() > before);
});

for (const worker of [1, 2]) {
	test.serial(`the death of worker ${worker} ends the machine by name, running and at rest`, async (t) => {
		for (const start of [true, false]) {
			const workers = new InProcessWorkers({deviceThreads: 1});
			const {vm} = await fakeMachine(t, [nothing], {workers, config: {devices: [disk]}, start});
			workers.devices[worker]?.die(new Error('out of memory'));
			const message = "The devices' thread failed: out of memory";
			t.like(await vm.ended, {kind: 'error', error: {code: 'INTERNAL_ERROR', message}});
			t.is(workers.alive, 0);
		}
	});
}

test.serial('a worker that hangs keeps its machine from no end', async (t) => {
	const workers = new InProcessWorkers({deviceThreads: 1});
	const limits = {restMs: 20, endStepMs: 20};
	const {vm} = await fakeMachine(t, [nothing], {workers, limits, config: {devices: [disk]}, start: true});
	workers.devices[2]?.hang();
	await vm.stop();
	t.like(await vm.ended, {kind: 'error', error: {code: 'VM_NOT_AT_REST'}});
});

test.serial(
	'a device with more workers than its machine was started with is refused, and the machine goes on',
	async (t) => {
		const {vm} = await fakeMachine(t, [nothing], {config: {pcie: hotPlugPcie}, start: true});
		const options = {disk: 'mem:4K', queues: 2, workers: 2};
		await t.throwsAsync(vm.addPcieDevice('rp0', {kind: 'virtio-blk', options}), {code: 'DEVICE_WORKERS_IMPOSSIBLE'});
		await vm.addPcieDevice('rp0', {kind: 'virtio-blk', options: {...options, workers: 1}});
		t.is(vm.state, 'running');
		await vm.stop();
	},
);

test.serial('a folder comes to a machine with one thread, which serves it then', async (t) => {
	const {vm} = await fakeMachine(t, [nothing], {config: {pcie: hotPlugPcie}, start: true});
	for (const kind of ['virtio-fs', 'virtio-9p']) {
		await vm.addPcieDevice('rp0', {kind, options: {tag: 'host', folder}});
		await vm.removePcieDevice('rp0');
	}
	await vm.stop();
	t.deepEqual(await vm.ended, {kind: 'stopped'});
});

test.serial('a device of several workers comes to a machine that has as many, and goes', async (t) => {
	const before = openFiles();
	const workers = new InProcessWorkers({deviceThreads: 1});
	const {vm} = await fakeMachine(t, [nothing], {
		workers,
		config: {pcie: hotPlugPcie, devices: [disk]},
		start: true,
	});
	t.is(workers.devices.length, 3);
	for (const id of ['one', 'two']) {
		await vm.addPcieDevice('rp0', {kind: 'virtio-blk', options: {disk: 'mem:4K', queues: 2, workers: 2, id}});
		await vm.removePcieDevice('rp0');
	}
	await vm.stop();
	t.deepEqual(await vm.ended, {kind: 'stopped'});
	t.is(openFiles(), before);
});

test.serial('a snapshot does not say how many workers a device had', async (t) => {
	const directory = join(folder, 'workers');
	const optionsOf = (workers: number) => ({config: {devices: [{...disk, options: {...disk.options, workers}}]}});
	const {vm: saved} = await fakeMachine(t, [nothing], {...optionsOf(3), start: true});
	await saved.pause();
	await saved.saveSnapshot(directory);
	await saved.stop();
	const snapshot = openSnapshot(directory);
	t.teardown(() => snapshot.close());
	for (const count of [1, 2]) {
		const workers = new InProcessWorkers();
		const {vm} = await fakeMachine(t, [nothing], {...optionsOf(count), workers, snapshot, start: true});
		t.is(workers.devices.length, count);
		await vm.stop();
		t.deepEqual(await vm.ended, {kind: 'stopped'});
	}
});

test.serial('a thread that hangs is what each machine on it ends with, by its own tear-down', async (t) => {
	const workers = new InProcessWorkers({deviceThreads: 1});
	const limits = {restMs: 20, endStepMs: 20};
	const machines = [];
	for (let number = 0; number < 2; number++)
		machines.push(await fakeMachine(t, [nothing], {workers, limits, start: true}));
	workers.devices[0]?.hang();
	for (const {vm, hypervisor} of machines) {
		t.is(vm.state, 'running');
		await vm.stop();
		t.like(await vm.ended, {kind: 'error', error: {code: 'VM_NOT_AT_REST'}});
		t.false(hypervisor.isClosed, 'the thread may still use what the host gave');
	}
});

test('devices of a machine that is given up before they are begun are not made', async (t) => {
	const asked: PropertyKey[] = [];
	const api = new Proxy({}, {get: (_, method) => async () => void asked.push(method)}) as DevicePlace['api'];
	const threads = () => {
		const place = {
			api,
			machine: 0,
			reactor: new SharedArrayBuffer(ReactorState.byteLength),
			failed: new Promise<never>(() => {}),
		};
		const leave = async () => void asked.push('leave');
		return new DeviceThreads([{...place, leave, eventLoopUse: () => 0}], {} as never, new ProgramObjects());
	};
	const [kept, givenUp] = [threads(), threads()];
	kept.begin();
	await kept.ready();
	t.deepEqual(asked.splice(0), ['create', 'failure']);
	await givenUp.dispose();
	givenUp.begin();
	t.deepEqual(asked, ['leave']);
});
