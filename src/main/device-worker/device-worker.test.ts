import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {plainMemory} from '#devices/guest-memory/testing';
import {DeviceBacks, layOutMachine} from '#devices/machine';
import {loadDeviceModels} from '#devices/registry';
import {close, eventfd} from '#support/ffi';
import {MailboxCaller, mailboxBytes, WakerState} from '#support/mailbox';
import {EpollReactor, ReactorState} from '#support/reactor';
import {ProgramObjects} from '#support/rpc';
import {FakeHypervisor} from '#vcpu-worker/hypervisor/testing';
import {attachMachine} from '#vcpu-worker/machine';
import {DeviceWorker} from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-device-worker-'));
test.after.always(() => rmSync(folder, {recursive: true}));

/** Acts of the backs, in order: they are on this thread. */
const told: string[] = [];
let later = Promise.withResolvers<void>();
Object.assign(globalThis, {toldOfDevices: told, laterOfDevices: () => later.promise});

const path = join(folder, 'device.mjs');
writeFileSync(
	path,
	`import {u8, wire} from '${import.meta.resolve('#support/wire')}';
	const told = globalThis.toldOfDevices;
	export default {
		kind: 'timed',
		state: wire('timed', {delay: u8}),
		attach: {regions: () => [{space: 'pio', name: 'port', base: 0x500, length: 1}]},
		front: (_config, state, services) => ({
			read: () => 0,
			write(_region, _offset, _size, value) {
				state.delay = value;
				services.notifyBack();
			},
		}),
		back: ({name}, state, services) => ({
			notified() {
				const {delay} = state;
				if (delay === 0xff) throw new Error('a bug');
				if (delay === 0xfe) {
					told.push(name + ' waits');
					return laterOfDevices();
				}
				services.reactor.after(delay * 1e6, () => told.push(name + ' ' + delay));
			},
			open: () => name === 'hanging' ? new Promise(() => {}) : Promise.resolve(),
			start: () => told.push(name + ' starts'),
			stop: () => name === 'restless' ? new Promise(() => {}) : Promise.resolve(),
			dispose: () => told.push(name + ' goes'),
		}),
	};`,
);
const modules = [pathToFileURL(path).href];

/** A device worker on this thread, which its reactor has until the test is done. */
async function workerOf(t: ExecutionContext, ...names: readonly string[]) {
	told.length = 0;
	later = Promise.withResolvers();
	const reactor = new EpollReactor();
	const left = Promise.withResolvers<void>();
	const warnings: string[] = [];
	const warn = (message: string) => void warnings.push(message);
	const worker = new DeviceWorker({openReactor: () => reactor, leave: left.resolve, warn});
	const shared = new SharedArrayBuffer(ReactorState.byteLength);
	const state = ReactorState.on(shared);
	const {findModel} = await loadDeviceModels(modules);
	const machines = [];
	const creations: Promise<void>[] = [];
	for (const [number, name] of names.entries()) {
		const waker = {buffer: new SharedArrayBuffer(WakerState.byteLength), wakeFd: eventfd()};
		t.teardown(() => close(waker.wakeFd));
		const mailbox = {buffer: new SharedArrayBuffer(mailboxBytes(1)), callers: 1, waker};
		const device = {name, kind: 'timed', config: {name}} as const;
		const layout = layOutMachine([device], findModel, {modules, wakers: [waker], mailbox});
		const partition = new FakeHypervisor([]).create({irqchip: 'kernel', processors: 1}).handle;
		const handle = {layout, memory: plainMemory(), partition};
		const {machine} = await attachMachine(handle, {alertsBootCpu: false});
		machine.reset();
		const created = worker.create(number, {
			...handle,
			worker: 0,
			reactor: shared,
			program: new ProgramObjects().connect(),
			pollNs: 0,
		});
		creations.push(created);
		if (name !== 'hanging') {
			await created;
			worker.start(number);
		}
		const bus = machine.bus(new MailboxCaller(mailbox, 0, {spins: 1, patienceMs: 1}));
		machines.push({write: (value: number) => bus.writePort(0x500, 1, value)});
	}
	/** Waits as the thread's reactor has it: nothing else ends its wait. */
	const pass = (ms: number) => new Promise<void>((resolve) => void reactor.after(ms * 1e6, resolve));
	/** Waits until the backs have come to that. */
	const until = async (text: string) => {
		while (!told.includes(text)) await pass(1);
	};
	/** Everything goes, and the thread with it. */
	const end = async () => {
		await worker.dispose();
		await left.promise;
	};
	return {worker, machines, creations, reactor, state, warnings, pass, until, end};
}

