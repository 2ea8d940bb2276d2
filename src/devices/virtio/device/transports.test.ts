import test from 'ava';
import type {GuestMemory} from '#devices/guest-memory';
import {
	EchoControl,
	echoModel,
	PciRegisters,
	ringEvent,
	TestDriver,
	type TransportName,
	VirtioMachine,
} from '#devices/virtio/testing';
import type {SavedFields, SavedStruct} from '#support/saved-state';
import {unchecked} from '#support/trust';
import {type VirtioServices, virtioPci} from './index.ts';

const transports: readonly TransportName[] = ['pci', 'mmio'];
const [shout, whisper] = [3, 50];
const [input, output] = [0x8000, 0x9000];
const text = (bytes: string) => new TextEncoder().encode(bytes);

function make(transport: TransportName, config: object = {}) {
	const control = new EchoControl();
	const machine = new VirtioMachine(echoModel(transport, control) as never, transport, config);
	const driver = new TestDriver(machine);
	/** Sends text in and tells what came out. */
	const echo = async (sent: string, where: {queue?: number; head?: number} = {}) => {
		machine.memory.copyIn(input, text(sent));
		driver.offer(
			[
				{at: input, length: sent.length},
				{at: output, length: 64, writable: true},
			],
			where,
		);
		await driver.notify(where.queue);
		const bytes = new Uint8Array(sent.length);
		machine.memory.copyOut(output, bytes);
		return new TextDecoder().decode(bytes);
	};
	return {control, machine, driver, registers: machine.registers, echo};
}

