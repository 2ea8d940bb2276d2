import test from 'ava';
import {generator, randomFields} from '#devices/conformance';
import type {DeviceCommand} from '#devices/device';
import type {SavedDevice} from '#devices/machine';
import type {SavedFields} from '#support/saved-state';
import type {PlainFields} from '#support/wire';
import {type NvmeFields, NvmeState} from './state.ts';
import {CommandStatus} from './status.ts';
import {type CommandValues, dataPage, NvmeDriver, NvmeMachine} from './testing/index.ts';

const [READ, FLUSH] = [2, 0];
const {SUCCESS} = CommandStatus;
const ramEnd = 0x10_0000;

async function make(queues = 1) {
	const machine = await NvmeMachine.make();
	machine.useMessages();
	const driver = new NvmeDriver(machine);
	driver.enable();
	for (let queue = 1; queue <= queues; queue++) await driver.create(queue);
	const status = async (queue: number, values: CommandValues) => (await driver.perform(queue, values)).status;
	return {machine, driver, memory: machine.memory, status};
}

const stateOf = (machine: NvmeMachine) => machine.machine.stateOf('it') as unknown as PlainFields<NvmeFields>;

/** The controller's state in a snapshot, with other values. */
function restoreWith(machine: NvmeMachine, change: (fields: SavedFields) => SavedFields): void {
	const saved = machine.machine.save();
	const it = saved.devices['it'] as SavedDevice;
	machine.machine.restore({...saved, devices: {...saved.devices, it: {...it, fields: change(it.fields)}}});
}

/** The controller has failed, and works again after a reset. */
async function recovers(machine: NvmeMachine, driver: NvmeDriver): Promise<boolean> {
	const hasFailed = (driver.status & 2) !== 0;
	machine.write(0x14, 0);
	await machine.run();
	if (driver.status !== 0) return false;
	machine.memory.fill(0x1_0000, 0x1_0000, 0);
	driver.enable();
	const created = await driver.create(1);
	return hasFailed && created.every((status) => status === SUCCESS);
}

test('a configuration that cannot be fails the controller until a reset', async (t) => {
	for (const [register, value, configuration] of [
		[0x24, 0, 0x46_0001],
		[0x24, 0x7_0000, 0x46_0001],
		[0x24, 0x7, 0x46_0001],
		[0x24, 0x7_0007, 0x46_0081],
		[0x24, 0x7_0007, 0x46_0011],
		[0x24, 0x7_0007, 0x46_0801],
	] as const) {
		const machine = await NvmeMachine.make();
		const driver = new NvmeDriver(machine);
		machine.write(register, value);
		machine.write(0x14, configuration);
		t.is(driver.status, 2, `${value.toString(16)} ${configuration.toString(16)}`);
		machine.write(0x1000, 1);
		await machine.run();
		t.true(await recovers(machine, driver));
		t.deepEqual(machine.failures, []);
	}
});

test('registers that are only read, or not now, keep their values', async (t) => {
	const {machine, driver} = await make();
	const all = () => Array.from({length: 64}, (_, index) => machine.read(4 * index));
	const before = all();
	for (let offset = 0; offset < 0x100; offset += 4) {
		// Interrupt masks and the configuration are the driver's.
		if ([0xc, 0x10, 0x14].includes(offset)) continue;
		machine.write(offset, 0xffff_ffff);
	}
	machine.write(0x14, 0x46_3ff1);
	for (const [offset, size] of [
		[0x14, 1],
		[0x16, 2],
		[0x24, 2],
		[0x1000, 2],
		[0x1001, 1],
	] as const)
		machine.write(offset, 0xff, size);
	machine.write(0xfffc, 1);
	await machine.run();
	t.deepEqual(all(), before);
	t.is(driver.status, 1);
	t.deepEqual([machine.read(0x1000), machine.read(0xfffc)], [0, 0]);
});

