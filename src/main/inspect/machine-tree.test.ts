import test from 'ava';
import {latchKind} from '#devices/chipset/latch';
import {serial16550Kind} from '#devices/chipset/serial-16550';
import {plainMemory} from '#devices/guest-memory/testing';
import {DeviceBacks} from '#devices/machine';
import {completeModel} from '#devices/pci/function';
import {findDeviceModel} from '#devices/registry';
import {FakeReactor, oneThreadMachine} from '#devices/testing';
import {vmConfig} from '#main/config';
import {gettid} from '#support/ffi';
import {inspectTree, toJson, updateTree} from '#support/inspect';
import {ReactorState} from '#support/reactor';
import {vcpuShared, vcpuSharedBytes} from '#vcpu-worker/protocol';
import type {InspectedVcpu} from './inspected-machine.ts';
import {machineTree} from './machine-tree.ts';

const owned = completeModel({
	kind: 'owned',
	attach: {regions: () => [{space: 'pio', name: 'port', base: 0x600, length: 4}]},
	owned: {
		version: 1,
		mostBytes: 1,
		make: () => ({read: () => 0, write() {}, reset() {}, save: () => new Uint8Array(), restore() {}}),
	},
});

/** A disk with two queues on two workers. */
const disk = {
	name: 'disk',
	kind: 'virtio-blk-mmio',
	config: {disk: {kind: 'memory', bytes: 512}, queues: 2, workers: 2, id: '', mmio: {base: 0xd000_0000, irq: 5}},
};

/** A machine of a latch, a serial port, a device of the devices' thread and a disk, whose processors and devices' thread are only pretended. */
function machineOf(changes: Partial<InspectedVcpu> = {}) {
	const {machine, bus} = oneThreadMachine(
		[
			{name: 'latch', kind: latchKind, config: {port: 0x500}},
			{name: 'com/1', kind: serial16550Kind, config: {base: 0x3f8, irq: 4, backend: {kind: 'none'}}},
			{name: 'owned', kind: owned.kind, config: {}},
			disk,
		],
		{workers: 2, findModel: (kind) => (kind === owned.kind ? owned : findDeviceModel(kind))},
	);
	const {control, latencies} = vcpuShared({buffer: new SharedArrayBuffer(vcpuSharedBytes), byteOffset: 0});
	const sampled: number[] = [];
	const vcpu: InspectedVcpu = {
		index: 0,
		control,
		latencies,
		eventLoopUse: () => 1,
		report: async () => ({registers: {rip: 5n, cs: {base: 0n, l: true}}, activity: 'halted', msrs: {}, events: {}}),
		sampleExits: (every) => void sampled.push(every),
		...changes,
	};
	const reactor = ReactorState.on(new SharedArrayBuffer(ReactorState.byteLength));
	const memory = plainMemory({gpa: 0, length: 4096});
	const ranges = memory.ranges.map((range) => ({...range, hostAddress: 0x7f00}));
	const bank = {
		backing: 'private pages',
		isCopyOnWrite: false,
		fd: undefined,
		fdOffset: 0,
		hugepageBytes: undefined,
		prefetch: false,
	};
	const ram = {ranges, banks: [{ranges, ...bank}]};
	const other = {reactor: ReactorState.on(new SharedArrayBuffer(ReactorState.byteLength)), eventLoopUse: () => 1};
	const devices = {
		threads: [{reactor, eventLoopUse: () => 1}, other],
		inspect: async (name: string) => ({asked: name}),
	};
	const config = vmConfig({memory: {sizeBytes: 4096}});
	const limits = {maxVcpus: 4, maxVcpuIds: 8};
	const saved = {bytes: 0, values: 0};
	const processor = {
		cpuid: [],
		physicalAddressBits: 40,
		limits,
		saved,
		tscDeadline: true,
		highestVtl: 0,
		hypercalls: false,
	} as const;
	const tree = machineTree(
		{
			config,
			machine,
			ram,
			vcpus: [vcpu],
			devices,
			hypervisor: {kind: 'fake', reason: 'it works'},
			partition: {handle: {kind: 'fake'}, processor, threadOf: () => gettid(), inspectChips: undefined},
			state: () => 'running',
			isHalted: () => false,
		},
		() => ({
			log: 'warn',
		}),
	);
	const inspect = async (path: string, depth = 1) => toJson(await inspectTree(tree, path, {depth, timeoutMs: 50}));
	return {tree, inspect, machine, bus, latencies, reactor, other, sampled};
}

test('the root is the machine, its process, and what its owner adds', async (t) => {
	t.deepEqual(Object.keys((await machineOf().inspect('')) as object), ['vm', 'process', 'log']);
});

test('what runs the guest is shown with why, and what its processors can be', async (t) => {
	t.like(await machineOf().inspect('vm/hypervisor', 3), {
		kind: 'fake',
		reason: 'it works',
		processor: {
			physicalAddressBits: 40,
			saved: {bytes: 0, values: 0},
			limits: {maxVcpus: 4},
			highestVtl: 0,
			hypercalls: false,
		},
	});
});

test('a device says in words what it is and does, and shows its registers in place, its data by size with a mark, and its lines', async (t) => {
	const {inspect, bus} = machineOf();
	bus.writePort(0x3fc, 1, 0x08);
	bus.writePort(0x3f9, 1, 0x02);
	bus.writePort(0x3fb, 1, 0x1b);
	t.like(await inspect('vm/devices/com∕1', 3), {
		kind: 'serial-16550',
		summary: 'A serial port',
		words: {line: '9600 baud, 8E1', peer: 'nobody'},
		accesses: 3,
		locked: false,
		lines: {interrupt: {input: 4, raised: true}},
		state: {ier: 2, mcr: 8, txData: {$sensitive: 65536}},
	});
	t.deepEqual(await inspect('vm/interrupts/inputs/4', 2), {asserted: true, sources: {'com∕1.interrupt': true}});
});

