import test from 'ava';
import {
	EchoControl,
	echoModel,
	type PciRegisters,
	seeded,
	TestDriver,
	type TransportName,
	VirtioMachine,
} from '#devices/virtio/testing';
import {unchecked} from '#support/trust';

const transports: readonly TransportName[] = ['pci', 'mmio'];
const [inputs, outputs] = [0x8000, 0x9000];

/** An echo device of as many workers as controls, and a driver of its two queues. */
function make(transport: TransportName, workers = 2) {
	const controls = Array.from({length: workers}, () => new EchoControl());
	const machine = new VirtioMachine(echoModel(transport, ...controls) as never, transport, {queues: 2, workers});
	const driver = new TestDriver(machine);
	/** Offers a request of one byte, which is the number of its head and queue. */
	const offer = (queue: number, head: number) => {
		const at = 64 * queue + head;
		machine.memory.writeU8(inputs + at, 100 * queue + head);
		driver.offer(
			[
				{at: inputs + at, length: 1},
				{at: outputs + at, length: 1, writable: true},
			],
			{queue, head},
		);
	};
	const answered = (queue: number, head: number) => unchecked(machine.memory.readU8(outputs + 64 * queue + head));
	return {machine, driver, controls, registers: machine.registers, offer, answered};
}

const settle = () => new Promise<void>((resolve) => void setImmediate(resolve));

for (const transport of transports) {
	test(`${transport}: each worker serves its own queues, and no other`, async (t) => {
		const {machine, driver, controls, registers, offer, answered} = make(transport);
		driver.begin([], 2);
		t.truthy(controls[0]?.services?.queue(0));
		t.truthy(controls[1]?.services?.queue(1));
		t.deepEqual([controls[0]?.services?.queue(1), controls[1]?.services?.queue(0)], [undefined, undefined]);
		offer(1, 0);
		registers.notify(1);
		machine.turn(0);
		t.deepEqual(driver.used(1), []);
		machine.turn(1);
		t.deepEqual(driver.used(1), [[0, 1]]);
		t.is(answered(1, 0), 100);
		offer(0, 2);
		registers.notify(0);
		machine.turn(1);
		t.deepEqual(driver.used(0), []);
		machine.turn(0);
		t.deepEqual(driver.used(0), [[2, 1]]);
		t.is(registers.takeInterrupts(), 1);
		t.deepEqual(machine.failures, []);
	});

	for (const last of [0, 1]) {
		test(`${transport}: a reset amid requests of both workers waits for both, worker ${last} the last`, async (t) => {
			const {machine, driver, controls, registers, offer, answered} = make(transport);
			const first = 1 - last;
			driver.begin([], 2);
			for (const control of controls) control.holds = true;
			for (const queue of [0, 1]) {
				offer(queue, 0);
				await driver.notify(queue);
			}
			t.deepEqual(
				controls.map(({held}) => held.length),
				[1, 1],
			);
			registers.write('device_status', 0);
			if (transport === 'mmio') {
				// Linux does not wait there.
				driver.begin([], 2);
				for (const queue of [0, 1]) offer(queue, 4);
			}
			await driver.machine.run();
			controls[first]?.finish();
			await machine.run();
			if (transport === 'pci') t.is(driver.status, 0xf, 'one still has a request of before');
			for (const queue of [0, 1]) registers.notify(queue);
			await machine.run();
			t.is(controls[first]?.held.length, 0, 'and who has come takes none of after');
			for (const control of controls) control.holds = false;
			controls[last]?.finish();
			await machine.run();
			if (transport === 'pci') {
				t.is(driver.status, 0);
				for (const queue of [0, 1]) t.deepEqual(driver.used(queue), [], 'nothing of before is told');
				driver.begin([], 2);
				for (const queue of [0, 1]) {
					offer(queue, 4);
					await driver.notify(queue);
				}
			}
			for (const queue of [0, 1]) {
				t.deepEqual(driver.used(queue), [[4, 1]]);
				t.is(answered(queue, 4), 100 * queue + 4);
			}
			t.deepEqual(machine.failures, []);
		});
	}

	test(`${transport}: a driver that breaks one queue stops the device on all workers until it resets it`, async (t) => {
		const {machine, driver, registers, offer} = make(transport);
		driver.begin([], 2);
		driver.claim(100, 1);
		await driver.notify(1);
		t.is(driver.status & 0x40, 0x40);
		offer(0, 0);
		await driver.notify(0);
		t.deepEqual(driver.used(0), []);
		registers.write('device_status', 0);
		await machine.run();
		driver.begin([], 2);
		for (const queue of [0, 1]) {
			offer(queue, 0);
			await driver.notify(queue);
			t.deepEqual(driver.used(queue), [[0, 1]]);
		}
		t.deepEqual(machine.failures, []);
	});

	for (const into of [1, 2]) {
		test(`${transport}: a snapshot amid load on two workers loses no request and does none twice, restored on ${into}`, async (t) => {
			const random = seeded(transport === 'pci' ? 1 : 2);
			const [one, two] = [make(transport), make(transport, into)];
			one.driver.begin([], 2);
			const most = 200;
			const heads = Array.from({length: one.driver.queueSize / 2}, (_, pair) => 2 * pair);
			/** By queue: how often each head was offered, and came back. */
			const counts = () => [0, 1].map(() => new Map(heads.map((head) => [head, 0])));
			const [offered, returned] = [counts(), counts()];
			const countOf = (of: typeof offered, queue: number, head: number) => of[queue]?.get(head) ?? Number.NaN;
			const inFlight = () =>
				[0, 1].flatMap((queue) =>
					heads.filter((head) => countOf(offered, queue, head) !== countOf(returned, queue, head)),
				).length;
			const collect = (it: ReturnType<typeof make>, queue: number) => {
				for (const [head] of it.driver.used(queue)) returned[queue]?.set(head, countOf(returned, queue, head) + 1);
			};
			let given = 0;
			/** Some step of somebody: a driver that offers, a worker's turn, requests kept or finished. */
			const step = (it: ReturnType<typeof make>) => {
				const queue = random(2);
				collect(it, queue);
				const free = heads.find((head) => countOf(offered, queue, head) === countOf(returned, queue, head));
				if (given < most && free !== undefined) {
					given++;
					offered[queue]?.set(free, countOf(offered, queue, free) + 1);
					it.offer(queue, free);
					it.registers.notify(queue);
				}
				const control = it.controls[random(it.controls.length)];
				if (control !== undefined) {
					control.holds = random(2) === 0;
					if (!control.holds) control.finish();
				}
				it.machine.turn(random(it.machine.workers.length));
			};
			for (let steps = 0; steps < 100 || inFlight() < 3; steps++) step(one);
			t.true(given > 50 && given < most, 'amid load');
			const stopped = one.machine.stop();
			for (let turns = 0; turns < 10; turns++) {
				for (const control of one.controls) control.finish();
				for (let worker = 0; worker < 2; worker++) one.machine.turn(worker);
				await settle();
			}
			await stopped;
			const ram = new Uint8Array(0x10_0000);
			one.machine.memory.copyOut(0, ram);
			await two.machine.stop();
			two.machine.memory.copyIn(0, ram);
			two.machine.machine.restore(one.machine.machine.save());
			two.driver.resume(one.driver);
			two.machine.start();
			for (let steps = 0; steps < 1000; steps++) step(two);
			for (const control of two.controls) control.holds = false;
			for (const control of two.controls) control.finish();
			await two.machine.run();
			for (const queue of [0, 1]) collect(two, queue);
			t.is(given, most);
			t.deepEqual(returned, offered);
			t.deepEqual(
				[0, 1].map((queue) => [
					two.driver.used(queue),
					unchecked(two.machine.memory.readU16(two.driver.place(queue).device + 2)),
				]),
				offered.map((each) => [[], [...each.values()].reduce((sum, count) => sum + count, 0)]),
				'and none has come back twice',
			);
			t.deepEqual([...one.machine.failures, ...two.machine.failures], []);
		});
	}
}