test('queues that are no memory fail the controller', async (t) => {
	for (const [register, value] of [
		[0x28, ramEnd],
		[0x2c, 0xffff_ffff],
		[0x30, ramEnd],
		[0x30, 0xffff_f000],
	] as const) {
		const machine = await NvmeMachine.make();
		const driver = new NvmeDriver(machine);
		driver.place(0, 8);
		for (const [at, written] of [
			[0x24, 0x7_0007],
			[0x28, 0x1_0000],
			[0x30, 0x1_1000],
			[register, value],
		] as const)
			machine.write(at, written);
		machine.write(0x14, 0x46_0001);
		driver.submit(0, {opcode: 6, prp1: dataPage, dword10: 1});
		await machine.run();
		t.is(driver.status, 3, value.toString(16));
		t.true(await recovers(machine, driver));
		t.deepEqual(machine.failures, []);
	}
});

test('queues that cannot be are refused', async (t) => {
	const {driver, status} = await make();
	const completions = (dword10: number, dword11: number, prp1 = dataPage) =>
		status(0, {opcode: 5, prp1, dword10, dword11});
	const submissions = (dword10: number, dword11: number, prp1 = dataPage) =>
		status(0, {opcode: 1, prp1, dword10, dword11});
	const {QUEUE_ID, QUEUE_SIZE, INVALID_FIELD, PRP_OFFSET, DATA_TRANSFER, INTERRUPT_VECTOR, QUEUE_COMPLETION} =
		CommandStatus;
	for (const make of [completions, submissions]) {
		for (const queue of [0, 1, 5, 0xffff]) t.is(await make(0x7_0000 + queue, 0x1_0001), QUEUE_ID, `${queue}`);
		for (const size of [0, 256, 0xffff]) t.is(await make(size * 0x1_0000 + 2, 0x1_0001), QUEUE_SIZE, `${size}`);
		t.is(await make(0x7_0002, 0x1_0000), INVALID_FIELD);
		for (const at of [dataPage + 8, 2 ** 63]) t.is(await make(0x7_0002, 0x1_0001, at), PRP_OFFSET);
		for (const at of [ramEnd, 2 ** 51]) t.is(await make(0x7_0002, 0x1_0001, at), DATA_TRANSFER);
		t.is(await make(0xff_0002, 0x1_0001, ramEnd - 4096 + (make === completions ? 4096 : 0)), DATA_TRANSFER);
	}
	t.is(await completions(0x7_0002, 64 * 0x1_0000 + 1), INTERRUPT_VECTOR);
	for (const queue of [0, 5]) t.is(await submissions(0x7_0002, queue * 0x1_0000 + 1), QUEUE_ID);
	t.is(await submissions(0x7_0002, 2 * 0x1_0000 + 1), QUEUE_COMPLETION);
	const {QUEUE_DELETION} = CommandStatus;
	t.is(await status(0, {opcode: 4, dword10: 1}), QUEUE_DELETION);
	for (const queue of [0, 2, 9, 0xffff]) {
		t.is(await status(0, {opcode: 4, dword10: queue}), QUEUE_ID);
		t.is(await status(0, {opcode: 0, dword10: queue}), QUEUE_ID);
	}
	// Entries of another size than there is.
	driver.machine.write(0x14, 0x45_0001);
	t.is(await completions(0x7_0002, 1), QUEUE_SIZE);
	t.is(await status(0, {opcode: 0x77}), CommandStatus.INVALID_OPCODE);
	t.is(await status(0, {opcode: 6, flags: 0x40, prp1: dataPage, dword10: 1}), INVALID_FIELD);
});

