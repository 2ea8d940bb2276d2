import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import type {DiskPolicy} from '#devices/storage/backend';
import {FaultyDisks} from '#devices/storage/backend/testing';
import {DiskError, DiskOperation} from '#devices/storage/disk';
import {leftWords, mostLeft, type NvmeState} from './state.ts';
import {CommandStatus} from './status.ts';
import {dataPage, NvmeDriver, NvmeMachine, type Told} from './testing/index.ts';

const [READ, WRITE, FLUSH] = [2, 1, 0];
const {SUCCESS, CAPACITY} = CommandStatus;
const blocks = 256;

const directory = mkdtempSync(join(tmpdir(), 'openvmm-nvme-policy-'));
test.after.always(() => rmSync(directory, {recursive: true}));
let files = 0;
function newFile(): string {
	const path = join(directory, `${files++}.img`);
	writeFileSync(path, Buffer.alloc(512 * blocks));
	return path;
}

/** A controller with a disk of a file, which fails as `faulty` says, and one in memory, which does not. */
async function make(policy: DiskPolicy, {path = newFile(), workers = 1, isSetUp = true} = {}) {
	const faulty = new FaultyDisks();
	const namespaces = [
		{nsid: 1, disk: {kind: 'file', path}, readOnly: false, policy},
		{nsid: 2, disk: {kind: 'memory', bytes: 0x1_0000}, readOnly: false},
	] as const;
	const open: FaultyDisks['open'] = async (source, ...rest) =>
		source.kind === 'file' ? faulty.open(source, ...rest) : new FaultyDisks().open(source, ...rest);
	const machine = await NvmeMachine.make({namespaces, workers}, {open});
	machine.useMessages();
	const driver = new NvmeDriver(machine);
	const until = async (isDone: () => boolean) => {
		for (let tries = 0; !isDone() && tries < 10_000; tries++) await machine.run();
	};
	if (isSetUp) {
		driver.enable();
		for (const queue of [1, 2]) await driver.create(queue, {size: 64});
	}
	return {
		path,
		faulty,
		machine,
		driver,
		until,
		state: () => machine.machine.devices.at(-1)?.state as ReturnType<(typeof NvmeState)['on']>,
		/** Takes so many completions of a queue, which may take their time. */
		async take(queue: number, count: number): Promise<readonly (readonly [id: number, status: number])[]> {
			const told: Told[] = [];
			await until(() => told.push(...driver.take(queue)) >= count);
			return told.map(({id, status}) => [id, status] as const);
		},
		async rest() {
			let isOver = false;
			const stopped = machine.stop().then(() => {
				isOver = true;
			});
			await until(() => isOver);
			await stopped;
		},
		async end() {
			await this.rest();
			await machine.dispose();
		},
	};
}

const write = (block: number, nsid = 1) => ({opcode: WRITE, nsid, prp1: dataPage, dword10: block});
const full: FaultyDisks['fault'] = ({operation}) =>
	operation === DiskOperation.WRITE ? DiskError.NO_SPACE : undefined;

test('writes and zeros are durable when they are done that say so, and all where the driver has turned the cache off', async (t) => {
	const one = await make({});
	const {driver, faulty} = one;
	const forced = 2 ** 30;
	const durable = async () => {
		const from = faulty.seen.length;
		for (const flags of [0, forced]) {
			const ids = [
				driver.submit(1, {...write(1), dword12: flags}),
				driver.submit(1, {opcode: 8, nsid: 1, dword10: 2, dword12: flags}),
			];
			t.deepEqual(
				(await one.take(1, 2)).toSorted(([one], [other]) => one - other),
				ids.map((id) => [id, SUCCESS]),
			);
		}
		return faulty.seen.slice(from).map(({operation, isDurable}) => [operation, isDurable]);
	};
	const {WRITE: writes, WRITE_ZEROES: zeros} = DiskOperation;
	t.deepEqual(await durable(), [
		[writes, false],
		[zeros, false],
		[writes, true],
		[zeros, true],
	]);
	t.is((await driver.admin({opcode: 9, dword10: 6, dword11: 0})).status, SUCCESS);
	t.deepEqual(await durable(), [
		[writes, true],
		[zeros, true],
		[writes, true],
		[zeros, true],
	]);
	await one.end();
});

