import test from 'ava';
import {IoVectors} from '#devices/guest-memory';
import {EchoControl, echoModel, ringEvent, ringIndirect, TestDriver, VirtioMachine} from '#devices/virtio/testing';

const [NEXT, WRITE, INDIRECT] = [1, 2, 4];
const needsReset = 64;
const ramBytes = 0x10_0000;
const table = 0x8000;

function make(features: readonly number[] = [ringIndirect]) {
	const control = new EchoControl();
	const machine = new VirtioMachine(echoModel('mmio', control) as never, 'mmio');
	const driver = new TestDriver(machine);
	driver.begin(features);
	return {control, machine, driver, descriptors: driver.place().descriptors};
}

/** As inspect shows it. */
function faultOf({machine}: VirtioMachine) {
	const queues = machine.stateOf('it')?.['virtio.queues'] as {fault: {cause: string}}[] | undefined;
	return queues?.[0]?.fault.cause;
}

type Made = ReturnType<typeof make>;

/** Faults of a driver that leave nothing standing but the device. */
const wrong: readonly [fault: string, what: string, act: (made: Made) => void, features?: readonly number[]][] = [
	['availableIndex', 'an available index too far ahead', ({driver}) => driver.claim(9)],
	['availableIndex', 'an available index that runs back', ({driver}) => driver.claim(0xffff)],
	['head', 'a head that is no descriptor', ({driver}) => driver.publish(8)],
	[
		'head',
		'a head that the device has already',
		({driver, control}) => {
			control.holds = true;
			driver.offer([{at: table, length: 4}]);
			driver.publish(0);
		},
	],
	[
		'loop',
		'a chain that is a circle',
		({driver, descriptors}) => {
			driver.describe(descriptors, 0, table, 4, NEXT, 1);
			driver.describe(descriptors, 1, table, 4, NEXT, 0);
			driver.publish(0);
		},
	],
	[
		'next',
		'a chain that leaves the table',
		({driver, descriptors}) => {
			driver.describe(descriptors, 0, table, 4, NEXT, 8);
			driver.publish(0);
		},
	],
	['buffer', 'a buffer that is no memory', ({driver}) => driver.offer([{at: ramBytes - 2, length: 4}])],
	[
		'buffer',
		'a buffer at the end of addresses',
		({driver, descriptors, machine}) => {
			driver.describe(descriptors, 0, 0, 4, 0);
			machine.memory.writeBigU64(descriptors, 0xffff_ffff_ffff_fffen);
			driver.publish(0);
		},
	],
	[
		'buffer',
		'a buffer to read behind one to write',
		({driver}) =>
			driver.offer([
				{at: table, length: 4, writable: true},
				{at: table, length: 4},
			]),
	],
	[
		'indirect',
		'an indirect table that was not negotiated',
		({driver, descriptors}) => {
			driver.describe(descriptors, 0, table, 16, INDIRECT);
			driver.publish(0);
		},
		[],
	],
	[
		'indirect',
		'an indirect table of nothing',
		({driver, descriptors}) => {
			driver.describe(descriptors, 0, table, 0, INDIRECT);
			driver.publish(0);
		},
	],
	[
		'indirect',
		'an indirect table of half a descriptor',
		({driver, descriptors}) => {
			driver.describe(descriptors, 0, table, 24, INDIRECT);
			driver.publish(0);
		},
	],
	[
		'indirect',
		'an indirect table that is huge',
		({driver, descriptors}) => {
			driver.describe(descriptors, 0, 0, 16 * 1025, INDIRECT);
			driver.publish(0);
		},
	],
	[
		'indirect',
		'an indirect table that goes on',
		({driver, descriptors}) => {
			driver.describe(descriptors, 0, table, 16, INDIRECT | NEXT, 1);
			driver.publish(0);
		},
	],
	[
		'indirect',
		'an indirect table in itself',
		({driver, descriptors}) => {
			driver.describe(descriptors, 0, descriptors, 128, INDIRECT);
			driver.publish(0);
		},
	],
	[
		'loop',
		'an indirect table that is a circle',
		({driver, descriptors}) => {
			driver.describe(descriptors, 0, table, 32, INDIRECT);
			driver.describe(table, 0, table, 4, NEXT, 1);
			driver.describe(table, 1, table, 4, NEXT, 0);
			driver.publish(0);
		},
	],
];
for (const [fault, what, act, features] of wrong) {
	test(`${what} breaks the queue, and a reset mends it`, async (t) => {
		const made = make(features);
		const {control, machine, driver} = made;
		act(made);
		await driver.notify();
		t.is(driver.status & needsReset, needsReset);
		t.is(faultOf(machine), fault);
		t.is(machine.registers.takeInterrupts() & 2, 2);
		control.finish();
		await driver.notify();
		t.deepEqual(driver.used(), []);
		machine.registers.write('device_status', 0);
		await machine.run();
		t.is(driver.status, 0);
		t.is(faultOf(machine), 'none');
		driver.begin();
		control.holds = false;
		driver.offer([
			{at: table, length: 4},
			{at: table, length: 4, writable: true},
		]);
		await driver.notify();
		t.deepEqual(driver.used(), [[0, 4]]);
		t.deepEqual(machine.failures, []);
	});
}

const places: readonly (readonly [register: string, at: number])[] = [
	['queue_desc', ramBytes - 16],
	['queue_desc', 0x1_0008],
	['queue_driver', 0x1_2001],
	['queue_device', 0x1_3002],
	['queue_device', 0xffff_fffc],
];
for (const [register, at] of places) {
	test(`a queue whose ${register} is ${at.toString(16)} is broken`, async (t) => {
		const machine = new VirtioMachine(echoModel('mmio') as never, 'mmio');
		const driver = new TestDriver(machine);
		const write = machine.registers.write.bind(machine.registers);
		machine.registers.write = (name, value) => write(name, name === register ? at : value);
		driver.begin();
		await driver.notify();
		t.is(driver.status & needsReset, needsReset);
		t.is(faultOf(machine), 'place');
		t.deepEqual(machine.failures, []);
	});
}