test('pages of data that cannot be are refused, and lists that go round end', async (t) => {
	const {memory, machine, status} = await make();
	const read = (prp1: number, prp2: number, count: number) =>
		status(1, {opcode: READ, nsid: 1, prp1, prp2, dword12: count - 1});
	const {PRP_OFFSET, DATA_TRANSFER} = CommandStatus;
	t.is(await read(dataPage + 2, 0, 1), PRP_OFFSET);
	t.is(await read(dataPage, dataPage + 8, 16), PRP_OFFSET);
	t.is(await read(dataPage, dataPage + 4, 64), PRP_OFFSET);
	for (const at of [ramEnd, 2 ** 51]) t.is(await read(at, 0, 1), DATA_TRANSFER);
	t.is(await read(ramEnd - 256, ramEnd, 1), DATA_TRANSFER);
	t.is(await read(2 ** 63, 0, 1), PRP_OFFSET);
	t.is(await read(dataPage, ramEnd, 64), DATA_TRANSFER);
	const list = dataPage + 0x1ff8;
	memory.writeU64(list, dataPage + 0x1ff8);
	t.is(await read(dataPage, list, 64), PRP_OFFSET, 'it goes on at its own end');
	memory.writeU64(list, dataPage + 0x1000);
	for (let entry = 0; entry < 512; entry++) memory.writeU64(dataPage + 0x1000 + 8 * entry, dataPage + 0x1000);
	t.is(await read(dataPage, list, 512), SUCCESS, 'data over their own list');
	t.deepEqual(machine.failures, []);
});

test('scatter gather lists that cannot be are refused, and those that go round end', async (t) => {
	const {memory, machine, status} = await make();
	const read = (address: number, length: number, type: number, count = 1) =>
		status(1, {
			opcode: READ,
			nsid: 1,
			flags: 0x40,
			prp1: address,
			prp2: BigInt(length) + (BigInt(type) << 56n),
			dword12: count - 1,
		});
	const describe = (at: number, address: number, length: number, type: number) => {
		memory.writeU64(at, address);
		memory.writeU32(at + 8, length);
		memory.writeU32(at + 12, type * 2 ** 24);
	};
	const {SGL_LENGTH, SGL_TYPE, SGL_SEGMENT, SGL_COUNT, DATA_TRANSFER, INVALID_FIELD} = CommandStatus;
	t.is(await status(1, {opcode: READ, nsid: 1, flags: 0xc0, prp1: dataPage}), INVALID_FIELD);
	for (const length of [0, 511, 513, 0xffff_ffff]) t.is(await read(dataPage, length, 0), SGL_LENGTH);
	for (const type of [0x01, 0x10, 0x40, 0xff]) t.is(await read(dataPage, 512, type), SGL_TYPE);
	for (const at of [ramEnd, 2 ** 63, ramEnd - 1]) t.is(await read(at, 512, 0), DATA_TRANSFER);
	for (const length of [0, 8, 17]) t.is(await read(dataPage, length, 0x20), SGL_SEGMENT);
	t.is(await read(dataPage, 16 * 257, 0x30), SGL_COUNT);
	for (const at of [ramEnd, 2 ** 63]) t.is(await read(at, 16, 0x30), DATA_TRANSFER);
	describe(dataPage, dataPage, 16, 0x20);
	t.is(await read(dataPage, 16, 0x20), SGL_COUNT, 'it goes round');
	describe(dataPage, dataPage, 16, 0x30);
	t.is(await read(dataPage, 16, 0x30), SGL_SEGMENT, 'the last one does not go on');
	describe(dataPage, dataPage + 0x1000, 512, 0);
	t.is(await read(dataPage, 16, 0x20), SGL_SEGMENT, 'one that is not the last does not end');
	describe(dataPage, dataPage, 16, 0x20);
	describe(dataPage + 16, dataPage + 0x1000, 512, 0);
	t.is(await read(dataPage, 32, 0x30), SGL_SEGMENT, 'a pointer is the last of its segment');
	describe(dataPage, dataPage, 16, 0x50);
	t.is(await read(dataPage, 32, 0x30), SGL_TYPE);
	for (let index = 0; index < 200; index++) describe(dataPage + 16 * index, dataPage + 0x2000 + 8 * index, 4, 0);
	t.is(await read(dataPage, 16 * 128, 0x30), SUCCESS);
	t.is(await read(dataPage, 16 * 200, 0x30, 2), SGL_COUNT, 'more pieces than a command has');
	t.deepEqual(machine.failures, []);
});

