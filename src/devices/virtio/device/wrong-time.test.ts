import test from 'ava';
import {
	EchoControl,
	echoModel,
	type PciRegisters,
	ringReset,
	TestDriver,
	type TransportName,
	VirtioMachine,
} from '#devices/virtio/testing';
import {virtioPci} from './index.ts';

/** What drivers do at the wrong time, or in the wrong order. */

const transports: readonly TransportName[] = ['pci', 'mmio'];
const [ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET, FAILED] = [1, 2, 4, 8, 64, 128];
const [input, output] = [0x8000, 0x9000];
const echo = [
	{at: input, length: 4},
	{at: output, length: 4, writable: true},
];

function make(transport: TransportName) {
	const control = new EchoControl();
	const machine = new VirtioMachine(echoModel(transport, control) as never, transport);
	return {control, machine, driver: new TestDriver(machine), registers: machine.registers};
}

for (const transport of transports) {
	test(`${transport}: each bit of the status waits for the one before it, none is taken back, and only the device asks for a reset`, async (t) => {
		const {driver, registers, machine} = make(transport);
		const set = (value: number) => {
			registers.write('device_status', value);
			return driver.status;
		};
		registers.write('driver_feature_select', 1);
		registers.write('driver_feature', 1);
		t.deepEqual([DRIVER, FEATURES_OK, DRIVER_OK, NEEDS_RESET].map(set), [0, 0, 0, 0]);
		t.is(set(ACKNOWLEDGE), ACKNOWLEDGE);
		t.is(set(FEATURES_OK), ACKNOWLEDGE);
		t.is(set(DRIVER), ACKNOWLEDGE | DRIVER, 'what is left out stays');
		t.is(set(DRIVER_OK), ACKNOWLEDGE | DRIVER);
		t.is(set(0x30 | NEEDS_RESET), ACKNOWLEDGE | DRIVER, 'bits that nobody has');
		t.is(set(FEATURES_OK), ACKNOWLEDGE | DRIVER | FEATURES_OK);
		t.is(set(DRIVER_OK), 0xf);
		t.is(set(FAILED), 0xf | FAILED);
		t.is(set(ACKNOWLEDGE), 0xf | FAILED);
		set(0);
		await machine.run();
		t.is(driver.status, 0);
		t.is(set(FAILED), FAILED, 'a driver may give up at any time');
	});

	test(`${transport}: nothing is taken from a queue before the driver is ready, and what was there is served then`, async (t) => {
		const {driver, registers, machine} = make(transport);
		const ready = registers.write.bind(registers);
		registers.write = (name, value) => {
			if (name !== 'device_status' || value !== 0xf) ready(name, value);
		};
		driver.begin();
		driver.offer(echo);
		await driver.notify();
		t.deepEqual([driver.status, driver.used()], [0xb, []]);
		ready('device_status', 0xf);
		await driver.notify();
		t.deepEqual(driver.used(), [[0, 4]]);
		t.deepEqual(machine.failures, []);
	});

	test(`${transport}: the place and the size of a queue that is on do not change`, async (t) => {
		const {driver, registers, machine} = make(transport);
		driver.begin([], 2);
		registers.write('queue_select', 0);
		const names = ['queue_size', 'queue_desc', 'queue_driver', 'queue_device'];
		const before = names.map((name) => registers.read(name));
		for (const name of names) registers.write(name, name === 'queue_size' ? 16 : 0x4000);
		t.deepEqual(
			names.map((name) => registers.read(name)),
			before,
		);
		registers.write('queue_enable', 1);
		registers.write('queue_enable', 2);
		driver.offer(echo);
		await driver.notify();
		t.deepEqual(driver.used(), [[0, 4]], 'it is where it was');
		t.deepEqual(machine.failures, []);
	});

	test(`${transport}: sizes that no queue has change nothing, in either format`, (t) => {
		const {driver, registers} = make(transport);
		for (const features of [[], [34]]) {
			registers.write('device_status', 0);
			driver.begin(features, 0);
			registers.write('queue_select', 0);
			const sizes = [8, 0, 17, 0x8000, 0xffff, 5].map((size) => {
				registers.write('queue_size', size);
				return registers.read('queue_size');
			});
			// A packed ring need not have a power of two.
			t.deepEqual(sizes, [8, 8, 8, 8, 8, features.length === 0 ? 8 : 5]);
			registers.write('queue_select', 0);
			registers.write('queue_enable', 1);
			t.is(registers.read('queue_enable'), 1);
		}
	});

	test(`${transport}: configuration space that is not the driver's does not change, whatever it writes, and when`, async (t) => {
		const {driver, registers} = make(transport);
		const bytes = () => [0, 4].map((offset) => registers.readConfig(offset, 4));
		const before = bytes();
		const attack = () => {
			for (const size of [1, 2, 4] as const)
				for (const offset of [0, 2, 7, 8, 0xeff - size])
					registers.writeConfig(offset, size, 0xffff_ffff % 2 ** (8 * size));
		};
		attack();
		driver.begin();
		attack();
		t.deepEqual(bytes(), before);
		t.deepEqual([registers.readConfig(8, 4), registers.readConfig(0xef0, 4)], [0, 0], 'and there is nothing behind it');
	});

	test(`${transport}: registers that reset a queue do so for a queue that there is, when it is on`, async (t) => {
		const {driver, registers, machine} = make(transport);
		driver.begin([ringReset], 2);
		for (const queue of [2, 0xffff]) {
			registers.write('queue_select', queue);
			registers.write('queue_reset', 1);
			t.is(registers.read('queue_reset'), 0);
		}
		registers.write('queue_select', 1);
		for (const value of [0, 2, 0xffff]) registers.write('queue_reset', value);
		t.is(registers.read('queue_enable'), 1);
		driver.offer(echo, {queue: 1});
		await driver.notify(1);
		t.deepEqual(driver.used(1), [[0, 4]]);
		t.deepEqual(machine.failures, []);
	});
}