test('an indirect table may follow other buffers', async (t) => {
	const {machine, driver, descriptors} = make();
	machine.memory.copyIn(table + 0x100, new TextEncoder().encode('abcdef'));
	driver.describe(descriptors, 0, table + 0x100, 2, NEXT, 5);
	driver.describe(descriptors, 5, table, 48, INDIRECT);
	driver.describe(table, 0, table + 0x102, 1, NEXT, 2);
	driver.describe(table, 2, table + 0x105, 1, NEXT, 1);
	driver.describe(table, 1, table + 0x200, 100, WRITE);
	driver.publish(0);
	await driver.notify();
	t.deepEqual(driver.used(), [[0, 4]]);
	const bytes = new Uint8Array(4);
	machine.memory.copyOut(table + 0x200, bytes);
	t.is(new TextDecoder().decode(bytes), 'abcf');
});

test('the bytes of a chain are reached without a copy, across its buffers, as far as there are any', async (t) => {
	const {control, driver, machine} = make();
	control.holds = true;
	driver.offer([
		{at: table, length: 4},
		{at: table + 0x100, length: 6},
		{at: table + 0x200, length: 8, writable: true},
	]);
	await driver.notify();
	const [chain] = control.held;
	const vectors = new IoVectors(3);
	const start = new IoVectors(1);
	machine.memory.pin(0, 1, 'read', start);
	const base = start.hostAddress(0);
	const shown = () =>
		Array.from({length: vectors.count}, (_, index) => [vectors.hostAddress(index) - base, vectors.length(index)]);
	t.true(chain?.pin('read', vectors, 2));
	t.deepEqual(shown(), [
		[table + 2, 2],
		[table + 0x100, 6],
	]);
	t.false(chain?.pin('read', vectors), 'there is room for one more only, and what was there stays');
	t.is(vectors.count, 2);
	t.true(chain?.pin('write', vectors, 1, 3));
	t.deepEqual(shown()[2], [table + 0x201, 3]);
	vectors.release();
	for (const [offset, length] of [[9], [-1, 2], [0, 9]] as const) t.false(chain?.pin('write', vectors, offset, length));
	control.finish();
	t.deepEqual(machine.failures, []);
});

test('indices wrap, and the rings are used from the beginning', async (t) => {
	for (const features of [[], [ringEvent]]) {
		const {driver} = make(features);
		for (let round = 0; round < 3 * driver.queueSize + 1; round++) {
			driver.offer(
				[
					{at: table, length: 1},
					{at: table, length: 1, writable: true},
				],
				{head: (2 * round) % 8},
			);
			await driver.notify();
			t.deepEqual(driver.used(), [[(2 * round) % 8, 1]]);
		}
	}
});

test('a driver that fills the queue as fast as it is emptied does not keep the thread', async (t) => {
	const {control, machine, driver} = make();
	let taken = 0;
	control.queueReady = (queue) => {
		for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
			queue.complete(chain, 0);
			if (++taken < 100) driver.publish(0);
		}
	};
	driver.offer([{at: table, length: 1}]);
	machine.registers.notify(0);
	machine.backs.poll();
	t.is(taken, driver.queueSize);
	await machine.run();
	t.is(taken, 100);
});

test('a driver whose buffers overlap and are large does not keep the thread', async (t) => {
	const {control, machine, driver} = make();
	let taken = 0;
	control.queueReady = (queue) => {
		for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
			queue.complete(chain, 0);
			taken++;
		}
	};
	for (let head = 0; head < driver.queueSize; head++) driver.offer([{at: 0, length: ramBytes, writable: true}], {head});
	machine.registers.notify(0);
	machine.backs.poll();
	t.is(taken, 4);
	await machine.run();
	t.is(taken, driver.queueSize);
});

test('a driver that notifies while its queues wait for their next turn does not make it longer', (t) => {
	const {control, machine, driver} = make();
	let turns = 0;
	control.queueReady = (queue) => {
		turns++;
		for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
			queue.complete(chain, 0);
			driver.publish(0);
		}
	};
	driver.offer([{at: table, length: 1}]);
	for (const expected of [1, 2, 3]) {
		for (let times = 0; times < 9; times++) machine.backs.back('it')?.notified();
		machine.backs.poll();
		machine.reactor.turn();
		t.is(turns, expected);
	}
});

test('chains that there is nothing for yet are put back, the last first, and taken again in their order', async (t) => {
	const {control, driver, machine} = make();
	control.queueReady = (queue) => {
		const [first, second] = [queue.next(), queue.next()];
		if (first === undefined || second === undefined) return;
		t.throws(() => queue.putBack(first), {instanceOf: TypeError});
		queue.putBack(second);
		queue.putBack(first);
		t.throws(() => queue.putBack(first), {instanceOf: TypeError});
		t.deepEqual([queue.inFlight, queue.progress.available], [0, 0]);
		for (let chain = queue.next(); chain !== undefined; chain = queue.next()) queue.complete(chain, 0);
	};
	for (const head of [3, 5]) driver.offer([{at: table, length: 4}], {head});
	await driver.notify();
	t.deepEqual(
		driver.used().map(([head]) => head),
		[3, 5],
	);
	await machine.backs.stop();
	t.deepEqual(machine.failures, []);
});