for (const workers of [1, 2]) {
	test(`commands that fail are held, are nobody’s during a pause, and are done afterwards, on ${workers} workers`, async (t) => {
		const one = await make({enospc: 'stop'}, {workers});
		const {machine, driver, faulty} = one;
		faulty.fault = full;
		machine.memory.fill(dataPage, 512, 0xaa);
		const held = [1, 2].map((queue) => driver.submit(queue, write(10 * queue)));
		const others = [
			driver.submit(1, {...write(3), opcode: READ, prp1: dataPage + 0x1000}),
			driver.submit(1, write(1, 2)),
		];
		t.deepEqual(
			(await one.take(1, 2)).toSorted(),
			others.map((id) => [id, SUCCESS]),
		);
		await one.rest();
		t.is(one.state().leftCount, 2);
		t.is(machine.pins, 0);
		machine.start();
		await machine.run();
		t.is(
			(await driver.perform(2, {...write(3), prp1: dataPage + 512, nsid: 2, id: held[1] as number})).status,
			CommandStatus.ID_CONFLICT,
		);
		await one.rest();
		t.is(one.state().leftCount, 2, 'there is still no room');
		faulty.fault = () => undefined;
		machine.start();
		t.deepEqual(
			[await one.take(1, 1), await one.take(2, 1)],
			held.map((id) => [[id, SUCCESS]]),
		);
		t.is(one.state().leftCount, 0);
		const file = readFileSync(one.path);
		t.deepEqual(
			[10, 11, 20].map((block) => file[512 * block]),
			[0xaa, 0, 0xaa],
		);
		t.deepEqual(machine.failures, []);
		await one.end();
	});
}

test('what is held is in a snapshot, and is done in the machine that is restored, of as many workers as that has', async (t) => {
	const one = await make({onError: 'stop'});
	one.faulty.fault = () => DiskError.IO;
	one.machine.memory.fill(dataPage, 512, 0xbb);
	const ids = [1, 2, 2].map((queue, block) => one.driver.submit(queue, write(block)));
	await one.until(() => one.faulty.seen.length === 3);
	await one.rest();
	const saved = JSON.parse(JSON.stringify(one.machine.machine.save()));
	const ram = new Uint8Array(0x10_0000);
	one.machine.memory.copyOut(0, ram);
	await one.machine.dispose();
	const two = await make({}, {path: one.path, workers: 3, isSetUp: false});
	await two.rest();
	two.machine.memory.copyIn(0, ram);
	two.machine.machine.restore(saved);
	two.driver.resume(one.driver);
	two.machine.start();
	t.deepEqual(await two.take(1, 1), [[ids[0], SUCCESS]]);
	t.deepEqual(
		(await two.take(2, 2)).toSorted(),
		[ids[1], ids[2]].map((id) => [id, SUCCESS]),
	);
	t.is(two.faulty.seen.length, 3);
	t.deepEqual(
		[0, 1, 2, 3].map((block) => readFileSync(one.path)[512 * block]),
		[0xbb, 0xbb, 0xbb, 0],
	);
	// All completion entries are free again.
	for (let count = 0; count < 63; count++) two.driver.submit(2, {opcode: FLUSH, nsid: 1}, count === 62);
	t.is((await two.take(2, 63)).length, 63);
	t.deepEqual(two.machine.failures, []);
	await two.end();
});

test('a reset by the driver gives up what is held, and a queue is deleted when that is done', async (t) => {
	const one = await make({onError: 'stop'});
	const {machine, driver, faulty} = one;
	faulty.fault = () => DiskError.IO;
	driver.submit(1, write(1));
	await one.until(() => faulty.seen.length === 1);
	machine.write(0x14, 0);
	await one.until(() => driver.status === 0);
	t.deepEqual([driver.status, one.state().leftCount], [0, 0]);
	driver.enable();
	t.deepEqual(await driver.create(1), [SUCCESS, SUCCESS]);
	const held = driver.submit(1, write(2));
	await one.until(() => faulty.seen.length === 2);
	const deletion = driver.submit(0, {opcode: 0, dword10: 1});
	await machine.run();
	t.deepEqual(driver.take(0), []);
	await one.rest();
	faulty.fault = () => undefined;
	machine.start();
	t.deepEqual(await one.take(1, 1), [[held, SUCCESS]]);
	t.deepEqual(await one.take(0, 1), [[deletion, SUCCESS]]);
	t.deepEqual(
		faulty.seen.map(({offset}) => offset),
		[512, 1024, 1024],
	);
	t.deepEqual(machine.failures, []);
	await one.end();
});

test('a controller whose disks fail has no more commands than it can leave for later; more wait', async (t) => {
	const one = await make({onError: 'stop'});
	const {machine, driver, faulty} = one;
	faulty.fault = () => DiskError.IO;
	for (const queue of [1, 2, 3]) {
		if (queue === 3) await driver.create(3, {size: 64});
		for (let count = 0; count < 63; count++) driver.submit(queue, write(count), count === 62);
	}
	await machine.run();
	await machine.run();
	await one.rest();
	t.is(one.state().leftCount, mostLeft);
	faulty.fault = () => undefined;
	machine.start();
	for (const queue of [1, 2, 3])
		t.true(
			(await one.take(queue, 63)).every(([, status]) => status === SUCCESS),
			`queue ${queue}`,
		);
	t.deepEqual(machine.failures, []);
	await one.end();
});