test('pci: a vector that there is none of reads as none, and whoever has it is told by nobody', async (t) => {
	const {control, driver, machine, registers} = make('pci');
	(registers as PciRegisters).useMessages(4);
	for (const vector of [4, 9, 0x7ff, 0xfffe, 0xffff]) {
		registers.write('config_msix_vector', vector);
		t.is(registers.read('config_msix_vector'), 0xffff, `${vector}`);
		registers.write('queue_select', 0);
		registers.write('queue_msix_vector', vector);
		t.is(registers.read('queue_msix_vector'), 0xffff, `${vector}`);
	}
	driver.begin();
	driver.offer(echo);
	await driver.notify();
	control.services?.changeConfig(0, Uint8Array.of(9));
	t.deepEqual(driver.used(), [[0, 4]]);
	t.deepEqual([machine.interrupts, registers.takeInterrupts()], [[], 0]);
	for (const queue of [3, 0xffff]) {
		registers.write('queue_select', queue);
		registers.write('queue_msix_vector', 1);
		t.is(registers.read('queue_msix_vector'), 0);
	}
});

test('pci: a driver that looks where its memory is reads the address of the BAR, as whole or in parts, and nothing else there', (t) => {
	const shared = {pages: 'unsaved', regions: () => [{id: 0, length: 0x1000}], placeAt: 8} as const;
	const model = virtioPci({
		kind: 'with-place',
		id: 63,
		pciClass: 0,
		features: {},
		mostQueues: 1,
		queues: () => [{name: 'only', size: 2}],
		config: {bytes: 24, values: () => new Uint8Array(24).fill(0x11)},
		sharedMemory: shared,
		back: () => ({queueReady() {}}),
	});
	const {registers} = new VirtioMachine(model as never, 'pci');
	const {at} = (registers as PciRegisters).sharedMemory.get(0) as {at: number};
	t.deepEqual(
		[0, 4, 8, 12, 16, 20].map((offset) => registers.readConfig(offset, 4)),
		[0x1111_1111, 0x1111_1111, at % 2 ** 32, Math.floor(at / 2 ** 32), 0x1111_1111, 0x1111_1111],
	);
	t.is(registers.readConfig(14, 2), Math.floor(at / 2 ** 48));
});
