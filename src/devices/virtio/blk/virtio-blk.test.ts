import {mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, truncateSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {createHostFile, writeImage} from '#devices/storage/image';
import {SeededRandom} from '#devices/storage/image/testing';
import {createImage, openDisk} from '#devices/storage/image-formats';
import {measureDisk} from '#devices/storage/source';
import {type Buffer as GuestBuffer, TestDriver, type TransportName, VirtioMachine} from '#devices/virtio/testing';
import {engineNames} from '#support/io-engine';
import {virtioBlkMmio, virtioBlkPci} from './index.ts';
import {BlkConfig, ClearedRange, RequestHeader} from './layout.ts';

const models = {pci: virtioBlkPci, mmio: virtioBlkMmio};
const transports: readonly TransportName[] = ['pci', 'mmio'];
const config = {
	disk: {kind: 'memory', bytes: 64 * 1024},
	queues: 2,
	workers: 1,
	readOnly: false,
	packed: true,
	id: 'ram-disk',
};
const [IN, OUT, FLUSH, GET_ID, GET_LIFETIME, DISCARD, WRITE_ZEROES] = [0, 1, 4, 8, 10, 11, 13];
const [OK, IO_ERROR, UNSUPPORTED] = [0, 1, 2];
const [header, data, statusByte] = [0x8000, 0x9000, 0x8800];
const features = {sizeMost: 1, segmentsMost: 2, flush: 9, queues: 12};
const all = [...Object.values(features), 10, 11, 13, 14];

/** What the device has used, for which the host may take its time. */
async function ended(machine: VirtioMachine, driver: TestDriver, queue: number) {
	let used = driver.used(queue);
	for (let tries = 0; used.length === 0 && driver.status === 0xf && tries < 10_000; tries++) {
		await machine.run();
		used = driver.used(queue);
	}
	return used;
}

async function make(
	transport: TransportName,
	changes: object = {},
	queueSize?: number,
	accepted = Object.values(features),
) {
	const machine = await VirtioMachine.opened(models[transport] as never, transport, {...config, ...changes});
	const driver = new TestDriver(machine, queueSize);
	driver.begin(accepted, 2);
	/** Sends a request; tells its status and how much was written. */
	const request = async (type: number, sector: number, buffers: readonly GuestBuffer[], queue = 0) => {
		machine.memory.copyIn(header, RequestHeader.encode({type, sector}));
		machine.memory.writeU8(statusByte, 0xee);
		const status = {at: statusByte, length: 1, writable: true};
		driver.offer([{at: header, length: RequestHeader.size}, ...buffers, status], {queue});
		await driver.notify(queue);
		const [used] = await ended(machine, driver, queue);
		return [machine.memory.readU8(statusByte) as unknown as number, used?.[1]];
	};
	const read = (at: number, length: number) => {
		const bytes = new Uint8Array(length);
		machine.memory.copyOut(at, bytes);
		return bytes;
	};
	return {machine, driver, request, read, registers: machine.registers};
}

test('a header may be in pieces, and a status may have buffers of no bytes behind it', async (t) => {
	const {machine, driver, read} = await make('pci');
	machine.memory.copyIn(header, RequestHeader.encode({type: IN, sector: 3}).subarray(0, 5));
	machine.memory.copyIn(header + 0x101, RequestHeader.encode({type: IN, sector: 3}).subarray(5));
	machine.memory.copyIn(statusByte - 1, Uint8Array.of(0xdd, 0xee, 0xff));
	driver.offer([
		{at: header, length: 5},
		{at: header + 0x101, length: 11},
		{at: data, length: 512, writable: true},
		{at: statusByte, length: 1, writable: true},
		{at: 0, length: 0, writable: true},
		{at: 2 ** 40, length: 0, writable: true},
	]);
	await driver.notify();
	t.deepEqual(await ended(machine, driver, 0), [[0, 513]]);
	t.deepEqual([...read(statusByte - 1, 3)], [0xdd, OK, 0xff]);
	t.deepEqual(machine.failures, []);
});

for (const [transport, workers] of [
	['pci', 1],
	['pci', 2],
	['mmio', 2],
] as const) {
	test(`${transport}: what one queue writes the other reads, on ${workers} workers`, async (t) => {
		const {machine, request, read, registers} = await make(transport, {workers});
		t.deepEqual([registers.readConfig(0, 4), registers.readConfig(20, 4), registers.readConfig(34, 2)], [128, 512, 2]);
		const bytes = Uint8Array.from({length: 1024}, (_, index) => (index * 7) & 0xff);
		machine.memory.copyIn(data, bytes);
		const cut = [
			{at: data, length: 100},
			{at: data + 100, length: 924},
		];
		t.deepEqual(await request(OUT, 126, cut), [OK, 1]);
		t.deepEqual(await request(FLUSH, 0, []), [OK, 1]);
		machine.memory.fill(data, 0x1000, 0);
		t.deepEqual(await request(IN, 126, [{at: data, length: 1024, writable: true}], 1), [OK, 1025]);
		t.deepEqual(read(data, 1024), bytes);
		t.deepEqual(await request(GET_ID, 0, [{at: data, length: 20, writable: true}]), [OK, 21]);
		t.is(new TextDecoder().decode(read(data, 8)), 'ram-disk');
		t.deepEqual(machine.failures, []);
	});
}

for (const transport of transports) {
	test(`${transport}: requests past the end, of half a sector, too large or unknown are refused`, async (t) => {
		const {machine, driver, request} = await make(transport);
		const target = {at: data, length: 512, writable: true};
		t.deepEqual(await request(IN, 128, [target]), [IO_ERROR, 1]);
		t.deepEqual(await request(IN, 2 ** 53, [target]), [IO_ERROR, 1]);
		t.deepEqual(await request(OUT, 127, [{at: data, length: 1024}]), [IO_ERROR, 1]);
		t.deepEqual(await request(IN, 0, [{...target, length: 100}]), [IO_ERROR, 1]);
		for (const [type, feature] of [
			[14, 16],
			[77, 77],
		] as const) {
			t.deepEqual(await request(type, 0, [target]), [UNSUPPORTED, 1], 'as of secure erasing');
			t.false(driver.offered.includes(feature));
		}
		t.deepEqual(await request(GET_LIFETIME, 0, [target]), [UNSUPPORTED, 1], 'it was not agreed on');
		driver.offer([
			{at: header, length: 8},
			{at: statusByte, length: 1, writable: true},
		]);
		driver.offer([{at: header, length: 16}], {head: 4});
		await driver.notify();
		t.deepEqual(driver.used(), [
			[0, 0],
			[4, 0],
		]);
		t.is(driver.status, 0xf);
		t.deepEqual(machine.failures, []);
	});
}

test('a driver tells by its notifications where its next buffer goes, where that is agreed on', async (t) => {
	const notificationData = 38;
	const {machine, driver, read} = await make('pci', {}, 8, [...Object.values(features), notificationData]);
	t.true(driver.offered.includes(notificationData));
	t.false((await make('mmio')).driver.offered.includes(notificationData), 'there it would match no doorbell');
	machine.memory.fill(data, 512, 0xaa);
	for (const [index, queue, type] of [
		[0, 0, OUT],
		[1, 0, IN],
		[0, 1, IN],
	] as const) {
		machine.memory.copyIn(header, RequestHeader.encode({type, sector: 5}));
		machine.memory.writeU8(statusByte, 0xee);
		if (type === IN) machine.memory.fill(data, 512, 0);
		const buffers = [
			{at: header, length: RequestHeader.size},
			{at: data, length: 512, writable: type === IN},
			{at: statusByte, length: 1, writable: true},
		];
		driver.offer(buffers, {queue});
		// Its available index, as a split ring has it (virtio 1.2, 2.9).
		machine.registers.notify(queue, index + 1);
		t.is((await ended(machine, driver, queue)).length, 1);
		t.deepEqual([...read(statusByte, 1)], [OK]);
		t.deepEqual(new Set(read(data, 512)), new Set([0xaa]));
	}
	t.deepEqual(machine.failures, []);
});

test('how worn the medium is is not known, as far as the driver has room to be told', async (t) => {
	const {machine, request, read} = await make('pci', {}, 8, [...Object.values(features), 15]);
	machine.memory.fill(data, 16, 0xaa);
	t.deepEqual(await request(GET_LIFETIME, 0, [{at: data, length: 6, writable: true}]), [OK, 7]);
	t.deepEqual([...read(data, 8)], [0, 0, 0, 0, 0, 0, 0xaa, 0xaa]);
	t.deepEqual(await request(GET_LIFETIME, 0, [{at: data + 8, length: 4, writable: true}]), [OK, 5]);
	t.deepEqual([...read(data + 8, 6)], [0, 0, 0, 0, 0xaa, 0xaa]);
	t.deepEqual(machine.failures, []);
});

/** Ranges of a request to clear, as it has them behind its header. */
const ranges = (...list: readonly (readonly [sector: number, sectors: number, flags?: number])[]) =>
	Buffer.concat(list.map(([sector, sectors, flags = 0]) => ClearedRange.encode({sector, sectors, flags})));

for (const transport of transports) {
	test(`${transport}: ranges are discarded and filled with zeros, and nothing beside them`, async (t) => {
		const {machine, request, read, registers} = await make(transport, {}, 8, all);
		machine.memory.fill(data, 8 * 512, 0xaa);
		t.deepEqual(await request(OUT, 0, [{at: data, length: 8 * 512}]), [OK, 1]);
		const list = ranges([1, 2, 1], [5, 1]);
		machine.memory.copyIn(data, list);
		t.deepEqual(await request(WRITE_ZEROES, 0, [{at: data, length: list.length}]), [OK, 1]);
		machine.memory.copyIn(data, ranges([7, 1]));
		t.deepEqual(await request(DISCARD, 0, [{at: data, length: 16}]), [OK, 1]);
		await request(IN, 0, [{at: data, length: 8 * 512, writable: true}]);
		const sectors = Array.from({length: 8}, (_, sector) => new Set(read(data + 512 * sector, 512)));
		t.deepEqual(
			sectors.map((values) => [...values]),
			[[0xaa], [0], [0], [0xaa], [0xaa], [0], [0xaa], [0]],
		);
		const most = registers.readConfig(BlkConfig.offset('zeroesSectorsMost'), 4);
		t.is(most, registers.readConfig(BlkConfig.offset('discardSectorsMost'), 4));
		t.is(registers.readConfig(BlkConfig.offset('zeroesSegmentsMost'), 4), 16);
		t.is(registers.readConfig(BlkConfig.offset('zeroesMayUnmap'), 1), 1);
		t.is(registers.readConfig(BlkConfig.offset('physicalExponent'), 1), 3);
		t.deepEqual(machine.failures, []);
	});
}

test('ranges that are none, too many or outside the disk are errors; flags that are not known leave all as it was', async (t) => {
	const {machine, request, read} = await make('pci', {disk: {kind: 'memory', bytes: 16 * 2 ** 20}}, 8, all);
	machine.memory.fill(0x2_0000, 512, 0xaa);
	await request(OUT, 0, [{at: 0x2_0000, length: 512}]);
	const clear = async (type: number, list: Uint8Array) => {
		machine.memory.copyIn(data, list);
		const buffers = list.length === 0 ? [] : [{at: data, length: list.length}];
		return (await request(type, 0, buffers))[0];
	};
	const end = (16 * 2 ** 20) / 512;
	for (const type of [DISCARD, WRITE_ZEROES]) {
		t.is(await clear(type, ranges()), IO_ERROR);
		t.is(await clear(type, ranges([0, 1]).subarray(0, 15)), IO_ERROR);
		t.is(await clear(type, ranges(...Array.from({length: 17}, (_, sector) => [sector, 1] as const))), IO_ERROR);
		t.is(await clear(type, ranges([end - 1, 2])), IO_ERROR);
		t.is(await clear(type, ranges([2 ** 53, 1])), IO_ERROR);
		t.is(await clear(type, ranges([0, 513])), IO_ERROR, 'more than it says that it clears at once');
		t.is(await clear(type, ranges([0, 1], [1, 1, 2])), UNSUPPORTED);
		t.is(await clear(type, ranges([8, 512])), OK);
		t.is(await clear(type, ranges([1, 0])), OK);
	}
	t.is(await clear(DISCARD, ranges([0, 1, 1])), UNSUPPORTED);
	await request(IN, 0, [{at: data, length: 512, writable: true}]);
	t.deepEqual([...new Set(read(data, 512))], [0xaa]);
	t.deepEqual(machine.failures, []);
});

test('a driver that has ranges cleared keeps the thread for no longer in one turn than one that writes', async (t) => {
	const bytes = 2 ** 23;
	const {machine, driver, registers} = await make('pci', {disk: {kind: 'memory', bytes}}, 128, all);
	const most = registers.readConfig(BlkConfig.offset('discardSectorsMost'), 4);
	const list = ranges(...Array.from({length: 16}, () => [0, most] as const));
	machine.memory.copyIn(data, list);
	machine.memory.copyIn(header, RequestHeader.encode({type: DISCARD, sector: 0}));
	const count = 40;
	for (let index = 0; index < count; index++) {
		const buffers = [
			{at: header, length: RequestHeader.size},
			{at: data, length: list.length},
			{at: statusByte, length: 1, writable: true},
		];
		driver.offer(buffers, {head: index * 3});
	}
	registers.notify(0);
	machine.turn(0);
	const done = driver.used(0).length;
	t.true(done > 0);
	t.true(done * 16 * most * 512 <= 2 ** 23, `${done} requests`);
	let total = done;
	for (let tries = 0; total < count && tries < count; tries++) {
		await machine.run();
		total += driver.used(0).length;
	}
	t.is(total, count);
	t.is(machine.memory.readU8(statusByte) as unknown as number, OK);
	t.deepEqual(machine.failures, []);
});

test('nothing is cleared for a driver that has not accepted that, nor on a disk that is only read', async (t) => {
	const one = await make('pci');
	const two = await make('pci', {readOnly: true}, 8, [...Object.values(features), 5]);
	for (const {machine, request} of [one, two]) {
		machine.memory.copyIn(data, ranges([0, 1]));
		for (const type of [DISCARD, WRITE_ZEROES])
			t.deepEqual(await request(type, 0, [{at: data, length: 16}]), [UNSUPPORTED, 1]);
	}
	t.deepEqual(
		two.driver.offered.filter((bit) => [11, 13, 14].includes(bit)),
		[],
	);
});

for (const transport of transports) {
	test(`${transport}: the write cache is switched by who has accepted the switch, and is on after a reset`, async (t) => {
		const at = BlkConfig.offset('writeback');
		const {machine, driver, registers} = await make(transport, {}, 8, all);
		const writeConfig = (offset: number, size: 1 | 2, value: number) => registers.writeConfig(offset, size, value);
		t.is(registers.readConfig(at, 1), 1);
		writeConfig(at, 1, 0);
		t.is(registers.readConfig(at, 1), 0);
		writeConfig(at, 1, 2);
		writeConfig(at, 2, 1);
		writeConfig(0, 1, 0x55);
		t.deepEqual([registers.readConfig(at, 1), registers.readConfig(0, 1)], [0, 128], 'no other value, width or place');
		registers.write('device_status', 0);
		await machine.run();
		t.is(registers.readConfig(at, 1), 1);
		driver.begin(Object.values(features), 2);
		writeConfig(at, 1, 0);
		t.is(registers.readConfig(at, 1), 1, 'it was not accepted');
	});
}

test('as many segments as a request may have, each as long as one may be, are served, and no sector more', async (t) => {
	const {machine, driver, request, registers} = await make('pci', {disk: {kind: 'memory', bytes: 8 * 2 ** 20}}, 128);
	t.deepEqual(
		driver.offered.filter((bit) => bit === features.sizeMost || bit === features.segmentsMost),
		[1, 2],
	);
	const [sizeMost, segmentsMost] = [registers.readConfig(8, 4), registers.readConfig(12, 4)];
	t.is(sizeMost % 4096, 0, 'Linux takes whole pages');
	const segment = {at: 0x4_0000, length: sizeMost, writable: true};
	const segments = new Array<GuestBuffer>(segmentsMost).fill(segment);
	const total = sizeMost * segmentsMost;
	t.deepEqual(await request(IN, 0, segments), [OK, total + 1]);
	const sources = segments.map((from) => ({...from, writable: false}));
	t.deepEqual(await request(OUT, 0, sources), [OK, 1]);
	// A driver that keeps to neither limit.
	const long = {...segment, length: 2 ** 19};
	t.deepEqual(await request(IN, 0, new Array<GuestBuffer>(8).fill(long)), [OK, 2 ** 22 + 1]);
	t.deepEqual(await request(IN, 0, [...new Array<GuestBuffer>(8).fill(long), {...long, length: 512}]), [IO_ERROR, 1]);
	t.deepEqual(machine.failures, []);
});

test('a disk that is only read says so, and keeps its data', async (t) => {
	const {machine, driver, request} = await make('pci', {readOnly: true});
	t.true(driver.offered.includes(5));
	t.false((await make('pci')).driver.offered.includes(5));
	machine.memory.fill(data, 512, 0xff);
	t.deepEqual(await request(OUT, 0, [{at: data, length: 512}]), [IO_ERROR, 1]);
	t.deepEqual(await request(IN, 0, [{at: data, length: 512, writable: true}]), [OK, 513]);
	t.is(machine.memory.readU32(data) as unknown, 0);
});

test('a disk whose id is too long is refused', async (t) => {
	await t.throwsAsync(make('pci', {id: 'x'.repeat(21)}), {code: 'VIRTIO_BLK_IMPOSSIBLE'});
});

for (const queues of [0, 17, 65_536]) {
	test(`a disk of ${queues} queues is refused`, async (t) => {
		await t.throwsAsync(make('mmio', {queues}), {code: 'VIRTIO_QUEUES_IMPOSSIBLE'});
	});
}

test('a disk with more workers than queues is refused', async (t) => {
	await t.throwsAsync(make('pci', {queues: 2, workers: 3}), {code: 'DEVICE_WORKERS_IMPOSSIBLE'});
});

const directory = mkdtempSync(join(tmpdir(), 'openvmm-virtio-blk-'));
test.after.always(() => rmSync(directory, {recursive: true}));
let files = 0;
/** A file whose every sector holds its number. */
function newFile(sectors = 128): string {
	const path = join(directory, `${files++}.img`);
	writeFileSync(path, Buffer.concat(Array.from({length: sectors}, (_, sector) => Buffer.alloc(512, sector))));
	return path;
}
const fileDisk = (path: string, more: object = {}) => ({disk: {kind: 'file', path, ...more}});

for (const engine of engineNames) {
	for (const workers of [1, 2]) {
		test(`a disk from a file, by ${engine} on ${workers} workers: its content is the file's`, async (t) => {
			const path = newFile();
			const {machine, request, read} = await make('pci', {...fileDisk(path, {engine}), workers}, 8, all);
			t.deepEqual(await request(IN, 5, [{at: data, length: 1024, writable: true}], 1), [OK, 1025]);
			t.deepEqual([new Set(read(data, 512)), new Set(read(data + 512, 512))], [new Set([5]), new Set([6])]);
			machine.memory.fill(data, 512, 0xee);
			t.deepEqual(await request(OUT, 7, [{at: data, length: 512}]), [OK, 1]);
			t.deepEqual(await request(FLUSH, 0, []), [OK, 1]);
			machine.memory.copyIn(data, ranges([9, 2]));
			t.deepEqual(await request(WRITE_ZEROES, 0, [{at: data, length: 16}]), [OK, 1]);
			const sectors = Array.from({length: 128}, (_, sector) =>
				sector === 7 ? 0xee : [9, 10].includes(sector) ? 0 : sector,
			);
			t.deepEqual(sectorsOf(path), sectors);
			t.deepEqual(await request(IN, 128, [{at: data, length: 512, writable: true}]), [IO_ERROR, 1]);
			t.deepEqual(machine.failures, []);
			await machine.stop();
			await machine.dispose();
		});
	}
}

/** The value that each sector is full of; all of them in one number where there are several. */
const sectorsOf = (path: string): number[] => {
	const content = readFileSync(path);
	return Array.from({length: content.length / 512}, (_, sector) => {
		const values = new Set(content.subarray(512 * sector, 512 * (sector + 1)));
		return values.size === 1 ? (content[512 * sector] as number) : Number.NaN;
	});
};

test('a disk that grows or shrinks while the guest runs is told when its owner says so', async (t) => {
	const path = newFile();
	const {machine, driver, request, registers} = await make('pci', fileDisk(path));
	registers.takeInterrupts();
	const told = async (bytes: number) => {
		truncateSync(path, bytes);
		machine.machine.control('it', measureDisk);
		while (registers.readConfig(0, 4) !== bytes / 512) await machine.run();
		return [registers.readConfig(0, 4), registers.takeInterrupts() & 2];
	};
	t.deepEqual(await told(256 * 512), [256, 2], 'by a configuration interrupt');
	t.deepEqual(await request(IN, 255, [{at: data, length: 512, writable: true}]), [OK, 513]);
	t.deepEqual((await told(64 * 512))[0], 64);
	t.deepEqual(await request(IN, 64, [{at: data, length: 512, writable: true}]), [IO_ERROR, 1]);
	t.is(driver.status, 0xf);
	await machine.stop();
	truncateSync(path, 128 * 512);
	machine.machine.control('it', measureDisk);
	machine.start();
	while (registers.readConfig(0, 4) !== 128) await machine.run();
	t.is(registers.readConfig(0, 4), 128, 'and what was said during a pause is done behind it');
	await machine.stop();
	await machine.dispose();
});

test('a file that became shorter gives the driver an error for what is gone, and for nothing else', async (t) => {
	const path = newFile();
	const {machine, request} = await make('pci', fileDisk(path));
	truncateSync(path, 10 * 512);
	t.deepEqual(await request(IN, 9, [{at: data, length: 1024, writable: true}]), [IO_ERROR, 1]);
	t.deepEqual(await request(IN, 9, [{at: data, length: 512, writable: true}]), [OK, 513]);
	t.deepEqual(machine.failures, []);
	await machine.stop();
	await machine.dispose();
});

test('a reset while requests are in flight waits for them, and the next driver sees none of them', async (t) => {
	const path = newFile();
	const {machine, driver, request, registers} = await make('pci', fileDisk(path, {engine: 'threads'}));
	// What a read wants may be in the page cache, and then it is not in flight.
	machine.memory.copyIn(header, RequestHeader.encode({type: OUT, sector: 3}));
	const status = {at: statusByte, length: 1, writable: true};
	driver.offer([{at: header, length: 16}, {at: data, length: 512}, status], {queue: 0});
	registers.notify(0);
	machine.turn(0);
	t.is(machine.backs.back('it')?.inFlight(), '1 requests to the disk');
	registers.write('device_status', 0);
	machine.turn(0);
	t.is(registers.read('device_status'), 0xf, 'it is not over yet');
	for (let tries = 0; registers.read('device_status') !== 0 && tries < 10_000; tries++) await machine.run();
	t.is(registers.read('device_status'), 0);
	t.deepEqual(driver.used(), []);
	driver.begin(Object.values(features), 2);
	t.deepEqual(await request(IN, 4, [{at: data, length: 512, writable: true}]), [OK, 513]);
	t.deepEqual(machine.failures, []);
	await machine.stop();
	await machine.dispose();
});

test('a pause waits for what is in flight, and the memory of a device that goes is let go of', async (t) => {
	const path = newFile();
	for (const engine of engineNames) {
		const {machine, driver, registers} = await make('pci', fileDisk(path, {engine}));
		// What a read wants may be in the page cache, and then it is not in flight.
		machine.memory.copyIn(header, RequestHeader.encode({type: OUT, sector: 3}));
		const status = {at: statusByte, length: 1, writable: true};
		driver.offer([{at: header, length: 16}, {at: data, length: 512}, status], {queue: 0});
		registers.notify(0);
		machine.turn(0);
		const stopped = machine.stop();
		let isStopped = false;
		void stopped.then(() => {
			isStopped = true;
		});
		while (!isStopped) await machine.run();
		t.is(machine.backs.back('it')?.inFlight(), undefined);
		t.is(driver.used().length, 1);
		// Gone in the middle of a request.
		machine.start();
		driver.offer([{at: header, length: 16}, {at: data, length: 512}, status], {queue: 0});
		registers.notify(0);
		machine.backs.poll();
		await machine.dispose();
		t.deepEqual(driver.used(), [], 'its queue is not touched any more');
		t.is(machine.pins, 0);
	}
});

/** Saved devices whose guest knows a disk of other sectors than the host's files have. */
function toldSectors<S>(saved: S, bytes: number): S {
	const copy = structuredClone(saved);
	const change = (value: unknown): void => {
		if (typeof value !== 'object' || value === null) return;
		const fields = value as Record<string, unknown>;
		const told = fields['virtio.config'];
		if (typeof told === 'string') {
			const space = Buffer.from(told, 'base64');
			space.writeUInt32LE(bytes, BlkConfig.offset('blockBytes'));
			fields['virtio.config'] = space.toString('base64');
		}
		for (const each of Object.values(fields)) change(each);
	};
	change(copy);
	return copy;
}

test('a guest that goes on from a snapshot has the content of its file, and not of a shorter one', async (t) => {
	const path = newFile();
	const one = await make('pci', fileDisk(path));
	await one.machine.stop();
	await one.machine.dispose();
	const saved = one.machine.machine.save();
	const restored = async (file: string, state = saved) => {
		const two = await make('pci', fileDisk(file));
		await two.machine.stop();
		const ram = new Uint8Array(0x10_0000);
		one.machine.memory.copyOut(0, ram);
		two.machine.memory.copyIn(0, ram);
		two.machine.machine.restore(state);
		two.driver.resume(one.driver);
		two.machine.start();
		return two;
	};
	const two = await restored(path);
	t.deepEqual(await two.request(IN, 5, [{at: data, length: 512, writable: true}]), [OK, 513]);
	t.is(two.read(data, 1)[0], 5);
	await two.machine.stop();
	await two.machine.dispose();
	const longer = await restored(newFile(200));
	t.is(longer.registers.readConfig(0, 4), 200);
	await longer.machine.dispose();
	const shorter = await restored(newFile(100));
	t.regex(String(shorter.machine.failures), /has 51200 bytes, and the guest goes on with one of 65536/);
	await shorter.machine.dispose();
	const finer = await restored(path, toldSectors(saved, 256));
	t.regex(String(finer.machine.failures), /has sectors of 512 bytes, and the guest goes on with ones of 256/);
	await finer.machine.dispose();
});

for (const workers of [1, 2]) {
	test(`a machine that goes while its disk is being opened leaves nothing of it open, on ${workers} workers`, async (t) => {
		const path = newFile();
		const descriptors = () =>
			readdirSync('/proc/self/fd').filter((fd) => {
				try {
					return readlinkSync(`/proc/self/fd/${fd}`) === path;
				} catch {
					return false;
				}
			}).length;
		const disk = {...config, ...fileDisk(path), workers};
		const machine = new VirtioMachine(virtioBlkPci as never, 'pci', disk, false);
		const opening = Promise.allSettled(machine.workers.map(({backs}) => backs.open()));
		await machine.dispose();
		await opening;
		t.is(descriptors(), 0);
		const next = await make('pci', {...fileDisk(path), workers});
		await next.machine.stop();
		await next.machine.dispose();
		t.is(descriptors(), 0);
	});
}

test('a file that is not there refuses the disk, on every worker', async (t) => {
	const path = join(directory, 'missing');
	await t.throwsAsync(make('pci', {...fileDisk(path), workers: 2}), {
		code: 'DISK_FILE_UNUSABLE',
		message: /missing.*ENOENT/,
	});
});

for (const [format, blockBytes] of [
	['qcow2', 4096],
	['vhd', 65_536],
	['vhdx', 2 ** 20],
] as const) {
	test(`tables of an image that are damaged are errors of requests, and never more: ${format}`, async (t) => {
		t.timeout(900_000);
		const folder = mkdtempSync(join(tmpdir(), 'openvmm-virtio-blk-'));
		t.teardown(() => rmSync(folder, {recursive: true}));
		const path = join(folder, `disk.${format}`);
		const file = await createHostFile(path);
		await createImage(format, file, {sizeBytes: 2 ** 22, blockBytes});
		await file.close();
		const {image, close} = await openDisk(path, {writable: true});
		for (const at of [0, 2 ** 20, 2 ** 21]) await writeImage(image, at, new Uint8Array(2 ** 16).fill(1));
		await close();
		const whole = readFileSync(path);
		const random = new SeededRandom(11);
		const statuses = new Set<number>();
		let refused = 0;
		for (let round = 0; round < 25; round++) {
			const bytes = Buffer.from(whole);
			for (let count = random.below(3); count >= 0; count--) {
				// What is not zeros and not the guest's bytes.
				let at = 512 + random.below(bytes.length - 1024);
				while (at < bytes.length - 1 && (bytes[at] === 0 || bytes[at] === 1)) at++;
				bytes[at] = random.below(256);
			}
			writeFileSync(path, bytes);
			const made = await make('mmio', {disk: {kind: 'file', path, format}}).catch((error) => error);
			if (made instanceof Error) {
				t.regex((made as {code?: string}).code ?? String(made), /^DISK_/);
				refused++;
				continue;
			}
			const {machine, request} = made;
			for (let at = 0; at < 2 ** 22; at += 2 ** 20)
				for (const type of [IN, OUT, FLUSH])
					statuses.add(
						(
							await request(type, at / 512, type === FLUSH ? [] : [{at: data, length: 4096, writable: type === IN}])
						)[0] as number,
					);
			t.deepEqual(machine.failures, []);
			await machine.stop();
			await machine.dispose();
		}
		t.true(refused < 25);
		t.true(
			[...statuses].every((status) => status === OK || status === IO_ERROR),
			[...statuses].join(),
		);
	});
}