test.serial('timers of all machines come in one order, and those of one that has left not at all', async (t) => {
	const {worker, machines, pass, until, end} = await workerOf(t, 'one', 'two');
	const [one, two] = machines;
	one?.write(250);
	two?.write(1);
	await until('one 250');
	t.deepEqual(told.splice(0), ['one starts', 'two starts', 'two 1', 'one 250']);
	one?.write(200);
	two?.write(250);
	// Both are armed in the turn in which this is over.
	await pass(0);
	await worker.remove(0);
	t.is(await worker.failure(0), undefined);
	await until('two 250');
	await end();
	t.deepEqual(told, ['one goes', 'two 250', 'two goes']);
});

test.serial('a machine is stopped alone, and one that does not come to rest keeps nobody', async (t) => {
	const {worker, machines, reactor, pass, until, end} = await workerOf(t, 'restless', 'calm');
	const [restless, calm] = machines;
	told.length = 0;
	let hasStopped = false;
	void worker.stop(0).then(() => {
		hasStopped = true;
	});
	await worker.stop(1);
	calm?.write(1);
	await pass(10);
	t.deepEqual(told, [], 'it waits until the machine goes on');
	worker.start(1);
	await until('calm 1');
	t.deepEqual(told, ['calm starts', 'calm 1']);
	t.false(hasStopped);
	await worker.remove(0);
	t.is(reactor.state.parts, 1);
	restless?.write(1);
	calm?.write(3);
	await until('calm 3');
	await end();
	t.deepEqual(told.slice(2), ['restless goes', 'calm 3', 'calm goes']);
});

test.serial('what goes wrong with a device or in serving a machine ends that machine only', async (t) => {
	const {worker, machines, until, end} = await workerOf(t, 'failing', 'broken', 'well');
	const [failing, , well] = machines;
	const {poll} = DeviceBacks.prototype;
	const served = new Set<DeviceBacks>();
	// A mistake of ours, in the second machine.
	DeviceBacks.prototype.poll = function (this: DeviceBacks) {
		if ([...served.add(this)].indexOf(this) === 1) throw new Error('a slip');
		return poll.call(this);
	};
	t.teardown(() => {
		DeviceBacks.prototype.poll = poll;
	});
	failing?.write(0xff);
	well?.write(1);
	t.like(await worker.failure(0), {code: 'DEVICE_FAILED', context: {device: 'failing', when: 'notified'}});
	const slip = await worker.failure(1);
	t.is(slip?.code, 'INTERNAL_ERROR');
	t.regex(slip?.message ?? '', /a slip/);
	await until('well 1');
	well?.write(2);
	await until('well 2');
	t.deepEqual(
		told.filter((text) => text.startsWith('well')),
		['well starts', 'well 1', 'well 2'],
	);
	await worker.remove(0);
	await worker.remove(1);
	await end();
});

test.serial('a machine whose files do not open keeps no other from its start, and can be given up', async (t) => {
	const {worker, machines, creations, reactor, until, end} = await workerOf(t, 'hanging', 'well');
	const [, well] = machines;
	well?.write(1);
	await until('well 1');
	t.is(reactor.state.parts, 1, 'nothing of the other is served');
	await worker.remove(0);
	await creations[0];
	well?.write(2);
	await until('well 2');
	await end();
	t.deepEqual(told, ['well starts', 'well 1', 'hanging goes', 'well 2', 'well goes']);
});

test.serial('what a machine has left under way may fail: its thread counts that, and warns once', async (t) => {
	const {worker, machines, state, warnings, until, end} = await workerOf(t, 'leaving', 'well');
	const [leaving, well] = machines;
	for (let time = 0; time < 2; time++) {
		told.length = 0;
		leaving?.write(0xfe);
		await until('leaving waits');
	}
	await worker.remove(0);
	later.reject(new Error('a bug'));
	well?.write(1);
	await until('well 1');
	t.deepEqual(warnings, ['The device leaving failed (notified): a bug. It has gone, and so nothing follows']);
	t.is(state.lateFailures, 2);
	await end();
});