test('pci: a function reset amid requests of both workers waits for both', async (t) => {
	const {machine, driver, controls, offer} = make('pci');
	const pci = machine.registers as PciRegisters;
	driver.begin([], 2);
	for (const control of controls) control.holds = true;
	for (const queue of [0, 1]) {
		offer(queue, 0);
		await driver.notify(queue);
	}
	pci.setConfig(0x48, 2, 0x8000);
	await machine.run();
	controls[1]?.finish();
	await machine.run();
	t.is(pci.config(0, 4), 0xffff_ffff, 'one still has a request of before');
	controls[0]?.finish();
	await machine.run();
	t.is(pci.config(0, 4), 0x107f_1af4);
	t.is(driver.status, 0xffff_ffff & 0xff, 'its BARs are off');
	pci.setConfig(4, 2, 6);
	t.deepEqual(machine.failures, []);
});

test('requests that are promises are done before a device is at rest, and with them what a snapshot has of its queues', async (t) => {
	const {machine, driver, controls, offer} = make('mmio');
	const disk = Promise.withResolvers<void>();
	for (const control of controls) {
		control.holds = true;
		control.stop = async () => {};
	}
	driver.begin([], 2);
	offer(1, 0);
	await driver.notify(1);
	controls[1]?.services?.track(disk.promise.then(() => controls[1]?.finish()));
	let isAtRest = false;
	const stopped = machine.stop().then(() => {
		isAtRest = true;
	});
	await settle();
	t.false(isAtRest);
	disk.resolve();
	await stopped;
	t.deepEqual([driver.used(1), machine.failures], [[[0, 1]], []]);
});
