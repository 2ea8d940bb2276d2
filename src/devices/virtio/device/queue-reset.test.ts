import test from 'ava';
import {
	type Buffer,
	EchoControl,
	echoModel,
	PackedDriver,
	ringReset,
	TestDriver,
	type TransportName,
	VirtioMachine,
} from '#devices/virtio/testing';

const buffers: readonly Buffer[] = [
	{at: 0x8000, length: 4},
	{at: 0x9000, length: 8, writable: true},
];

/** A machine whose driver uses two queues. */
function make(transport: TransportName, isPacked: boolean, features = [ringReset]) {
	const control = new EchoControl();
	const machine = new VirtioMachine(echoModel(transport, control) as never, transport);
	const driver = isPacked ? new PackedDriver(machine) : new TestDriver(machine);
	driver.begin(features, isPacked ? 1 : 2);
	const {registers} = machine;
	const resetQueue = () => {
		registers.write('queue_select', 0);
		registers.write('queue_reset', 1);
	};
	return {control, machine, driver, registers, resetQueue};
}

for (const transport of ['pci', 'mmio'] as const)
	for (const isPacked of [false, true]) {
		const what = `${transport}: a ${isPacked ? 'packed' : 'split'} queue that is reset`;

		test(`${what} is as new once nothing of it is in flight`, async (t) => {
			const {control, machine, driver, registers, resetQueue} = make(transport, isPacked);
			for (let round = 0; round < 3; round++) {
				control.holds = true;
				for (const head of [0, 2]) driver.offer(buffers, {head});
				await driver.notify();
				registers.takeInterrupts();
				resetQueue();
				await machine.run();
				t.is(registers.read('queue_reset'), 1);
				t.is(registers.read('queue_enable'), 0);
				registers.write('queue_enable', 1);
				t.is(registers.read('queue_enable'), 0, 'it cannot be turned on meanwhile');
				control.finish();
				await machine.run();
				t.deepEqual(driver.used(), []);
				t.is(registers.takeInterrupts(), 0);
				registers.write('queue_select', 0);
				t.is(registers.read('queue_reset'), 0);
				t.is(registers.read('queue_size'), 16);
				control.holds = false;
				driver.setUp(0);
				driver.offer(buffers);
				await driver.notify();
				t.deepEqual(driver.used(), [[0, 4]]);
				registers.takeInterrupts();
			}
			t.deepEqual(machine.failures, []);
		});

		test(`${what} does not stay so over a pause`, async (t) => {
			const {control, machine, driver, registers, resetQueue} = make(transport, isPacked);
			control.holds = true;
			driver.offer(buffers);
			await driver.notify();
			resetQueue();
			const stopped = machine.stop();
			control.finish();
			await stopped;
			t.is(registers.read('queue_reset'), 1);
			machine.start();
			await machine.run();
			t.is(registers.read('queue_reset'), 0);
			control.holds = false;
			driver.setUp(0);
			driver.offer(buffers);
			await driver.notify();
			t.deepEqual(driver.used(), [[0, 4]]);
			t.deepEqual(machine.failures, []);
		});
	}

test('a queue that is reset leaves the others at work', async (t) => {
	const {control, driver, machine, registers, resetQueue} = make('pci', false);
	control.holds = true;
	driver.offer(buffers);
	await driver.notify();
	resetQueue();
	control.holds = false;
	control.queueReady = (queue) => {
		for (let chain = queue.next(); chain !== undefined; chain = queue.next()) queue.complete(chain, 1);
	};
	driver.offer(buffers, {queue: 1});
	await driver.notify(1);
	t.deepEqual(driver.used(1), [[0, 1]]);
	registers.write('queue_select', 0);
	t.is(registers.read('queue_reset'), 1);
	control.finish();
	await machine.run();
	t.is(registers.read('queue_reset'), 0);
});

test('a device is asked for the chains of a queue that it keeps', async (t) => {
	const {control, driver, machine, registers, resetQueue} = make('pci', false);
	control.holds = true;
	control.queueReset = () => control.finish();
	driver.offer(buffers);
	await driver.notify();
	resetQueue();
	await machine.run();
	t.is(registers.read('queue_reset'), 0);
	t.deepEqual(driver.used(), []);
});

test('a device that is reset while a queue of it is begins anew', async (t) => {
	const {control, driver, machine, registers, resetQueue} = make('mmio', false);
	control.holds = true;
	driver.offer(buffers);
	await driver.notify();
	resetQueue();
	registers.write('device_status', 0);
	control.finish();
	await machine.run();
	control.holds = false;
	driver.begin();
	driver.offer(buffers);
	await driver.notify();
	t.deepEqual(driver.used(), [[0, 4]]);
	t.deepEqual(machine.failures, []);
});

test('a driver that has not agreed on it cannot reset a queue', async (t) => {
	const {driver, registers, resetQueue} = make('pci', false, []);
	resetQueue();
	t.is(registers.read('queue_reset'), 0);
	t.is(registers.read('queue_enable'), 1);
	driver.offer(buffers);
	await driver.notify();
	t.deepEqual(driver.used(), [[0, 4]]);
});