for (const transport of transports) {
	test(`${transport}: status and features follow the steps of initialization`, async (t) => {
		const {driver, registers, echo} = make(transport);
		t.deepEqual(driver.offered, [shout, 28, 29, 32, 34, ...(transport === 'pci' ? [38] : []), 40, whisper]);
		registers.write('device_status', 4);
		t.is(driver.status, 0, 'there is no DRIVER_OK before the features are agreed on');
		const agree = (low: number, high: number) => {
			registers.write('device_status', 0);
			registers.write('device_status', 1);
			registers.write('device_status', 3);
			for (const [word, value] of [low, high].entries()) {
				registers.write('driver_feature_select', word);
				registers.write('driver_feature', value);
			}
			registers.write('device_status', 0xb);
			return (driver.status & 8) !== 0;
		};
		t.false(agree(0, 0), 'a driver that knows no version 1');
		t.false(agree(1, 1), 'a feature that was not offered');
		t.false(agree(0, 3), 'another one');
		t.false(agree(1 << shout, 1 | (1 << (whisper - 32))), 'two that do not go together');
		registers.write('device_status', 0xf);
		t.is(driver.status, 3, 'and no DRIVER_OK after that');
		t.true(agree(0, 1 | (1 << (whisper - 32))));
		t.true(agree(1 << shout, 1));
		registers.write('driver_feature_select', 0);
		registers.write('driver_feature', 0);
		t.is(registers.read('driver_feature'), 1 << shout, 'they are fixed then');
		registers.write('device_status', 0);
		driver.begin([shout]);
		t.is(await echo('hello'), 'HELLO');
	});

	test(`${transport}: registers of queues take what a queue can be, and none that does not exist`, (t) => {
		const {registers} = make(transport);
		const set = (size: number) => {
			registers.write('queue_size', size);
			return registers.read('queue_size');
		};
		registers.write('queue_select', 1);
		t.deepEqual([4, 0, 3, 32, 0x8000, 16].map(set), [4, 4, 4, 4, 4, 16]);
		registers.write('queue_enable', 1);
		t.is(registers.read('queue_enable'), 0, 'features come first');
		for (const none of [2, 3, 0xffff]) {
			registers.write('queue_select', none);
			t.deepEqual([set(8), registers.read('queue_enable')], [0, 0]);
		}
		registers.notify(0);
		registers.notify(0xffff);
	});

	test(`${transport}: two queues work by themselves, in the order of the device`, async (t) => {
		const {control, machine, driver, echo} = make(transport);
		driver.begin([], 2);
		control.holds = true;
		await echo('first');
		await echo('second', {head: 4});
		t.is(await echo('other', {queue: 1}), '\0'.repeat(5));
		control.finish();
		t.deepEqual(
			[driver.used(0), driver.used(1)],
			[
				[
					[4, 6],
					[0, 5],
				],
				[[0, 5]],
			],
		);
		t.deepEqual(machine.failures, []);
	});

	test(`${transport}: a reset waits for what is in flight, and then the device is as new`, async (t) => {
		const {control, driver, registers, echo} = make(transport);
		driver.begin();
		control.holds = true;
		await echo('held');
		registers.write('device_status', 0);
		await driver.notify();
		t.is(driver.status, transport === 'pci' ? 0xf : 0, 'Linux waits on PCI only');
		registers.write('queue_select', 0);
		t.is(registers.read('queue_enable'), 0);
		control.finish();
		await driver.machine.run();
		t.is(driver.status, 0);
		t.is(
			driver.machine.interrupts.filter((each) => each.endsWith('up')).length -
				driver.machine.interrupts.filter((each) => each.endsWith('down')).length,
			0,
		);
		control.holds = false;
		driver.begin([shout]);
		t.is(await echo('again'), 'AGAIN');
	});

	test(`${transport}: a driver that does not wait for a reset loses nothing, and what was in flight does not reach its queue`, async (t) => {
		const {control, driver, machine, registers, echo} = make(transport);
		driver.begin();
		control.holds = true;
		await echo('held');
		for (const _ of [1, 2]) {
			registers.write('device_status', 0);
			await machine.run();
			driver.begin([shout]);
		}
		t.is(driver.status, 0xf);
		await echo('next', {head: 4});
		control.holds = false;
		control.finish();
		t.deepEqual(driver.used(), []);
		await machine.run();
		t.deepEqual(driver.used(), [[4, 4]]);
		t.is(registers.takeInterrupts(), 1);
		t.is(await echo('again'), 'AGAIN');
		t.deepEqual(driver.used(), [[0, 5]]);
		t.deepEqual(machine.failures, []);
	});

	test(`${transport}: a pause waits for what is in flight, and completes it`, async (t) => {
		const {control, driver, machine, echo} = make(transport);
		driver.begin();
		control.holds = true;
		await echo('held');
		let stopped = false;
		const stop = machine.backs.stop().then(() => {
			stopped = true;
		});
		await machine.run();
		t.is(control.services?.queue(0), undefined);
		t.false(stopped);
		control.finish();
		await stop;
		t.deepEqual(driver.used(), [[0, 4]]);
		await echo('later', {head: 2});
		t.deepEqual(driver.used(), []);
		control.holds = false;
		machine.backs.start();
		await machine.run();
		t.deepEqual(driver.used(), [[2, 5]]);
		t.deepEqual(machine.failures, []);
	});

	test(`${transport}: configuration space that changes counts up and interrupts`, async (t) => {
		const {control, driver, registers} = make(transport);
		t.deepEqual(
			[registers.readConfig(0, 4), registers.readConfig(6, 2), registers.readConfig(7, 4)],
			[0x04030201, 0x0807, 8],
		);
		driver.begin();
		const before = registers.read('config_generation');
		control.services?.changeConfig(2, Uint8Array.of(0x77));
		t.is(registers.readConfig(0, 4), 0x04770201);
		t.not(registers.read('config_generation'), before);
		t.is(registers.takeInterrupts(), 2);
		registers.write('device_status', 0);
		await driver.machine.run();
		t.is(registers.readConfig(0, 4), 0x04770201, "it is the device's, and stays");
		t.not(registers.read('config_generation'), before);
	});

	test(`${transport}: with the event index the driver is told when it wants to be`, async (t) => {
		const {machine, driver, registers, echo} = make(transport);
		driver.begin([ringEvent]);
		const wants = (index: number) => machine.memory.writeU16(driver.place().driver + 4 + 2 * driver.queueSize, index);
		wants(0);
		await echo('a');
		t.is(registers.takeInterrupts(), 1);
		wants(2);
		await echo('b');
		t.is(registers.takeInterrupts(), 0);
		await echo('c');
		t.is(registers.takeInterrupts(), 1);
		const event = driver.place().device + 4 + 8 * driver.queueSize;
		t.is(machine.memory.readU16(event) as unknown, 3, 'the device wants to hear of the fourth');
	});

	test(`${transport}: a notification with data is one of its queue`, async (t) => {
		const {driver, machine, registers} = make(transport);
		driver.begin([], 2);
		for (const [queue, data] of [
			[1, 1],
			[0, 0x8001],
		] as const) {
			driver.offer([{at: input, length: 1}], {queue});
			registers.notify(queue, data);
			await machine.run();
			t.deepEqual(driver.used(queue), [[0, 0]]);
		}
		t.deepEqual(machine.failures, []);
	});

	test(`${transport}: a saved device goes on with the next request`, async (t) => {
		const one = make(transport);
		one.driver.begin();
		await one.echo('before');
		one.driver.used();
		one.machine.memory.copyIn(input, text('after'));
		one.driver.offer(
			[
				{at: input, length: 5},
				{at: output, length: 8, writable: true},
			],
			{head: 2},
		);
		await one.machine.backs.stop();
		const ram = new Uint8Array(0x10_0000);
		one.machine.memory.copyOut(0, ram);
		const two = make(transport);
		await two.machine.backs.stop();
		two.machine.memory.copyIn(0, ram);
		two.machine.machine.restore(one.machine.machine.save());
		two.machine.backs.start();
		await two.machine.run();
		const bytes = new Uint8Array(5);
		two.machine.memory.copyOut(output, bytes);
		t.deepEqual([...bytes], [...text('after')]);
		t.is(two.machine.memory.readU16(two.driver.place().device + 2) as unknown, 2);
	});

	test(`${transport}: a saved driver that has agreed on what the device refuses has to reset it`, async (t) => {
		const {driver, machine, echo} = make(transport);
		driver.begin([whisper]);
		await machine.backs.stop();
		const saved = machine.machine.save();
		const {it} = saved.devices as {it: Omit<SavedStruct, 'fields'> & {kind: string; fields: SavedFields}};
		const restore = (...features: number[]) => {
			const fields = {
				...it.fields,
				'virtio.features': Buffer.from(Uint32Array.from(features).buffer).toString('base64'),
			};
			machine.machine.restore({...saved, devices: {...saved.devices, it: {...it, fields}}});
			return driver.status;
		};
		const both = 1 | (1 << (whisper - 32));
		t.is(restore(0, both), 0xf);
		t.deepEqual([restore(1 << shout, both), restore(1, 1), restore(0, 0)], [0x4f, 0x4f, 0x4f]);
		machine.backs.start();
		t.is(await echo('x'), '\0', 'and nothing is served until then');
		machine.registers.write('device_status', 0);
		await machine.run();
		driver.begin([shout]);
		t.is(await echo('loud'), 'LOUD');
	});

	for (const queues of [0, 4, 65_536]) {
		test(`${transport}: ${queues} queues are refused`, (t) => {
			t.throws(() => make(transport, {queues}), {code: 'VIRTIO_QUEUES_IMPOSSIBLE', message: /virtio-echo/});
		});
	}
}