test('a snapshot that leaves what no driver can have asked for has the controller fail, and nothing else', async (t) => {
	const one = await make({});
	await one.rest();
	const saved = JSON.stringify(one.machine.machine.save());
	for (const [count, queue] of [
		[1, 0],
		[1, 5],
		[1, 0xffff_ffff],
		[mostLeft + 1, 1],
		[100, 1],
	] as const) {
		one.machine.machine.restore(JSON.parse(saved));
		const {left} = one.state();
		left.fill(0);
		for (let index = 0; index < mostLeft; index++) left[leftWords * index] = queue;
		one.state().leftCount = count;
		one.machine.machine.restore(JSON.parse(JSON.stringify(one.machine.machine.save())));
		one.machine.start();
		await one.machine.run();
		t.is(one.driver.status & 2, 2, `${count} of queue ${queue}`);
		await one.rest();
	}
	t.deepEqual(one.machine.failures, []);
	await one.end();
});

test('errors are told to the guest as what they are, and a flush of the controller’s own is not held', async (t) => {
	const one = await make({enospc: 'report'});
	one.faulty.fault = full;
	const id = one.driver.submit(1, write(1));
	t.deepEqual(await one.take(1, 1), [[id, CAPACITY]]);
	await one.end();
	const two = await make({onError: 'stop'});
	two.faulty.fault = () => DiskError.IO;
	two.machine.write(0x14, 0x46_4001);
	await two.until(() => (two.driver.status & 0xc) === 8);
	t.is(two.driver.status & 0xc, 8, 'a shutdown is complete');
	await two.end();
});

for (const workers of [1, 2])
	test(`commands that are held, wait for a limit, or hang where the host has a copy, are aborted, and others not, on ${workers} workers`, async (t) => {
		const aborts =
			(one: Awaited<ReturnType<typeof make>>) => async (commands: readonly (readonly [number, number])[]) => {
				for (const [queue, id] of commands) one.driver.submit(0, {opcode: 8, dword10: queue + id * 0x1_0000}, false);
				one.driver.ring(0);
				const told: Told[] = [];
				await one.until(() => told.push(...one.driver.take(0)) >= commands.length);
				return told.map(({status, result}) => [status, result]);
			};
		const {ABORT_REQUESTED, ABORT_LIMIT} = CommandStatus;
		const [isAborted, isNot] = [
			[SUCCESS, 0],
			[SUCCESS, 1],
		];

		const limited = await make({limits: {bps: 1}}, {workers});
		const first = limited.driver.submit(1, write(0));
		t.deepEqual(await limited.take(1, 1), [[first, SUCCESS]]);
		const [one = 0, two = 0] = [1, 2].map((queue) => limited.driver.submit(queue, write(queue)));
		await limited.machine.run();
		t.deepEqual(
			await aborts(limited)([
				[1, one],
				[2, two],
			]),
			[isAborted, isAborted],
		);
		t.deepEqual(
			[await limited.take(1, 1), await limited.take(2, 1)],
			[[[one, ABORT_REQUESTED]], [[two, ABORT_REQUESTED]]],
		);
		t.deepEqual([limited.faulty.seen.length, limited.machine.pins, limited.state().mediaErrors], [1, 0, 0]);
		const many = await aborts(limited)([1, 2, 1, 3, 4].map((queue) => [queue, first]));
		t.deepEqual(
			many.toSorted(([status = 0], [other = 0]) => status - other),
			[isNot, isNot, isNot, isNot, [ABORT_LIMIT, 1]],
		);
		t.deepEqual(limited.machine.failures, []);
		await limited.end();

		const stopping = await make({enospc: 'stop'}, {workers});
		stopping.faulty.fault = full;
		const held = [1, 2].map((queue) => stopping.driver.submit(queue, write(queue)));
		await stopping.until(() => stopping.faulty.seen.length === 2);
		await stopping.rest();
		t.is(stopping.state().leftCount, 2);
		stopping.machine.start();
		t.deepEqual(await aborts(stopping)(held.map((id, index) => [index + 1, id])), [isAborted, isAborted]);
		t.deepEqual(
			[await stopping.take(1, 1), await stopping.take(2, 1)],
			held.map((id) => [[id, ABORT_REQUESTED]]),
		);
		await stopping.rest();
		t.is(stopping.state().leftCount, 0);
		await stopping.machine.dispose();

		const hanging = await make({}, {workers});
		hanging.faulty.fault = () => 'hangs';
		const under = hanging.driver.submit(1, write(1));
		await hanging.until(() => hanging.faulty.hanging === 1);
		t.deepEqual(await aborts(hanging)([[1, under]]), [isNot]);
		lapse(hanging);
		t.deepEqual(await aborts(hanging)([[1, under]]), [isNot], 'the host has memory of the guest’s');
		hanging.faulty.answer();
		t.deepEqual(await hanging.take(1, 1), [[under, SUCCESS]]);
		await hanging.end();

		const timed = await make({timeout: 3600, onError: 'stop'}, {workers});
		timed.faulty.fault = () => 'hangs';
		const late = timed.driver.submit(1, write(1));
		await timed.until(() => timed.faulty.hanging === 1);
		t.deepEqual(await aborts(timed)([[1, late]]), [isNot], 'it may still be answered soon');
		lapse(timed);
		t.deepEqual(await aborts(timed)([[1, late]]), [isAborted]);
		t.deepEqual(await timed.take(1, 1), [[late, ABORT_REQUESTED]]);
		t.is(timed.machine.pins, 0);
		t.deepEqual(timed.machine.failures, []);
		await timed.end();
	});

