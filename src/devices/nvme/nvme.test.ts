import test from 'ava';
import {unchecked} from '#support/trust';
import {IdentifyController, IdentifyNamespace} from './layout.ts';
import {CommandStatus} from './status.ts';
import {dataPage, eventIndexPage, NvmeDriver, NvmeMachine, shadowPage} from './testing/index.ts';

const [READ, WRITE, FLUSH, ZEROES, DATASET] = [2, 1, 0, 8, 9];
const {SUCCESS} = CommandStatus;

/** A controller that is ready. */
async function make(changes: Parameters<typeof NvmeMachine.make>[0] = {}, queues = 1) {
	const machine = await NvmeMachine.make(changes);
	machine.useMessages();
	const driver = new NvmeDriver(machine);
	driver.enable();
	for (let queue = 1; queue <= queues; queue++) await driver.create(queue);
	machine.takeInterrupts();
	return {machine, driver, memory: machine.memory};
}

const blocks = (first: number, count: number) => ({dword10: first, dword12: count - 1});

test('registers say what the controller is, and the doorbells and vectors that there are', async (t) => {
	const machine = await NvmeMachine.make();
	t.is(machine.config(0, 4), 0xc03e_1414);
	t.is(machine.config(8, 4) >>> 8, 0x01_0802);
	t.deepEqual([machine.read(0), machine.read(4), machine.read(8)], [0xff01_00ff, 0x20, 0x2_0000]);
	t.deepEqual([machine.read(0x14), machine.read(0x1c)], [0, 0]);
	t.deepEqual([machine.read(2, 2), machine.read(3, 1)], [0xff01, 0xff]);
});

test('a driver sets it up, writes and reads by pages and by a list of them, and is told by messages', async (t) => {
	const {machine, driver, memory} = await make();
	t.is(driver.status, 1);
	const bytes = Uint8Array.from({length: 5 * 4096}, (_, index) => (index * 7) & 0xff);
	memory.copyIn(dataPage + 0x100, bytes);
	t.is(
		(
			await driver.perform(1, {
				opcode: WRITE,
				nsid: 1,
				prp1: dataPage + 0x100,
				prp2: dataPage + 0x1000,
				...blocks(8, 8),
			})
		).status,
		SUCCESS,
	);
	t.deepEqual(machine.takeInterrupts(), ['message 1']);
	memory.fill(dataPage, 0x8000, 0);
	const list = dataPage + 0x1_0ff0;
	for (const [index, page] of [3, 1, 2].entries()) memory.writeU64(list + 8 * index, dataPage + 0x1000 * page);
	// The list goes on in another page.
	memory.writeU64(list + 8, dataPage + 0x1_2000);
	memory.writeU64(dataPage + 0x1_2000, dataPage + 0x1000);
	memory.writeU64(dataPage + 0x1_2008, dataPage + 0x2000);
	const read = {opcode: READ, nsid: 1, prp1: dataPage + 0x800, prp2: list, ...blocks(8, 24)};
	t.is((await driver.perform(1, read)).status, SUCCESS);
	t.deepEqual(driver.bytes(dataPage + 0x800, 0x800), bytes.subarray(0, 0x800));
	t.deepEqual(driver.bytes(dataPage + 0x3000, 0x800), bytes.subarray(0x800, 0x1000));
	t.deepEqual(machine.failures, []);
});

test('data that a scatter gather list describes is moved', async (t) => {
	const {driver, memory} = await make();
	const bytes = Uint8Array.from({length: 1024}, (_, index) => (index * 3) & 0xff);
	memory.copyIn(dataPage + 3, bytes);
	const descriptor = (at: number, address: number, length: number, type: number) => {
		memory.writeU64(at, address);
		memory.writeU32(at + 8, length);
		memory.writeU32(at + 12, type * 2 ** 24);
	};
	const sgl = (address: number, length: number, type: number) => ({
		flags: 0x40,
		prp1: address,
		prp2: BigInt(length) + (BigInt(type) << 56n),
	});
	t.is(
		(await driver.perform(1, {opcode: WRITE, nsid: 1, ...sgl(dataPage + 3, 1024, 0), ...blocks(0, 2)})).status,
		SUCCESS,
	);
	const [first, last] = [dataPage + 0x1000, dataPage + 0x2000];
	descriptor(first, dataPage + 0x4001, 100, 0);
	descriptor(first + 16, last, 32, 0x30);
	descriptor(last, dataPage + 0x5000, 0, 0);
	descriptor(last + 16, dataPage + 0x5000, 924, 0);
	t.is((await driver.perform(1, {opcode: READ, nsid: 1, ...sgl(first, 32, 0x20), ...blocks(0, 2)})).status, SUCCESS);
	t.deepEqual(driver.bytes(dataPage + 0x4001, 100), bytes.subarray(0, 100));
	t.deepEqual(driver.bytes(dataPage + 0x5000, 924), bytes.subarray(100));
});