test('a declaration that no device can have is refused', (t) => {
	const device = {
		kind: 'wrong',
		id: 63,
		pciClass: 0,
		features: {},
		mostQueues: 1,
		queues: () => [],
		back: () => ({queueReady() {}}),
	};
	const declare = (changes: object) => () => virtioPci({...device, ...changes} as never);
	for (const mostQueues of [0, 1025, 65_536, 1.5]) t.throws(declare({mostQueues}), {code: 'VIRTIO_QUEUES_IMPOSSIBLE'});
	const impossible = [{id: 0}, {features: {version: 32}}, {features: {a: 1, b: 1}}, {config: {bytes: 0x1000}}];
	for (const each of impossible) t.throws(declare(each), {code: 'VIRTIO_DECLARATION_IMPOSSIBLE'});
	t.notThrows(declare({}));
	for (const size of [0, 3, 2048, 65_536]) t.throws(() => make('pci', {size}), {code: 'VIRTIO_DECLARATION_IMPOSSIBLE'});
});

test('pci: each queue has a vector of its own, and so has the configuration', async (t) => {
	const {control, machine, driver, registers, echo} = make('pci');
	(registers as PciRegisters).useMessages(4);
	registers.write('config_msix_vector', 3);
	for (const [queue, vector] of [2, 0xffff].entries()) {
		registers.write('queue_select', queue);
		registers.write('queue_msix_vector', vector);
	}
	registers.write('queue_msix_vector', 9);
	t.is(registers.read('queue_msix_vector'), 0xffff, 'there is no vector 9');
	driver.begin([], 2);
	await echo('a');
	await echo('b', {queue: 1});
	control.services?.changeConfig(0, Uint8Array.of(9));
	t.deepEqual(machine.interrupts, ['message 2', 'message 3']);
	t.is(registers.takeInterrupts(), 0);
});