test('doorbells that cannot be change nothing, and the driver is told', async (t) => {
	const {machine, driver, status} = await make();
	for (let id = 0; id < 4; id++) driver.submit(0, {opcode: 12, id});
	await machine.run();
	for (const value of [8, 0xffff, 0xffff_ffff]) {
		driver.ring(1, value);
		await machine.run();
	}
	t.deepEqual(
		driver.take(0).map(({result}) => result),
		[0x1_0100],
	);
	// A head past the tail, and one past the end.
	for (const value of [1, 7, 8]) {
		driver.release(1, value);
		await machine.run();
		t.is(stateOf(machine).completions[1]?.head, 0);
	}
	t.is(await status(1, {opcode: FLUSH, nsid: 1}), SUCCESS);
	await machine.run();
	// The head goes no way back.
	driver.release(1, 0);
	await machine.run();
	t.is(stateOf(machine).completions[1]?.head, 1);
	for (let count = 0; count < 7; count++) t.is(await status(1, {opcode: FLUSH, nsid: 1}), SUCCESS);
	t.is(driver.status, 1);
	t.deepEqual(machine.failures, []);
});

test('queues that lie over each other do no harm but to their driver', async (t) => {
	const {machine, driver} = await make();
	const {submissions, completions} = driver.pair(1);
	t.is((await driver.admin({opcode: 5, prp1: submissions, dword10: 0x7_0002, dword11: 1})).status, SUCCESS);
	t.is((await driver.admin({opcode: 1, prp1: completions, dword10: 0x7_0002, dword11: 0x2_0001})).status, SUCCESS);
	for (let round = 0; round < 8; round++) {
		for (let count = 0; count < 3; count++) driver.submit(1, {opcode: FLUSH, nsid: 1});
		machine.write(0x1000 + 8 * 2, round);
		await machine.run();
	}
	t.is((await driver.admin({opcode: 10, dword10: 6})).status, SUCCESS);
	t.deepEqual(machine.failures, []);
});

test('a function that is no bus master does nothing, and goes on when it is one', async (t) => {
	const {machine, driver} = await make();
	machine.setConfig(4, 2, 2);
	const id = driver.submit(1, {opcode: FLUSH, nsid: 1});
	await machine.run();
	t.deepEqual([driver.take(1), driver.status], [[], 1]);
	machine.setConfig(4, 2, 6);
	driver.ring(1);
	await machine.run();
	t.is(driver.take(1)[0]?.id, id);
	t.deepEqual(machine.failures, []);
});

test('pages for doorbells that cannot be are refused, and what is in them is checked', async (t) => {
	const {machine, driver, memory, status} = await make(0);
	const use = (prp1: number, prp2: number) => status(0, {opcode: 0x7c, prp1, prp2});
	const {INVALID_FIELD, DATA_TRANSFER} = CommandStatus;
	for (const at of [0, dataPage + 4, 2 ** 63]) t.is(await use(at, dataPage), INVALID_FIELD);
	t.is(await use(dataPage, ramEnd), DATA_TRANSFER);
	t.is(await driver.useShadow(), SUCCESS);
	await driver.create(1);
	for (const value of [8, 0xffff_ffff]) {
		for (const doorbell of [2, 3]) memory.writeU32(0x3_0000 + 4 * doorbell, value);
		machine.write(0x1008, 1);
		await machine.run();
	}
	for (const doorbell of [2, 3]) memory.writeU32(0x3_0000 + 4 * doorbell, 0);
	t.is(await status(1, {opcode: FLUSH, nsid: 1}), SUCCESS);
	t.is(driver.status, 1);
	t.deepEqual(machine.failures, []);
});

test('a state that makes no sense is served by nobody, and a reset makes it good', async (t) => {
	const below = generator(11);
	for (let round = 0; round < 40; round++) {
		const {machine, driver} = await make();
		await machine.stop();
		// Other disks than it had are an error of the user's.
		const {namespaces: _, ...fields} = randomFields(NvmeState, below);
		const random = Object.entries(fields).filter(() => below(3) > 0);
		restoreWith(machine, (own) => ({...own, ...Object.fromEntries(random)}));
		machine.start();
		for (let queue = 0; queue < 10; queue++) machine.write(0x1000 + 4 * queue, below(4));
		await machine.run();
		machine.write(0x14, 1);
		for (let doorbell = 0; doorbell < 10; doorbell++) machine.write(0x1000 + 4 * doorbell, below(4));
		await machine.run();
		machine.write(0x14, 0);
		await machine.run();
		driver.enable();
		t.deepEqual(await driver.create(1), [SUCCESS, SUCCESS], `round ${round}`);
		t.deepEqual(machine.failures, []);
	}
});