/** Lets the host say nothing for longer than it may before somebody is told. */
function lapse({machine}: Awaited<ReturnType<typeof make>>): void {
	for (let step = 0; step < 50; step++) for (const {reactor} of machine.workers) reactor.turn(0.25e9);
}

test('an abort that a snapshot has is told of in the machine that is restored', async (t) => {
	const one = await make({}, {workers: 2});
	await one.rest();
	// Nobody looks during a pause.
	Object.assign(one.state().aborts[2] ?? {}, {phase: 1, command: 1 + 0x77 * 0x1_0000, id: 0x123, result: 1});
	const saved = JSON.parse(JSON.stringify(one.machine.machine.save()));
	one.machine.machine.restore(saved);
	one.machine.start();
	const told: Told[] = [];
	await one.until(() => told.push(...one.driver.take(0)) >= 1);
	t.like(told, [{id: 0x123, status: SUCCESS, result: 1}]);
	t.is(one.state().aborts[2]?.phase, 0);
	await one.rest();
	Object.assign(one.state().aborts[2] ?? {}, {phase: 3});
	one.machine.machine.restore(JSON.parse(JSON.stringify(one.machine.machine.save())));
	one.machine.start();
	t.is(one.driver.status & 2, 2, 'what cannot be fails');
	await one.end();
});

test('a disk that waits for its limit, or does not answer, keeps no other one', async (t) => {
	const one = await make({limits: {bps: 1}});
	for (let block = 0; block < 3; block++) one.driver.submit(1, write(block));
	await one.take(1, 1);
	t.is((await one.driver.perform(1, write(7, 2))).status, SUCCESS);
	await one.rest();
	t.is((await one.take(1, 2)).length, 2, 'the rest goes at once');
	one.machine.start();
	for (let block = 0; block < 3; block++) one.driver.submit(1, write(block));
	await one.machine.run();
	one.machine.write(0x14, 0);
	await one.until(() => one.driver.status === 0);
	t.is(one.driver.status, 0);
	t.deepEqual(
		[one.faulty.seen.length, one.machine.pins, one.state().mediaErrors],
		[3, 0, 0],
		'a reset gives up what waits',
	);
	await one.end();
	const two = await make({});
	two.faulty.fault = () => 'hangs';
	const hung = two.driver.submit(1, write(1));
	await two.machine.run();
	t.is((await two.driver.perform(1, write(7, 2))).status, SUCCESS);
	two.faulty.fault = () => undefined;
	two.faulty.answer();
	t.deepEqual(await two.take(1, 1), [[hung, SUCCESS]]);
	await two.end();
});

test('a disk that does not answer in its time keeps neither a reset nor a pause, and what it does later touches nothing', async (t) => {
	const one = await make({timeout: 1});
	const {machine, driver, faulty} = one;
	faulty.fault = () => 'hangs';
	const late = driver.submit(1, {...write(1), opcode: READ});
	t.deepEqual(await one.take(1, 1), [[late, CommandStatus.UNRECOVERED_READ]]);
	driver.submit(1, write(1));
	await machine.run();
	machine.write(0x14, 0);
	t.is(driver.status, 1);
	await one.until(() => driver.status === 0);
	t.is(driver.status, 0);
	t.is(machine.pins, 0);
	machine.memory.fill(dataPage, 512, 0x77);
	driver.enable();
	await driver.create(1);
	t.is((await driver.perform(1, write(7, 2))).status, SUCCESS, 'the other disk');
	t.is((await driver.perform(1, write(7))).status, CommandStatus.WRITE_FAULT, 'a write of before may still come');
	await one.rest();
	machine.start();
	faulty.fault = () => undefined;
	faulty.answer();
	let status: number | undefined;
	while (status !== SUCCESS) {
		driver.submit(1, write(7));
		status = (await one.take(1, 1))[0]?.[1];
	}
	t.is(status, SUCCESS);
	t.true(driver.bytes(dataPage, 512).every((byte) => byte === 0x77));
	t.deepEqual(machine.failures, []);
	await one.end();
});