test('pci: the driver reaches the registers through configuration space', async (t) => {
	const {machine, registers, driver} = make('pci');
	const pci = registers as PciRegisters;
	const at = (offset: number, size: number) => {
		pci.setConfig(pci.access + 4, 1, 0);
		pci.setConfig(pci.access + 8, 4, offset);
		pci.setConfig(pci.access + 12, 4, size);
	};
	at(0x14, 1);
	pci.setConfig(pci.access + 16, 1, 3);
	t.is(driver.status, 3);
	t.is(pci.config(pci.access + 16, 1), 3);
	at(0x2000, 4);
	t.is(pci.config(pci.access + 16, 4), 0x04030201);
	for (const [offset, size] of [
		[0x14, 3],
		[0x4000, 1],
		[0xffff_fffc, 4],
		[0x15, 2],
	] as const) {
		at(offset, size);
		pci.setConfig(pci.access + 16, 1, 0x83);
	}
	at(0x14, 1);
	pci.setConfig(pci.access + 4, 1, 3);
	pci.setConfig(pci.access + 16, 1, 0x83);
	t.is(driver.status, 3);
	registers.write('device_status', 0);
	driver.begin();
	driver.offer([{at: input, length: 1}]);
	at(0x3000, 2);
	pci.setConfig(pci.access + 16, 2, 0);
	await machine.run();
	t.deepEqual(driver.used(), [[0, 0]]);
});

test('pci: a queue is turned off by a reset only, and works for a bus master only', async (t) => {
	const {driver, registers, machine, echo} = make('pci');
	driver.begin();
	registers.write('queue_select', 0);
	registers.write('queue_enable', 0);
	t.is(registers.read('queue_enable'), 1);
	t.is(await echo('works'), 'works');
	(registers as PciRegisters).setConfig(4, 2, 2);
	driver.used();
	t.is(await echo('other'), 'works');
	t.deepEqual(driver.used(), []);
	t.deepEqual(machine.failures, []);
});

test('pci: a function reset stops the queues', async (t) => {
	const {driver, registers, machine, echo} = make('pci');
	driver.begin();
	(registers as PciRegisters).setConfig(0x48, 2, 0x8000);
	await machine.run();
	const again = new PciRegisters(machine);
	t.is(again.config(4, 2) & 6, 6);
	driver.used();
	await echo('nothing');
	t.deepEqual(driver.used(), []);
});

test('mmio: the registers say what the device is, and a queue that is turned off stays so until a reset', async (t) => {
	const {driver, machine, registers, echo} = make('mmio');
	const word = (offset: number) => machine.bus.readMmio(0xd000_0000 + offset, 4) >>> 0;
	t.deepEqual([0, 4, 8, 0xc, 0x34, 0xb0].map(word), [0x7472_6976, 2, 63, 0x1af4, 16, 0xffff_ffff]);
	driver.begin();
	t.is(await echo('on'), 'on');
	driver.used();
	registers.write('queue_select', 0);
	registers.write('queue_enable', 0);
	registers.write('queue_enable', 1);
	t.is(registers.read('queue_enable'), 0);
	await echo('nothing');
	t.deepEqual(driver.used(), []);
	registers.write('device_status', 0);
	await machine.run();
	driver.begin();
	t.is(await echo('on'), 'on');
});

