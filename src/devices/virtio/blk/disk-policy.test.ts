import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import type {DiskPolicy} from '#devices/storage/backend';
import {FaultyDisks} from '#devices/storage/backend/testing';
import {DiskError, DiskOperation} from '#devices/storage/disk';
import {TestDriver, VirtioMachine} from '#devices/virtio/testing';
import {BlkState} from './blk-back.ts';
import {BlkConfig, ClearedRange, RequestHeader} from './layout.ts';
import {virtioBlkOver} from './virtio-blk.ts';

const [IN, OUT, WRITE_ZEROES, OK, IO_ERROR, pending] = [0, 1, 13, 0, 1, 0xee];
const [headers, statuses, data] = [0x8000, 0x8800, 0x9000];
const [flush, cacheSwitch, writeZeroes, ringPacked, ringInOrder, ringReset] = [9, 11, 14, 34, 35, 40];
const sectors = 128;

const directory = mkdtempSync(join(tmpdir(), 'openvmm-disk-policy-'));
test.after.always(() => rmSync(directory, {recursive: true}));
let files = 0;
/** A file whose every sector holds its number. */
function newFile(): string {
	const path = join(directory, `${files++}.img`);
	writeFileSync(path, Buffer.concat(Array.from({length: sectors}, (_, sector) => Buffer.alloc(512, sector))));
	return path;
}