test('a controller of a snapshot that serves its queues and is not enabled has failed', async (t) => {
	const {machine, driver} = await make();
	await machine.stop();
	restoreWith(machine, (fields) => ({...fields, configuration: 0}));
	machine.start();
	t.is(driver.status, 3);
	driver.enable();
	t.is(driver.status, 1);
	t.deepEqual(await driver.create(1), [SUCCESS, SUCCESS]);
	t.deepEqual(machine.failures, []);
});

for (const isEnabled of [false, true])
	test(`queues of a snapshot that cannot be are not served, ${isEnabled ? 'on' : 'off'} as the controller may be`, async (t) => {
		const wrong: readonly (readonly ['submissions' | 'completions', number, Readonly<Record<string, number>>])[] = [
			...[0, 1, 257, 2 ** 32 - 1].map((size) => ['submissions', 1, {size}] as const),
			...[0, 1, 257, 2 ** 32 - 1].map((size) => ['completions', 1, {size}] as const),
			['submissions', 1, {head: 8}],
			['submissions', 1, {tail: 8}],
			['submissions', 1, {phase: 3}],
			['submissions', 0, {phase: 2}],
			['submissions', 5, {phase: 1, size: 8, completions: 1}],
			...[0, 2, 65, 2 ** 32 - 1].map((completions) => ['submissions', 1, {completions}] as const),
			['completions', 1, {head: 8}],
			['completions', 1, {tail: 8}],
			['completions', 1, {phase: 2}],
		];
		for (const [list, queue, values] of wrong) {
			const {machine, driver} = await make();
			await machine.stop();
			restoreWith(machine, (fields) => {
				const queues = [...(fields[list] as SavedFields[])];
				queues[queue] = {...queues[queue], ...values};
				return {...fields, [list]: queues, ...(!isEnabled && {configuration: 0, status: 0})};
			});
			machine.start();
			t.is(driver.status, isEnabled ? 3 : 2, JSON.stringify(values));
			machine.write(0x14, 0x46_0001);
			for (const queue of [1, 5]) driver.machine.write(0x1000 + 8 * queue, 3);
			await machine.run();
			machine.write(0x14, 0);
			await machine.run();
			driver.enable();
			t.deepEqual(await driver.create(1), [SUCCESS, SUCCESS]);
			t.deepEqual(machine.failures, []);
		}
	});

test('a snapshot whose namespaces are anybody’s numbers, each many times, leaves those of the configuration', async (t) => {
	const {machine, driver} = await make();
	for (const [nsid, detachedNamespaces] of [
		[0x8000_0001, 0],
		[0x8000_0000, 0xffff_ffff],
		[1, 0],
		[77, 0xffff_ffff],
		[0xffff_ffff, 0],
	] as const) {
		await machine.stop();
		restoreWith(machine, (fields) => {
			const told = {nsid, blockBytes: 0, bytes: 0, mover: 0};
			return {...fields, namespaces: Array(32).fill(told), changedNamespaces: 0xffff_ffff, detachedNamespaces};
		});
		for (const each of [1, 3, 9])
			machine.machine.control('it', {kind: 'attach-namespace', nsid: each} as DeviceCommand);
		machine.start();
		await machine.run();
		driver.take(0);
		await driver.admin({opcode: 2, dword10: 4 + 1023 * 0x1_0000, prp1: dataPage});
		await driver.admin({opcode: 6, dword10: 2, prp1: dataPage});
		const active = [...new Uint32Array(driver.bytes(dataPage, 16).buffer)];
		t.deepEqual(active, [1, 3, 0, 0], `${nsid}`);
		t.deepEqual(machine.failures, []);
	}
});
