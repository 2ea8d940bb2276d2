import test from 'ava';
import {
	type Buffer,
	EchoControl,
	echoModel,
	PackedDriver,
	ringInOrder,
	TestDriver,
	VirtioMachine,
} from '#devices/virtio/testing';

const buffers: readonly Buffer[] = [
	{at: 0x8000, length: 4},
	{at: 0x9000, length: 8, writable: true},
];

for (const isPacked of [false, true]) {
	const make = (features: readonly number[]) => {
		const control = new EchoControl();
		const machine = new VirtioMachine(echoModel('mmio', control) as never, 'mmio', {inOrder: true});
		const driver = isPacked ? new PackedDriver(machine) : new TestDriver(machine);
		driver.begin(features);
		control.holds = true;
		return {control, machine, driver};
	};
	const heads = (driver: TestDriver) => driver.used().map(([head]) => head);
	const format = isPacked ? 'packed' : 'split';

	test(`chains of a ${format} queue come back in order where that is agreed on`, async (t) => {
		for (const [features, expected] of [
			[[], [4, 2, 0]],
			[[ringInOrder], [0, 2, 4]],
		] as const) {
			const {control, driver, machine} = make(features);
			for (const head of [0, 2, 4]) driver.offer(buffers, {head});
			await driver.notify();
			// The device has done the last first.
			control.finish();
			t.deepEqual(heads(driver), expected);
			t.deepEqual(machine.failures, []);
		}
	});

	test(`a chain of a ${format} queue in order waits for those before it, and no longer`, async (t) => {
		const {control, driver, machine} = make([ringInOrder]);
		for (const head of [0, 2, 4]) driver.offer(buffers, {head});
		await driver.notify();
		const [first, second, third] = control.takeHeld();
		second?.();
		t.deepEqual(heads(driver), []);
		t.throws(() => second?.(), {instanceOf: TypeError});
		first?.();
		t.deepEqual(heads(driver), [0, 2]);
		third?.();
		t.deepEqual(heads(driver), [4]);
		t.deepEqual(machine.failures, []);
	});

	test(`a ${format} queue in order is left with nothing in flight when it is reset`, async (t) => {
		const {control, driver, machine} = make([ringInOrder]);
		for (const head of [0, 2, 4]) driver.offer(buffers, {head});
		await driver.notify();
		const [first, second, third] = control.takeHeld();
		third?.();
		machine.registers.write('device_status', 0);
		second?.();
		first?.();
		await machine.run();
		t.deepEqual(machine.failures, []);
		driver.begin();
		control.holds = false;
		driver.offer(buffers);
		await driver.notify();
		t.deepEqual(driver.used(), [[0, 4]]);
	});
}