test('pci: a region of shared memory is the same bytes for driver and device, and no more than the region', async (t) => {
	const [id, length] = [7, 0x3000];
	const {control, machine, driver, registers} = make('pci', {shared: [{id, length}]});
	const pci = registers as PciRegisters;
	let cap = pci.config(0x34, 1);
	while (pci.config(cap, 1) !== 9 || pci.config(cap + 3, 1) !== 8) cap = pci.config(cap + 1, 1);
	const bytes = Array.from({length: 24}, (_, offset) => pci.config(cap + offset, 1));
	t.deepEqual(bytes, [9, 0, 24, 8, 4, id, 0, 0, ...[0, 0, 0, 0], ...[0, 0x30, 0, 0], ...Array(8).fill(0)]);
	const {at} = pci.sharedMemory.get(id) as {at: number};
	const memory = control.services?.sharedMemory(id) as GuestMemory;
	machine.bus.writeMmio(at + length - 4, 4, 0x1234_5678);
	t.is(unchecked(memory.readU32(length - 4)), 0x1234_5678);
	t.true(memory.copyIn(8, text('both')));
	t.is(machine.bus.readMmio(at + 8, 4), 0x6874_6f62);
	t.deepEqual(
		[memory.contains(length - 4, 8), memory.writeU32(length - 2, 1), memory.fill(-4, 8, 1), memory.contains(0, length)],
		[false, false, false, true],
	);
	t.is(control.services?.sharedMemory(id + 1), undefined);
	driver.begin();
	machine.memory.copyIn(input, text('x'));
	driver.offer([
		{at: at + 8, length: 4},
		{at: at + 16, length: 4, writable: true},
	]);
	await driver.notify();
	t.is(unchecked(memory.readU32(16)), 0x6874_6f62, 'requests may lie in it');
	t.deepEqual(machine.failures, []);
});

test('pci: regions have ids and places of their own, and a snapshot has what is in them', async (t) => {
	const device = {
		kind: 'two-regions',
		id: 63,
		pciClass: 0,
		features: {},
		mostQueues: 1,
		queues: () => [{name: 'only', size: 2}],
		sharedMemory: {
			pages: 'saved',
			regions: () => [
				{id: 1, length: 0x1000},
				{id: 0, length: 0x2000},
			],
		},
	} as const;
	const makeTwo = () => {
		let services: VirtioServices | undefined;
		const model = virtioPci({
			...device,
			back: (_config, _state, given) => {
				services = given;
				return {queueReady() {}};
			},
		});
		const machine = new VirtioMachine(model as never, 'pci');
		const regionOf = (id: number) => services?.sharedMemory(id) as GuestMemory;
		return {machine, regionOf, places: (machine.registers as PciRegisters).sharedMemory};
	};
	const one = makeTwo();
	const [first, second] = [one.places.get(1), one.places.get(0)] as {at: number; length: number}[];
	t.deepEqual([first?.length, second?.length, (second?.at ?? 0) - (first?.at ?? 0)], [0x1000, 0x2000, 2 ** 21]);
	one.machine.bus.writeMmio(second?.at ?? 0, 4, 5);
	t.is(unchecked(one.regionOf(0).readU32(0)), 5);
	t.is(unchecked(one.regionOf(1).readU32(0)), 0);
	await one.machine.backs.stop();
	const two = makeTwo();
	await two.machine.backs.stop();
	two.machine.machine.restore(one.machine.machine.save());
	t.is(unchecked(two.regionOf(0).readU32(0)), 5);
});

test('shared memory that no device can have is refused', (t) => {
	const page = 4096;
	const impossible = [
		[{id: 256, length: page}],
		[{id: -1, length: page}],
		[{id: 0, length: 0}],
		[{id: 0, length: page + 1}],
		[{id: 0, length: 2 ** 32 + page}],
		[
			{id: 0, length: page},
			{id: 0, length: page},
		],
	];
	for (const shared of impossible)
		t.throws(() => make('pci', {shared}), {code: 'VIRTIO_SHARED_MEMORY_IMPOSSIBLE', message: /virtio-echo/});
	const three = [0, 1, 2].map((id) => ({id, length: page}));
	t.throws(() => make('pci', {shared: three}), {code: 'PCI_CAPABILITY_NO_ROOM'});
});

test('mmio: no region of shared memory is there, whichever the driver selects', (t) => {
	const {control, machine} = make('mmio', {shared: [{id: 7, length: 0x1000}]});
	for (const id of [0, 7, 0xffff_ffff]) {
		machine.bus.writeMmio(0xd000_00ac, 4, id);
		t.deepEqual(
			[0xb0, 0xb4, 0xb8, 0xbc].map((offset) => machine.bus.readMmio(0xd000_0000 + offset, 4) >>> 0),
			Array(4).fill(0xffff_ffff),
		);
	}
	t.is(control.services?.sharedMemory(7), undefined);
});
