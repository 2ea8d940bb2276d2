import test from 'ava';
import {HeldDisks} from '#devices/storage/disk-set/testing';
import {unchecked} from '#support/trust';
import {CommandStatus} from './status.ts';
import {dataPage, NvmeDriver, NvmeMachine} from './testing/index.ts';

const [READ, WRITE, FLUSH] = [2, 1, 0];
const {SUCCESS} = CommandStatus;

async function make(workers = 1, queues = 2) {
	const disks = new HeldDisks();
	const machine = await NvmeMachine.make({workers, queues: 6}, disks);
	machine.useMessages();
	const driver = new NvmeDriver(machine);
	driver.enable();
	for (let queue = 1; queue <= queues; queue++) await driver.create(queue);
	machine.takeInterrupts();
	return {machine, driver, disks, memory: machine.memory};
}

const write = (block: number) => ({opcode: WRITE, nsid: 1, prp1: dataPage, dword10: block, dword12: 0});
const statuses = (told: readonly {readonly id: number; readonly status: number}[]) =>
	told.map(({id, status}) => [id, status]);

for (const workers of [1, 2, 3]) {
	test(`requests in flight are told of together, in the order in which they end, on ${workers} workers`, async (t) => {
		const {machine, driver, disks} = await make(workers);
		const ids = [0, 1, 2].map((block) => driver.submit(1, write(block)));
		await machine.run();
		t.deepEqual([driver.take(1), disks.count], [[], 3]);
		disks.finish();
		await machine.run();
		t.deepEqual(
			statuses(driver.take(1)),
			ids.toReversed().map((id) => [id, SUCCESS]),
		);
		t.deepEqual(machine.takeInterrupts(), ['message 1']);
		t.deepEqual(machine.failures, []);
	});

	test(`a reset waits for what is in flight, of which nobody is told, on ${workers} workers`, async (t) => {
		const {machine, driver, disks, memory} = await make(workers);
		for (const queue of [1, 2]) driver.submit(queue, write(queue));
		await machine.run();
		machine.write(0x14, 0);
		await machine.run();
		t.is(driver.status, 1);
		driver.enable();
		t.is(driver.status, 1, 'what a driver writes meanwhile has no effect');
		memory.fill(0x1_0000, 0x8000, 0x55);
		disks.holds = false;
		disks.finish();
		await machine.run();
		t.is(driver.status, 0);
		t.deepEqual(machine.takeInterrupts(), []);
		t.true(driver.bytes(0x1_0000, 0x8000).every((byte) => byte === 0x55));
		driver.enable();
		t.deepEqual(await driver.create(1), [SUCCESS, SUCCESS]);
		t.is((await driver.perform(1, {opcode: FLUSH, nsid: 1})).status, SUCCESS);
		t.deepEqual(machine.failures, []);
	});

	test(`a queue is deleted when nothing of it is in flight, on ${workers} workers`, async (t) => {
		const {machine, driver, disks} = await make(workers);
		const id = driver.submit(1, write(1));
		await machine.run();
		const deletion = driver.submit(0, {opcode: 0, dword10: 1});
		await machine.run();
		t.deepEqual(driver.take(0), []);
		t.is((await driver.admin({opcode: 0, dword10: 1})).status, CommandStatus.QUEUE_ID, 'it is on its way');
		t.is((await driver.admin({opcode: 4, dword10: 1})).status, CommandStatus.QUEUE_DELETION);
		t.is((await driver.admin({opcode: 10, dword10: 6, id: deletion})).status, CommandStatus.ID_CONFLICT);
		disks.finish();
		await machine.run();
		t.deepEqual(statuses(driver.take(1)), [[id, SUCCESS]]);
		t.deepEqual(statuses(driver.take(0)), [[deletion, SUCCESS]]);
		t.is((await driver.admin({opcode: 4, dword10: 1})).status, SUCCESS);
		t.deepEqual(await driver.create(1), [SUCCESS, SUCCESS]);
		t.deepEqual(machine.failures, []);
	});
}

test('an id that is in flight is not used again, and one that is not may be', async (t) => {
	const {machine, driver, disks} = await make();
	driver.submit(1, {...write(0), id: 5});
	driver.submit(1, {...write(1), id: 5});
	driver.submit(2, {...write(1), id: 5});
	await machine.run();
	t.deepEqual(statuses(driver.take(1)), [[5, CommandStatus.ID_CONFLICT]]);
	disks.finish();
	await machine.run();
	t.deepEqual([statuses(driver.take(1)), statuses(driver.take(2))], [[[5, SUCCESS]], [[5, SUCCESS]]]);
	disks.holds = false;
	t.is((await driver.perform(1, {...write(1), id: 5})).status, SUCCESS);
});

test('a read with Force Unit Access is of what is durable', async (t) => {
	const {machine, driver, disks, memory} = await make();
	disks.holds = false;
	memory.fill(dataPage, 512, 0xab);
	t.is((await driver.perform(1, write(3))).status, SUCCESS);
	disks.holds = true;
	const id = driver.submit(1, {opcode: READ, nsid: 1, prp1: dataPage + 0x1000, dword10: 3, dword12: 2 ** 30});
	await machine.run();
	disks.finish(1);
	await machine.run();
	t.deepEqual([driver.take(1), disks.count], [[], 1], 'the flush is done, the read is not');
	disks.finish(1);
	await machine.run();
	t.deepEqual(statuses(driver.take(1)), [[id, SUCCESS]]);
	t.deepEqual([...driver.bytes(dataPage + 0x1000, 513)], [...Array<number>(512).fill(0xab), 0]);
	t.is(machine.pins, 0);
	t.deepEqual(machine.failures, []);
});