/** A disk of a file with a driver; its host fails as `faulty` says. */
async function make(
	policy: DiskPolicy,
	{path = newFile(), workers = 1, accepted = [flush], packed = true, inOrder = false} = {},
) {
	const faulty = new FaultyDisks();
	const config = {disk: {kind: 'file', path}, queues: 2, workers, readOnly: false, packed, inOrder, id: '', policy};
	const machine = await VirtioMachine.opened(virtioBlkOver(faulty.open).pci as never, 'pci', config);
	const driver = new TestDriver(machine, 16);
	driver.begin(accepted, 2);
	/** Offers a request of one sector, whose chain begins at the third descriptor of its number. */
	const offer = (type: number, sector: number, number: number, queue = 0, length = 512) => {
		const [header, status] = [headers + 16 * number, statuses + number];
		machine.memory.copyIn(header, RequestHeader.encode({type, sector}));
		machine.memory.writeU8(status, pending);
		const buffers = [
			{at: header, length: RequestHeader.size},
			{at: data + 512 * number, length, writable: type === IN},
			{at: status, length: 1, writable: true},
		];
		driver.offer(buffers, {queue, head: 3 * number});
	};
	const until = async (isDone: () => boolean) => {
		for (let tries = 0; !isDone() && tries < 10_000; tries++) await machine.run();
	};
	return {
		path,
		faulty,
		machine,
		driver,
		offer,
		until,
		status: (number: number) => machine.memory.readU8(statuses + number) as unknown as number,
		left: () => [...BlkState.decode(machine.machine.devices.at(-1)?.state).left].filter((word) => word !== 0).length,
		/** Notifies a queue, and lets the host do what it does. */
		async notify(queue = 0) {
			const seen = faulty.seen.length;
			await driver.notify(queue);
			await until(() => faulty.seen.length > seen);
		},
		/** Comes to rest, for which the host may take its time. */
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

test('requests end in their order for a driver that wants that, where the option and the policy let it', async (t) => {
	const one = await make({}, {accepted: [flush, ringInOrder], inOrder: true});
	const {driver, faulty} = one;
	t.true(driver.offered.includes(ringInOrder));
	faulty.fault = ({offset}) => (offset === 0 ? 'hangs' : undefined);
	for (const sector of [0, 1, 2]) one.offer(IN, sector, sector);
	await driver.notify();
	await one.until(() => [1, 2].every((number) => one.status(number) === OK));
	t.deepEqual([driver.used(), one.status(0)], [[], pending], 'what is done waits for what is before it');
	faulty.answer();
	const used: [number, number][] = [];
	await one.until(() => used.push(...driver.used()) === 3);
	t.deepEqual(
		used,
		[0, 3, 6].map((head) => [head, 513]),
	);
	t.deepEqual(one.machine.failures, []);
	await one.end();
	for (const [policy, inOrder] of [
		[{}, false],
		[{onError: 'stop'}, true],
	] as const) {
		const other = await make(policy, {inOrder});
		t.false(other.driver.offered.includes(ringInOrder));
		await other.end();
	}
});

test('writes and zeros are durable when they are done where the driver cannot flush or has no cache, and else not', async (t) => {
	const durable = async (accepted: readonly number[], writeback?: number) => {
		const one = await make({}, {accepted: [...accepted]});
		const {machine, faulty} = one;
		if (writeback !== undefined) machine.registers.writeConfig(BlkConfig.offset('writeback'), 1, writeback);
		one.offer(OUT, 1, 0);
		await one.notify();
		machine.memory.copyIn(data + 512, ClearedRange.encode({sector: 2, sectors: 1}));
		one.offer(WRITE_ZEROES, 0, 1, 0, ClearedRange.size);
		await one.notify();
		one.offer(IN, 1, 2);
		await one.notify();
		await one.until(() => [0, 1, 2].every((number) => one.status(number) !== pending));
		t.deepEqual([0, 1, 2].map(one.status), [OK, OK, OK]);
		await one.end();
		t.deepEqual(
			faulty.seen.map(({operation}) => operation),
			[DiskOperation.WRITE, DiskOperation.WRITE_ZEROES, DiskOperation.READ],
		);
		return faulty.seen.map(({isDurable}) => isDurable);
	};
	t.deepEqual(await durable([writeZeroes]), [true, true, false]);
	t.deepEqual(await durable([writeZeroes, flush]), [false, false, false]);
	t.deepEqual(await durable([writeZeroes, flush, cacheSwitch], 1), [false, false, false]);
	t.deepEqual(await durable([writeZeroes, flush, cacheSwitch], 0), [true, true, false]);
});

test('a request that fails is held, is nobody’s during a pause, and is done when the machine goes on', async (t) => {
	for (const workers of [1, 2]) {
		const one = await make({enospc: 'stop'}, {workers});
		const {faulty, machine, driver, offer, status} = one;
		faulty.fault = ({operation}) => (operation === DiskOperation.WRITE ? DiskError.NO_SPACE : undefined);
		machine.memory.fill(data, 3 * 512, 0xaa);
		for (const queue of [0, 1]) offer(OUT, 7 + queue, queue, queue);
		offer(IN, 50, 2);
		for (const queue of [0, 1]) await driver.notify(queue);
		await one.until(() => status(2) !== pending);
		t.deepEqual([status(0), status(1), status(2)], [pending, pending, OK]);
		t.deepEqual(driver.used(0), [[6, 513]], 'the other one is done');
		await machine.stop();
		t.is(one.left(), 2);
		t.is(machine.pins, 0, 'what is held has no memory');
		// Still no room.
		machine.start();
		await machine.run();
		await machine.stop();
		t.deepEqual([status(0), status(1), one.left()], [pending, pending, 2]);
		faulty.fault = () => undefined;
		machine.start();
		await one.until(() => status(0) !== pending && status(1) !== pending);
		t.deepEqual([driver.used(0), driver.used(1)], [[[0, 1]], [[3, 1]]]);
		t.deepEqual([status(0), status(1), one.left()], [OK, OK, 0]);
		const file = readFileSync(one.path);
		t.deepEqual(
			[7 * 512, 8 * 512, 9 * 512].map((at) => file[at]),
			[0xaa, 0xaa, 9],
		);
		t.deepEqual(machine.failures, []);
		await one.end();
	}
});

test('what is held is in a snapshot, and is done in the machine that is restored, once', async (t) => {
	const one = await make({onError: 'stop'});
	one.faulty.fault = () => DiskError.IO;
	one.machine.memory.fill(data, 512, 0xbb);
	one.offer(OUT, 20, 0);
	one.offer(IN, 21, 1);
	await one.notify();
	await one.machine.stop();
	const saved = one.machine.machine.save();
	const ram = new Uint8Array(0x10_0000);
	one.machine.memory.copyOut(0, ram);
	await one.machine.dispose();

	const two = await make({}, {path: one.path});
	await two.machine.stop();
	two.machine.memory.copyIn(0, ram);
	two.machine.machine.restore(JSON.parse(JSON.stringify(saved)));
	two.driver.resume(one.driver);
	two.machine.start();
	await two.until(() => two.status(0) !== pending && two.status(1) !== pending);
	t.deepEqual([two.status(0), two.status(1)], [OK, OK]);
	t.deepEqual(
		two.driver
			.used()
			.map(([head]) => head)
			.toSorted((one, other) => one - other),
		[0, 3],
	);
	t.deepEqual(
		two.faulty.seen.map(({offset}) => offset),
		[20 * 512, 21 * 512],
	);
	t.is(readFileSync(one.path)[20 * 512], 0xbb);
	t.is(two.machine.memory.readU8(data + 512) as unknown, 21);
	t.deepEqual(two.machine.failures, []);
	await two.end();
});

test('a reset by the driver, of a queue or of the device, gives up what is held', async (t) => {
	const one = await make({onError: 'stop'}, {accepted: [flush, ringReset]});
	const {machine, driver, faulty, offer} = one;
	const {registers} = machine;
	faulty.fault = () => DiskError.IO;
	offer(OUT, 1, 0);
	await one.notify();
	registers.write('queue_select', 0);
	registers.write('queue_reset', 1);
	await machine.run();
	t.is(registers.read('queue_reset'), 0);
	driver.setUp(0);
	offer(OUT, 2, 0);
	await one.notify();
	registers.write('device_status', 0);
	await machine.run();
	t.is(driver.status, 0);
	t.is(one.left(), 0);
	faulty.fault = () => undefined;
	const before = faulty.seen.length;
	driver.begin([flush], 2);
	offer(OUT, 3, 0);
	await one.notify();
	await one.until(() => one.status(0) !== pending);
	t.deepEqual([driver.used(), one.status(0)], [[[0, 1]], OK]);
	t.deepEqual(
		faulty.seen.slice(before).map(({offset}) => offset),
		[3 * 512],
		'nothing of before is tried',
	);
	t.deepEqual(machine.failures, []);
	await one.end();
});

test('heads that a snapshot makes up are taken for what the driver has there, or break the queue', async (t) => {
	const one = await make({onError: 'stop'});
	await one.machine.stop();
	const {state} = one.machine.machine.devices.at(-1) as {state: {left: Uint32Array}};
	state.left.fill(0xffff_ffff);
	one.machine.start();
	await one.machine.run();
	t.deepEqual(one.machine.failures, []);
	t.is(one.driver.status & 0x40, 0x40, 'DEVICE_NEEDS_RESET');
	await one.end();
});

test('rings are split where requests may be held, and as the driver likes elsewhere', async (t) => {
	for (const [policy, offers] of [
		[{}, true],
		[{onError: 'ignore', enospc: 'report'}, true],
		[{onError: 'stop'}, false],
		[{enospc: 'stop'}, false],
	] as const) {
		const one = await make(policy);
		t.is(one.driver.offered.includes(ringPacked), offers);
		await one.end();
	}
});

test('errors are told to the guest, or kept from it', async (t) => {
	for (const [onError, expected] of [
		['report', IO_ERROR],
		['ignore', OK],
	] as const) {
		const one = await make({onError});
		one.faulty.fault = () => DiskError.IO;
		one.offer(OUT, 1, 0);
		await one.notify();
		await one.until(() => one.status(0) !== pending);
		t.is(one.status(0), expected);
		await one.end();
	}
});

test('a driver that resets its disk again and again has no more of it than its limit', async (t) => {
	const one = await make({limits: {bps: 1}});
	const {machine, driver, offer, faulty} = one;
	for (let times = 0; times < 3; times++) {
		for (let number = 0; number < 4; number++) offer(OUT, number, number);
		await driver.notify();
		await machine.run();
		machine.registers.write('device_status', 0);
		await machine.run();
		t.is(driver.status, 0);
		driver.begin([flush], 2);
	}
	t.is(faulty.seen.length, 1);
	t.is(machine.pins, 0);
	t.deepEqual(machine.failures, []);
	await one.end();
});

test('a disk that waits for its limit comes to rest at once, with all done', async (t) => {
	const one = await make({limits: {bps: 1}});
	for (let number = 0; number < 4; number++) one.offer(OUT, number, number);
	await one.notify();
	await one.until(() => one.status(0) !== pending);
	t.is(one.driver.used().length, 1);
	await one.rest();
	t.deepEqual([0, 1, 2, 3].map(one.status), [OK, OK, OK, OK]);
	t.is(one.driver.used().length, 3);
	one.machine.start();
	one.offer(OUT, 5, 4);
	await one.driver.notify();
	await one.machine.run();
	t.is(one.status(4), pending, 'what went is owed');
	await one.end();
	t.is(one.status(4), OK);
});