test('what the controller and its namespaces are is told', async (t) => {
	const {driver} = await make({}, 0);
	const identify = async (structure: number, nsid = 0, set = 0) =>
		(await driver.admin({opcode: 6, nsid, prp1: dataPage, dword10: structure, dword11: set * 2 ** 24})).status;
	t.is(await identify(1), SUCCESS);
	const controller = IdentifyController.read(driver.bytes(dataPage, 4096));
	t.like(controller, {vendor: 0x1414, serial: 'test'.padEnd(20), mostTransfer: 6, namespaces: 1024, version: 0x2_0000});
	t.regex(controller.subsystem, /^nqn\.2014-08\.org\.nvmexpress:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
	t.is(await identify(0, 1), SUCCESS);
	t.like(IdentifyNamespace.read(driver.bytes(dataPage, 4096)), {size: 1024, blockShift: 9, attributes: 0});
	t.is(await identify(0, 3), SUCCESS);
	t.like(IdentifyNamespace.read(driver.bytes(dataPage, 4096)), {size: 128, attributes: 1});
	t.is(await identify(0, 2), SUCCESS);
	t.is(IdentifyNamespace.read(driver.bytes(dataPage, 4096)).size, 0);
	const words = () => [...new Uint32Array(driver.bytes(dataPage, 16).buffer)];
	t.is(await identify(2), SUCCESS);
	t.deepEqual(words(), [1, 3, 0, 0]);
	t.is(await identify(7, 1), SUCCESS);
	t.deepEqual(words(), [3, 0, 0, 0]);
	t.is(await identify(3, 3), SUCCESS);
	t.deepEqual([...driver.bytes(dataPage, 2), ...driver.bytes(dataPage + 20, 6)], [2, 16, 4, 1, 0, 0, 0, 0]);
	for (const [structure, nsid, set] of [
		[5, 1, 0],
		[6, 0, 0],
		[8, 1, 0],
	] as const)
		t.is(await identify(structure, nsid, set), SUCCESS);
	const {INVALID_FIELD, INVALID_NAMESPACE} = CommandStatus;
	t.deepEqual(
		[
			await identify(0, 0),
			await identify(0, 1025),
			await identify(3, 2),
			await identify(0x55),
			await identify(5, 1, 9),
		],
		[INVALID_NAMESPACE, INVALID_NAMESPACE, INVALID_FIELD, INVALID_FIELD, INVALID_FIELD],
	);
	t.is(await identify(2, 0xffff_ffff), INVALID_NAMESPACE);
});

test('features are set, read, and have the values that they had at power-on after a reset', async (t) => {
	const {machine, driver} = await make({}, 0);
	const set = (id: number, value: number) => driver.admin({opcode: 9, dword10: id, dword11: value});
	const get = (id: number, select = 0, value = 0) =>
		driver.admin({opcode: 10, dword10: id + select * 0x100, dword11: value});
	t.like(await set(7, 0x00ff_00ff), {status: SUCCESS, result: 0x3_0003});
	t.like(await get(7), {result: 0x3_0003});
	t.like(await get(6), {result: 1});
	t.is((await set(6, 0)).status, SUCCESS);
	t.like(await get(6), {result: 0});
	t.like(await get(6, 1), {result: 1});
	t.like(await get(6, 3), {result: 4});
	for (const [id, value, found] of [
		[1, 0xffff_ffff, 0xffff_ff07],
		[2, 0, 0],
		[5, 0x77, 0x77],
		[8, 0x1234, 0x1234],
		[10, 3, 1],
		[11, 0x1ff, 0x1ff],
	] as const) {
		t.is((await set(id, value)).status, SUCCESS, `${id}`);
		t.like(await get(id), {status: SUCCESS, result: found}, `${id}`);
	}
	t.is((await set(4, 0x10_0111)).status, SUCCESS);
	t.deepEqual([(await get(4, 0, 0x10_0000)).result, (await get(4)).result], [0x111, 343]);
	t.is((await set(9, 0x1_0005)).status, SUCCESS);
	t.deepEqual([(await get(9, 0, 5)).result, (await get(9, 0, 6)).result], [0x1_0005, 6]);
	const {INVALID_FIELD, NOT_SAVEABLE, COMMAND_SEQUENCE} = CommandStatus;
	const wrong = [
		await set(2, 1),
		await set(9, 64),
		await get(9, 0, 64),
		await set(0x55, 0),
		await get(0x55),
		await get(6, 4),
		await set(5, 0x1_0000),
		await set(4, 0x1_0000),
		await set(7, 0xffff),
	];
	t.deepEqual(
		wrong.map(({status}) => status),
		wrong.map(() => INVALID_FIELD),
	);
	t.is((await driver.admin({opcode: 9, dword10: 0x8000_0006})).status, NOT_SAVEABLE);
	await driver.create(1);
	t.is((await set(7, 0)).status, COMMAND_SEQUENCE);
	machine.write(0x14, 0);
	await machine.run();
	driver.enable();
	t.like(await get(6), {result: 1});
	t.like(await get(4), {result: 343});
});

test('log pages are read, whole and in parts', async (t) => {
	const {driver} = await make();
	const log = (page: number, dwords: number, offset = 0) =>
		driver.admin({opcode: 2, prp1: dataPage, dword10: page + (dwords - 1) * 0x1_0000, dword12: offset});
	for (const _ of [0, 1]) await driver.perform(1, {opcode: READ, nsid: 1, prp1: dataPage, ...blocks(0, 8)});
	await driver.perform(1, {opcode: WRITE, nsid: 1, prp1: dataPage, ...blocks(0, 1)});
	t.is((await log(2, 128)).status, SUCCESS);
	const counters = new BigUint64Array(driver.bytes(dataPage, 512).buffer);
	t.deepEqual([counters[4], counters[6], counters[8], counters[10]], [1n, 1n, 2n, 1n]);
	t.deepEqual([...driver.bytes(dataPage, 4)], [0, 298 & 0xff, 298 >> 8, 100]);
	for (const [page, dwords] of [
		[0, 256],
		[1, 16],
		[3, 128],
		[4, 1024],
		[5, 1024],
	] as const)
		t.is((await log(page, dwords)).status, SUCCESS, `${page}`);
	t.is(unchecked(driver.machine.memory.readU32(dataPage + 4 * 6)), 1, 'Identify');
	t.is((await log(2, 1, 4)).status, SUCCESS);
	t.is(unchecked(driver.machine.memory.readU32(dataPage)), 10);
	t.deepEqual(
		[(await log(2, 1, 2)).status, (await log(2, 1, 516)).status, (await log(0x77, 1)).status],
		[CommandStatus.INVALID_FIELD, CommandStatus.INVALID_FIELD, CommandStatus.LOG_PAGE],
	);
});

test('flush, zeros, deallocation and protection', async (t) => {
	const {driver, memory} = await make();
	const perform = async (values: Parameters<NvmeDriver['perform']>[1]) => (await driver.perform(1, values)).status;
	memory.fill(dataPage, 0x1000, 0xee);
	t.is(await perform({opcode: WRITE, nsid: 1, prp1: dataPage, dword10: 0, dword12: 7 + 2 ** 30}), SUCCESS);
	for (const nsid of [1, 3, 0xffff_ffff]) t.is(await perform({opcode: FLUSH, nsid}), SUCCESS);
	t.is(await perform({opcode: ZEROES, nsid: 1, ...blocks(1, 1)}), SUCCESS);
	memory.writeU32(dataPage + 0x1004, 2);
	memory.writeU64(dataPage + 0x1008, 4);
	memory.writeU32(dataPage + 0x1014, 1);
	memory.writeU64(dataPage + 0x1018, 7);
	t.is(await perform({opcode: DATASET, nsid: 1, prp1: dataPage + 0x1000, dword10: 1, dword11: 4}), SUCCESS);
	t.is(await perform({opcode: READ, nsid: 1, prp1: dataPage, ...blocks(0, 8)}), SUCCESS);
	const seen = Array.from({length: 8}, (_, block) => unchecked(memory.readU8(dataPage + 512 * block)));
	t.deepEqual(seen, [0xee, 0, 0xee, 0xee, 0, 0, 0xee, 0]);
	const {WRITE_PROTECTED, LBA_RANGE, INVALID_FIELD, INVALID_NAMESPACE, INVALID_OPCODE, SIZE_LIMIT} = CommandStatus;
	t.is(await perform({opcode: WRITE, nsid: 3, prp1: dataPage, ...blocks(0, 1)}), WRITE_PROTECTED);
	t.is(await perform({opcode: ZEROES, nsid: 3, ...blocks(0, 1)}), WRITE_PROTECTED);
	t.is(await perform({opcode: DATASET, nsid: 3, prp1: dataPage + 0x1000, dword10: 1, dword11: 4}), WRITE_PROTECTED);
	t.is(await perform({opcode: READ, nsid: 3, prp1: dataPage, ...blocks(127, 2)}), LBA_RANGE);
	t.is(await perform({opcode: READ, nsid: 1, prp1: dataPage, dword10: 0, dword11: 0xffff_ffff}), LBA_RANGE);
	t.is(
		await perform({opcode: READ, nsid: 1, prp1: dataPage, ...blocks(0, 513)}),
		INVALID_FIELD,
		'more than a command moves',
	);
	t.is(await perform({opcode: ZEROES, nsid: 1, ...blocks(1000, 100)}), LBA_RANGE);
	t.is(await perform({opcode: DATASET, nsid: 1, prp1: dataPage, dword10: 16, dword11: 4}), SIZE_LIMIT);
	memory.writeU64(dataPage + 0x1008, 1023);
	t.is(await perform({opcode: DATASET, nsid: 1, prp1: dataPage + 0x1000, dword10: 0, dword11: 4}), LBA_RANGE);
	t.is(await perform({opcode: DATASET, nsid: 1, prp1: dataPage + 0x1000, dword10: 0, dword11: 1}), SUCCESS);
	t.is(await perform({opcode: READ, nsid: 2, prp1: dataPage}), INVALID_FIELD);
	for (const nsid of [0, 1025, 0xffff_ffff])
		t.is(await perform({opcode: READ, nsid, prp1: dataPage}), INVALID_NAMESPACE);
	t.is(await perform({opcode: 0x5, nsid: 1, prp1: dataPage}), INVALID_OPCODE);
	t.is(await perform({opcode: READ, nsid: 1, flags: 1, prp1: dataPage}), INVALID_FIELD);
});

test('a shutdown that the driver tells of makes all durable, and a reset begins anew', async (t) => {
	const {machine, driver} = await make();
	machine.write(0x14, 0x46_4001);
	t.is(driver.status, 0x5);
	await machine.run();
	t.is(driver.status, 0x9);
	machine.write(0x14, 0x46_4000);
	t.is(driver.status & 1, 1, 'until nothing is in flight');
	await machine.run();
	t.is(driver.status, 0);
	driver.enable();
	t.is(driver.status, 1);
	t.is((await driver.admin({opcode: 10, dword10: 6})).result, 1);
	t.deepEqual(await driver.create(1), [SUCCESS, SUCCESS]);
	machine.write(0x14, 0x46_8001);
	await machine.run();
	t.is(driver.status, 0x9, 'an abrupt one likewise');
});

test('without messages the interrupt is a level until completions are taken, and is masked', async (t) => {
	const machine = await NvmeMachine.make();
	const driver = new NvmeDriver(machine);
	driver.enable();
	driver.submit(0, {opcode: 10, dword10: 6});
	await machine.run();
	t.deepEqual(machine.takeInterrupts(), ['16 up']);
	machine.write(0xc, 1);
	t.deepEqual([machine.takeInterrupts(), machine.read(0xc), machine.read(0x10)], [['16 down'], 1, 1]);
	machine.write(0x10, 1);
	t.deepEqual(machine.takeInterrupts(), ['16 up']);
	driver.take(0);
	await machine.run();
	t.deepEqual(machine.takeInterrupts(), ['16 down']);
});

test('with doorbells in memory a driver rings where the controller waits, and nowhere else', async (t) => {
	const {machine, driver, memory} = await make();
	t.is(await driver.useShadow(), SUCCESS);
	t.deepEqual(await driver.create(2), [SUCCESS, SUCCESS]);
	for (const queue of [1, 2, 1, 1, 2]) t.is((await driver.perform(queue, {opcode: FLUSH, nsid: 1})).status, SUCCESS);
	const before = driver.rung;
	// Those after the first find the controller on its way.
	for (let count = 0; count < 4; count++) driver.submit(1, {opcode: FLUSH, nsid: 1});
	t.is(driver.rung - before, 1);
	await machine.run();
	t.is(driver.take(1).length, 4);
	t.is(driver.rung - before, 1, 'heads are of no interest while there is room');
	t.is(unchecked(memory.readU32(eventIndexPage + 8)), unchecked(memory.readU32(shadowPage + 8)));
	// Completions without room: the controller asks for the head.
	for (let round = 0; round < 3; round++) {
		for (let count = 0; count < 7; count++) driver.submit(1, {opcode: FLUSH, nsid: 1});
		await machine.run();
		t.is(driver.take(1, round > 0).length, 7);
		if (round > 0) continue;
		for (let count = 0; count < 3; count++) driver.submit(1, {opcode: FLUSH, nsid: 1});
		await machine.run();
		t.is(driver.take(1, false).length, 0);
		driver.release(1);
		await machine.run();
		t.is(driver.take(1).length, 3);
	}
	t.deepEqual(machine.failures, []);
});

test('what was rung before the doorbells in memory came is not lost', async (t) => {
	const {machine, driver} = await make({workers: 2});
	const early = driver.submit(1, {opcode: FLUSH, nsid: 1});
	// The first worker has this one before the other has looked at its queue.
	driver.submit(0, {opcode: 0x7c, prp1: shadowPage, prp2: eventIndexPage});
	await machine.run();
	t.is(driver.take(0)[0]?.status, SUCCESS);
	driver.isShadowed = true;
	t.is(driver.take(1)[0]?.id, early);
	t.is((await driver.perform(1, {opcode: FLUSH, nsid: 1})).status, SUCCESS);
	t.deepEqual(machine.failures, []);
});

test('one turn deallocates no more than it would write', async (t) => {
	// The longest that a disk in RAM clears.
	const bytes = 2 ** 18;
	const {machine, driver, memory} = await make({
		namespaces: [{nsid: 1, disk: {kind: 'memory', bytes: 4 * 2 ** 20}, readOnly: false}],
	});
	for (let range = 0; range < 15; range++) memory.writeU32(dataPage + 16 * range + 4, bytes / 512);
	memory.writeU32(dataPage + 16 * 15 + 4, 1);
	const command = {opcode: DATASET, nsid: 1, prp1: dataPage, dword10: 15, dword11: 4};
	const ids = Array.from({length: 6}, () => driver.submit(1, command));
	const seen: number[] = [];
	for (let turn = 0; turn < 10; turn++) {
		machine.turn(0);
		const told = driver.take(1);
		// Each has a little less than the 4 MiB of a turn, and the last of its ranges next to nothing.
		t.true(told.length <= 2);
		seen.push(...told.map(({id}) => id));
	}
	t.deepEqual(seen, ids);
	t.deepEqual(machine.failures, []);
});

test('commands wait for room in their completion queue, also those of another queue and worker', async (t) => {
	const {machine, driver} = await make({workers: 2}, 1);
	t.deepEqual(await driver.create(2, {completions: 1}), [SUCCESS]);
	for (const queue of [1, 2]) {
		for (let count = 0; count < 6; count++) driver.submit(queue, {opcode: FLUSH, nsid: 1}, count === 5);
		await machine.run();
	}
	t.is(driver.take(1).length, 7);
	await machine.run();
	t.is(driver.take(1).length, 5);
	t.deepEqual(machine.failures, []);
});

test('room that one queue has found first is told to those that wait for it', async (t) => {
	const {machine, driver} = await make({}, 0);
	t.deepEqual(await driver.create(3), [SUCCESS, SUCCESS]);
	for (const queue of [1, 2]) t.deepEqual(await driver.create(queue, {completions: 3}), [SUCCESS]);
	const submit = (queue: number, count: number) => {
		for (let each = 1; each <= count; each++) driver.submit(queue, {opcode: FLUSH, nsid: 1}, each === count);
	};
	submit(1, 7);
	await machine.run();
	submit(1, 3);
	await machine.run();
	t.is(driver.take(3, false).length, 7);
	// The worker looks at queue 2 before it looks at the doorbell of completion queue 3.
	submit(2, 2);
	driver.release(3);
	await machine.run();
	t.is(driver.take(3).length, 5);
});

test('a turn moves so many bytes, and what is left comes in the next', async (t) => {
	const {machine, driver, memory} = await make({}, 0);
	t.deepEqual(await driver.create(1, {size: 32}), [SUCCESS, SUCCESS]);
	for (let page = 0; page < 63; page++) memory.writeU64(dataPage + 0x1000 + 8 * page, dataPage);
	const whole = {opcode: READ, nsid: 1, prp1: dataPage, prp2: dataPage + 0x1000, ...blocks(0, 512)};
	for (let count = 1; count <= 20; count++) driver.submit(1, whole, count === 20);
	machine.turn(0);
	t.is(driver.take(1).length, 16);
	await machine.run();
	t.is(driver.take(1).length, 4);
	for (let count = 1; count <= 31; count++) driver.submit(1, {opcode: FLUSH, nsid: 1}, count === 31);
	await machine.run();
	t.is(driver.take(1).length, 31);
	t.deepEqual(machine.failures, []);
});

test('a temperature that is not within the driver’s thresholds is an event of its own, for who wants it', async (t) => {
	const {machine, driver} = await make();
	const threshold = (value: number) => driver.submit(0, {opcode: 9, dword10: 4, dword11: value});
	const told = async () => {
		await machine.run();
		return driver.take(0).map(({result}) => result);
	};
	for (let count = 0; count < 2; count++) driver.submit(0, {opcode: 12});
	threshold(0x100);
	t.deepEqual(await told(), [0], 'nobody wants it');
	threshold(0x157);
	driver.submit(0, {opcode: 9, dword10: 11, dword11: 2});
	t.deepEqual(await told(), [0, 0]);
	const event = 0x2_0101;
	threshold(0x100);
	t.deepEqual((await told()).toSorted(), [0, event]);
	threshold(0x157);
	threshold(0x100);
	t.deepEqual(await told(), [0, 0], 'the driver has not looked');
	driver.submit(0, {opcode: 2, prp1: dataPage, dword10: 2 + 127 * 0x1_0000});
	t.deepEqual((await told()).toSorted(), [0, event]);
	t.deepEqual([...driver.bytes(dataPage, 1)], [2]);
});

test('events that are asked for are told, once until the driver has looked', async (t) => {
	const {machine, driver} = await make();
	for (let count = 0; count < 4; count++) driver.submit(0, {opcode: 12, id: 0x500 + count});
	t.is((await driver.admin({opcode: 12})).status, CommandStatus.EVENT_LIMIT);
	driver.ring(1, 8);
	await machine.run();
	const [first] = driver.take(0);
	t.like(first, {status: SUCCESS, result: 0x1_0100});
	t.true(first !== undefined && first.id >= 0x500 && first.id < 0x504);
	// Queues that are not there, within the doorbells.
	machine.write(0x1000 + 8 * 4, 1);
	await machine.run();
	t.deepEqual(driver.take(0), []);
	const log = {opcode: 2, prp1: dataPage, dword10: 1 + 15 * 0x1_0000};
	t.is((await driver.admin({...log, dword10: log.dword10 + 0x8000})).status, SUCCESS);
	await machine.run();
	t.deepEqual(driver.take(0), [], 'they are still unread');
	driver.submit(0, log);
	await machine.run();
	t.deepEqual(
		driver.take(0).map(({result}) => result),
		[0, 0x1_0000],
	);
	t.is(unchecked(machine.memory.readU8(dataPage)), 2, 'errors');
	// The queue goes on from its last tail.
	t.is((await driver.perform(1, {opcode: FLUSH, nsid: 1})).status, SUCCESS);
	// One request is aborted, others cannot be.
	driver.submit(0, {opcode: 8, dword10: 0x501 * 0x1_0000});
	driver.submit(0, {opcode: 8, dword10: 0x777 * 0x1_0000});
	await machine.run();
	t.deepEqual(
		driver.take(0).map(({status, result}) => [status, result]),
		[
			[CommandStatus.ABORT_REQUESTED, 0],
			[SUCCESS, 0],
			[SUCCESS, 1],
		],
	);
});