test('the volatile write cache is off when what is in it is durable', async (t) => {
	const {machine, driver, disks} = await make();
	const set = (value: number) => driver.submit(0, {opcode: 9, dword10: 6, dword11: value});
	const on = set(1);
	const off = set(0);
	await machine.run();
	t.deepEqual(statuses(driver.take(0)), [[on, SUCCESS]]);
	t.is((await driver.admin({opcode: 6, prp1: dataPage, dword10: 1, id: off})).status, CommandStatus.ID_CONFLICT);
	disks.finish(1);
	await machine.run();
	t.deepEqual(driver.take(0), [], 'of the other namespace');
	disks.finish();
	await machine.run();
	t.deepEqual(statuses(driver.take(0)), [[off, SUCCESS]]);
	t.is((await driver.admin({opcode: 9, dword10: 6, dword11: 0})).status, SUCCESS, 'there is none');
	t.deepEqual(machine.failures, []);
});

test('a driver that turns the cache off again and again has few flushes in flight', async (t) => {
	const {machine, driver, disks, memory} = await make(1, 0);
	machine.write(0x14, 0);
	await machine.run();
	const [submissions, completions] = [driver.place(0, 64).submissions, dataPage];
	for (const [register, value] of [
		[0x24, 255 * 0x1_0000 + 63],
		[0x28, submissions],
		[0x30, completions],
		[0x14, 0x46_0001],
	] as const)
		machine.write(register, value);
	for (let round = 0; round < 3; round++) {
		for (let count = 0; count < 60; count++)
			driver.submit(0, {opcode: 9, dword10: 6, dword11: count & 1}, count === 59);
		await machine.run();
	}
	t.is(disks.count, 64);
	disks.holds = false;
	disks.finish();
	await machine.run();
	const phases = Array.from({length: 200}, (_, entry) => unchecked(memory.readU16(completions + 16 * entry + 14)));
	t.is(phases.filter((status) => status === 1).length, 180);
	t.deepEqual(machine.failures, []);
});

test('a shutdown is complete when all is durable', async (t) => {
	const {machine, driver, disks} = await make();
	machine.write(0x14, 0x46_4001);
	await machine.run();
	t.is(driver.status, 5);
	disks.finish(1);
	await machine.run();
	t.is(driver.status, 5, 'of the other namespace');
	disks.finish();
	t.is(driver.status, 9);
});

test('a machine stops when nothing is in flight, and a snapshot goes on with what was not fetched', async (t) => {
	for (const isShadowed of [false, true]) {
		const one = await make(1, 0);
		if (isShadowed) t.is(await one.driver.useShadow(), SUCCESS);
		for (const queue of [1, 2]) t.deepEqual(await one.driver.create(queue), [SUCCESS, SUCCESS]);
		const events = [0x700, 0x701].map((id) => one.driver.submit(0, {opcode: 12, id}));
		one.memory.fill(dataPage, 512, 0xab);
		const before = [1, 2].map((block) => one.driver.submit(1, write(block)));
		await one.machine.run();
		// A deletion that waits, and a command that the controller has not seen.
		const deletion = one.driver.submit(0, {opcode: 0, dword10: 1});
		await one.machine.run();
		const stopped = one.machine.stop();
		const after = one.driver.submit(2, {opcode: READ, nsid: 1, prp1: dataPage + 0x1000, dword10: 2});
		one.disks.finish();
		await stopped;

		const two = await make(isShadowed ? 3 : 1, 0);
		await two.machine.stop();
		const ram = new Uint8Array(0x10_0000);
		one.memory.copyOut(0, ram);
		two.memory.copyIn(0, ram);
		two.machine.machine.restore(JSON.parse(JSON.stringify(one.machine.machine.save())));
		two.disks.holds = false;
		two.machine.start();
		two.driver.resume(one.driver);
		await two.machine.run();
		t.deepEqual(
			statuses(two.driver.take(1)),
			before.toReversed().map((id) => [id, SUCCESS]),
		);
		t.deepEqual(statuses(two.driver.take(0)), [[deletion, SUCCESS]]);
		t.deepEqual(statuses(two.driver.take(2)), [[after, SUCCESS]]);
		two.driver.ring(2, 77);
		await two.machine.run();
		if (isShadowed) two.machine.write(0x1000 + 8 * 2, 0);
		await two.machine.run();
		t.deepEqual(
			two.driver.take(0).map(({id, result}) => [id, result]),
			[[events[1], 0x1_0100]],
		);
		t.is((await two.driver.admin({opcode: 10, dword10: 6, id: 0x700})).status, CommandStatus.ID_CONFLICT);
		t.deepEqual([two.machine.failures, one.machine.failures], [[], []]);
	}
});

test('more commands than a worker has at disks wait, and come; the admin queue goes on', async (t) => {
	const {machine, driver, disks} = await make(1, 0);
	const all = [1, 2, 3, 4, 5, 6];
	const size = 60;
	for (const queue of all) t.deepEqual(await driver.create(queue, {size}), [SUCCESS, SUCCESS]);
	for (const queue of all)
		for (let block = 1; block < size; block++) driver.submit(queue, write(block), block === size - 1);
	await machine.run();
	t.is(disks.count, 256);
	t.is((await driver.admin({opcode: 10, dword10: 6})).status, SUCCESS);
	disks.finish(10);
	await machine.run();
	t.is(disks.count, 256);
	disks.holds = false;
	disks.finish();
	await machine.run();
	for (const queue of all) t.is(driver.take(queue).length, size - 1);
	t.deepEqual(machine.failures, []);
});