test('buses show who answers, and count what nobody does', async (t) => {
	const {inspect, bus} = machineOf();
	for (let i = 0; i < 3; i++) bus.readPort(0x80, 1);
	bus.readMmio(0xfee0_1234, 4);
	const {claims, unclaimed} = (await inspect('vm/buses/pio', 2)) as Record<string, object>;
	t.deepEqual(claims, {'0x3f8-0x3ff': 'com/1: registers', '0x500-0x503': 'latch: value', '0x600-0x603': 'owned: port'});
	t.deepEqual(unclaimed, {'0x80': 3});
	t.deepEqual(await inspect('vm/buses/mmio/unclaimed'), {'0xfee01000': 1});
});

test('an access that nobody serves is seen in its mailbox, and what an owned device says of itself', async (t) => {
	const {inspect, bus} = machineOf();
	t.throws(() => bus.writePort(0x601, 2, 0xbeef), {code: 'DEVICE_HANGS'});
	t.deepEqual(await inspect('vm/mailboxes/0'), {
		state: 'posted',
		calls: 1,
		givenUp: 1,
		device: 'owned',
		region: 'port',
		access: 'write of 2 bytes',
		offset: 1,
		value: {$sensitive: 0xbeef},
	});
	t.like(await inspect('vm/devices/owned', 2), {kind: 'owned', owned: {$sensitive: true, asked: 'owned'}});
});

test('a processor that does not answer leaves its counters, and one that cannot be read says so', async (t) => {
	const {inspect} = machineOf({report: () => new Promise(() => {})});
	t.like(await inspect('vm/vcpus/0', 2), {running: false, exits: {port: 0}, registers: {$unresolved: 'timeout'}});
	const failing = machineOf({report: async () => ({error: 'KVM says no'})});
	t.like(await failing.inspect('vm/vcpus/0', 2), {running: false, registers: {$error: 'KVM says no'}});
	t.deepEqual(await machineOf().inspect('vm/vcpus/0/registers', 2), {
		$sensitive: true,
		rip: '0x5',
		cs: {base: '0x0', l: true},
	});
});

test('histograms are added up with median and 99th percentile', async (t) => {
	const {inspect, latencies, tree, sampled} = machineOf();
	latencies.port[10] = 98;
	latencies.port[20] = 2;
	t.deepEqual(await inspect('vm/latencies/port', 2), {
		samples: 100,
		median: 2048,
		p99: 2 ** 21,
		buckets: {from1024ns: 98, from1048576ns: 2},
	});
	await updateTree(tree, 'vm/latencies/sampleEvery', '7');
	t.deepEqual(sampled, [7]);
});

test('the devices’ thread is seen waiting, working and hanging, and its poll time can be changed', async (t) => {
	const {inspect, reactor, tree} = machineOf();
	const status = () => inspect('vm/reactor/status');
	reactor.waiting = 1;
	t.is(await status(), 'waiting');
	reactor.waiting = 0;
	reactor.turnNs = Number(process.hrtime.bigint());
	t.is(await status(), 'working');
	reactor.turnNs -= 5e9;
	t.regex(String(await status()), /^hangs/);
	await updateTree(tree, 'vm/reactor/pollTime', '1000');
	t.is(reactor.pollNs, 1000);
	await t.throwsAsync(updateTree(tree, 'vm/reactor/pollTime', '-1'), {code: 'INSPECT_VALUE_INVALID'});
});

test('threads show what the kernel knows of them', async (t) => {
	const {inspect} = machineOf();
	t.like(await inspect('vm/workers/vcpu-0'), {thread: gettid(), state: 'running', eventLoopUse: 1});
	t.deepEqual(await inspect('vm/workers/devices'), {state: 'starting'});
	t.true(((await inspect('vm/workers/main/cpu')) as number) > 0);
	t.is((await inspect('process/pid')) as number, process.pid);
});

test('memory shows its ranges, host addresses with a mark', async (t) => {
	const {inspect} = machineOf();
	const timely = async (path: string) => inspect(path, 3);
	t.like(await timely('vm/memory'), {size: 4096, backing: 'private pages'});
	t.like(await timely('vm/memory/ranges/0'), {address: 0, length: 4096, hostAddress: {$sensitive: '0x7f00'}});
});

test('of several device workers each is seen: its thread, its wait, its part of a device and whose the queues are', async (t) => {
	const {inspect, machine, other, bus} = machineOf();
	other.reactor.turns = 7;
	t.like(await inspect('vm/reactor-1'), {turns: 7});
	t.deepEqual(await inspect('vm/workers/devices-1'), {state: 'starting'});
	t.like(await inspect('vm/mailboxes', 2), {waker: {asleep: false}, 'waker-1': {asleep: false}});
	const one = new DeviceBacks(machine, new FakeReactor(), () => t.fail(), {worker: 1});
	await one.open();
	one.start();
	one.poll();
	bus.writeMmio(0xd000_0050, 4, 1);
	t.like(await inspect('vm/devices/disk', 3), {
		back: 'stopped, running',
		queues: {0: {worker: 0, rings: 0}, 1: {worker: 1, rings: 2}},
	});
	await one.stop();
	t.like(await inspect('vm/devices/disk'), {back: 'stopped, stopped'});
});
