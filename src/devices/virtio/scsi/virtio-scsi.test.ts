import {mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {generator} from '#devices/conformance';
import type {HostReport} from '#devices/device-type';
import type {OpenDisk} from '#devices/storage/backend';
import {FaultyDisks} from '#devices/storage/backend/testing';
import {DiskError} from '#devices/storage/disk';
import {HeldDisks} from '#devices/storage/disk-set/testing';
import {attachUnit, detachUnit, ejectMedium, insertMedium, type UnitConfig} from '#devices/storage/scsi';
import {measureDisk, openDisk} from '#devices/storage/source';
import {ringReset, TestDriver, type TransportName, VirtioMachine} from '#devices/virtio/testing';
import {inspectTree, object, updateTree} from '#support/inspect';
import {virtioScsiPciType} from './device-types.ts';
import {CommandHeader, CommandResponse, ManagementRequest, ScsiConfig, ScsiEvent} from './layout.ts';
import {virtioScsiMmioOver, virtioScsiPciOver} from './virtio-scsi.ts';

const disk = (lun: number, more: object = {}): UnitConfig => ({
	lun,
	disk: {kind: 'memory', bytes: 2 ** 18},
	readOnly: false,
	...more,
});
const usual = {units: [disk(0), disk(44)], queues: 2, workers: 1, packed: true, serial: 'test'};
const transports: readonly TransportName[] = ['pci', 'mmio'];
const [hotPlug, change] = [1, 2];
const [control, events, first] = [0, 1, 2];
/** Where the driver has a command, its answer and its data, by its slot. */
const placeOf = (slot: number) => ({
	header: 0x4_0000 + 0x1_0000 * slot,
	answer: 0x4_1000 + 0x1_0000 * slot,
	data: 0x4_2000 + 0x1_0000 * slot,
});
const eventPlace = 0x3_0000;
const be32 = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
const be16 = (value: number) => [value >>> 8, value & 0xff];
const read10 = (lba: number, count: number) => [0x28, 0, ...be32(lba), 0, ...be16(count), 0];
const write10 = (lba: number, count: number) => [0x2a, 0, ...be32(lba), 0, ...be16(count), 0];
const flat = (lun: number, target = 0) => [1, target, 0x40 | (lun >>> 8), lun & 0xff, 0, 0, 0, 0];

interface Choice {
	readonly queue?: number;
	readonly address?: readonly number[];
	readonly id?: bigint;
	readonly out?: Uint8Array;
	readonly room?: number;
	readonly slot?: number;
	readonly sizes?: {readonly cdb: number; readonly sense: number};
}

interface MakeChoice {
	readonly held?: {readonly open: OpenDisk};
	readonly features?: readonly number[];
	/** What was saved of another machine. */
	readonly from?: {readonly saved: unknown; readonly ram: Uint8Array; readonly driver: TestDriver};
}

/** A machine with a controller, and a driver that has the events' buffers ready. */
async function make(
	transport: TransportName = 'pci',
	changes: object = {},
	{held, features = [hotPlug, change], from}: MakeChoice = {},
) {
	const over = transport === 'pci' ? virtioScsiPciOver : virtioScsiMmioOver;
	const config = {...usual, ...changes};
	const machine = new VirtioMachine(over(held?.open ?? openDisk) as never, transport, config, false);
	await machine.open();
	const driver = new TestDriver(machine, 16);
	const {memory} = machine;
	if (from === undefined) {
		machine.start();
		driver.begin(features, first + config.queues);
	} else {
		memory.copyIn(0, from.ram);
		machine.machine.restore(from.saved as never);
		driver.resume(from.driver);
		machine.start();
	}
	const bytes = (at: number, length: number) => {
		const found = new Uint8Array(length);
		memory.copyOut(at, found);
		return found;
	};
	/** Makes a command available, without waiting for it. */
	const offer = (
		cdb: readonly number[],
		{queue = first, address = flat(0), id = 7n, out, room = 0, slot = 0, sizes = {cdb: 32, sense: 96}}: Choice = {},
	) => {
		const place = placeOf(slot);
		memory.copyIn(place.header, CommandHeader.encode({lun: Uint8Array.from(address), id}));
		memory.fill(place.header + CommandHeader.size, 32, 0);
		memory.copyIn(place.header + CommandHeader.size, Uint8Array.from(cdb));
		memory.fill(place.answer, CommandResponse.size + sizes.sense, 0xee);
		if (out !== undefined) memory.copyIn(place.data, out);
		driver.offer(
			[
				{at: place.header, length: CommandHeader.size + sizes.cdb},
				...(out === undefined ? [] : [{at: place.data, length: out.length}]),
				{at: place.answer, length: CommandResponse.size + sizes.sense, writable: true},
				...(room === 0 ? [] : [{at: place.data, length: room, writable: true}]),
			],
			{queue, head: 4 * slot},
		);
		driver.machine.registers.notify(queue);
	};
	const answer = (slot = 0) => {
		const {response, status, residual, senseLength} = CommandResponse.read(
			bytes(placeOf(slot).answer, CommandResponse.size),
		);
		const sense = bytes(placeOf(slot).answer + CommandResponse.size, 18);
		return {
			response,
			status,
			residual,
			sense: senseLength === 0 ? '' : [sense[2], sense[12], sense[13]].map((each) => each?.toString(16)).join('/'),
		};
	};
	const waited = async (queue: number) => {
		let used = driver.used(queue);
		while (used.length === 0 && driver.status === 0xf) {
			await machine.run();
			used = driver.used(queue);
		}
		return used;
	};
	const run = async (cdb: readonly number[], choice: Choice = {}) => {
		offer(cdb, choice);
		const [used] = await waited(choice.queue ?? first);
		return {...answer(choice.slot), written: used?.[1]};
	};
	const askManagement = (
		wanted: number,
		{lun = flat(0), id = 7n, slot = 3}: {lun?: readonly number[]; id?: bigint; slot?: number} = {},
	) => {
		const place = placeOf(slot);
		memory.copyIn(place.header, ManagementRequest.encode({type: 0, function: wanted, lun: Uint8Array.from(lun), id}));
		memory.writeU8(place.answer, 0xee);
		driver.offer(
			[
				{at: place.header, length: ManagementRequest.size},
				{at: place.answer, length: 1, writable: true},
			],
			{queue: control, head: 4 * slot},
		);
		driver.machine.registers.notify(control);
	};
	const management = async (...asked: Parameters<typeof askManagement>) => {
		askManagement(...asked);
		await waited(control);
		return bytes(placeOf(asked[1]?.slot ?? 3).answer, 1)[0];
	};
	let given = 0;
	/** Gives the device a buffer for an event. */
	const giveEvent = () => {
		const index = given++ % 8;
		driver.offer([{at: eventPlace + 16 * index, length: 16, writable: true}], {queue: events, head: index});
		driver.machine.registers.notify(events);
	};
	/** Events that have come, of which so many are waited for. */
	const takeEvents = async (count: number) => {
		const used: [number, number][] = [];
		const [least, most] = count === 0 ? [5, 5] : [1, 10_000];
		for (let tries = 0; tries < least || (used.length < count && tries < most); tries++) {
			await machine.run();
			used.push(...driver.used(events));
		}
		return used.map(([head]) => {
			const {event, lun, reason} = ScsiEvent.read(bytes(eventPlace + 16 * head, 16));
			// Peripheral addressing, as in lists of units.
			return lun[0] === 1 && lun[2] === 0 ? [event, lun[3], reason] : ['no address', ...lun];
		});
	};
	/** Takes what units tell first. */
	const begin = async (...luns: readonly number[]) => {
		for (const lun of luns) await run([0], {address: flat(lun)});
	};
	if (from === undefined) await begin(...config.units.map(({lun}) => lun));
	const end = async () => {
		await machine.stop();
		await machine.dispose();
	};
	return {
		machine,
		driver,
		memory,
		bytes,
		offer,
		answer,
		run,
		waited,
		management,
		askManagement,
		giveEvent,
		takeEvents,
		begin,
		end,
		registers: machine.registers,
	};
}

for (const transport of transports)
	for (const workers of [1, 2])
		test(`${transport}: what one queue writes the other reads, on ${workers} workers`, async (t) => {
			const {machine, run, bytes, driver, registers} = await make(transport, {workers});
			const config = ScsiConfig.read(
				Uint8Array.from({length: ScsiConfig.size}, (_, at) => registers.readConfig(at, 1)),
			);
			t.deepEqual(config, {
				requestQueues: 2,
				segmentsMost: 126,
				sectorsMost: 8192,
				commandsPerUnit: 128,
				eventBytes: 16,
				senseBytes: 96,
				cdbBytes: 32,
				channelMost: 0,
				targetMost: 0,
				lunMost: 255,
			});
			t.deepEqual(
				driver.offered.filter((bit) => bit < 24),
				[hotPlug, change],
			);
			const out = Uint8Array.from({length: 1024}, (_, at) => (at * 7) & 0xff);
			const good = {response: 0, status: 0, residual: 0, sense: ''};
			t.deepEqual(await run(write10(5, 2), {out, queue: first}), {...good, written: 108});
			t.deepEqual(await run(read10(5, 2), {room: 1024, queue: first + 1}), {...good, written: 108 + 1024});
			t.deepEqual(bytes(placeOf(0).data, 1024), out);
			t.deepEqual(await run(read10(5, 1), {room: 1024}), {...good, residual: 512, written: 108 + 512});
			t.deepEqual(await run(write10(9, 1), {out}), {...good, residual: 512, written: 108});
			t.like(await run([0x12, 0, 0, 0, 255, 0], {room: 255, address: [1, 0, 0, 0, 0, 0, 0, 0]}), {
				response: 0,
				residual: 255 - 74,
			});
			t.deepEqual(machine.failures, []);
		});

test('commands that are for nobody, too long, both ways or without room for an answer', async (t) => {
	const {run, driver, machine} = await make();
	for (const address of [
		flat(0, 1),
		[0, 0, 0, 0, 0, 0, 0, 0],
		[1, 0, 0x80, 0, 0, 0, 0, 0],
		[0xc1, 1, 0, 0, 0, 0, 0, 0],
	])
		t.like(await run([0], {address}), {response: 3, status: 0});
	t.like(await run([0], {address: flat(9)}), {response: 0, status: 2, sense: '5/25/0'});
	t.like(await run([0], {address: flat(0x3f00)}), {status: 2, sense: '5/25/0'});
	t.like(await run(read10(0, 4), {room: 1024}), {response: 1, residual: 1024});
	t.like(await run(write10(0, 1), {out: new Uint8Array(512), room: 512}), {response: 9});
	t.like(await run(read10(512, 1), {room: 512}), {response: 0, status: 2, sense: '5/21/0', residual: 512});
	for (const [header, room] of [
		[10, 108],
		[51, 20],
		[51, 0],
	] as const) {
		const answers = room === 0 ? [] : [{at: placeOf(0).answer, length: room, writable: true}];
		driver.offer([{at: placeOf(0).header, length: header}, ...answers], {queue: first});
		await driver.notify(first);
		t.deepEqual(driver.used(first), [[0, 0]]);
	}
	t.is(driver.status, 0xf);
	t.deepEqual(machine.failures, []);
});

test('the driver chooses how long commands and sense data are', async (t) => {
	const {run, registers, machine, driver} = await make();
	const [sense, cdb] = [ScsiConfig.offset('senseBytes'), ScsiConfig.offset('cdbBytes')];
	registers.writeConfig(sense, 4, 97);
	registers.writeConfig(cdb, 2, 16);
	registers.writeConfig(0, 4, 5);
	t.deepEqual(
		[0, sense, cdb].map((at) => registers.readConfig(at, 4)),
		[2, 96, 32],
		'no other values, widths or fields',
	);
	registers.writeConfig(sense, 4, 20);
	registers.writeConfig(cdb, 4, 16);
	const sizes = {cdb: 16, sense: 20};
	t.like(await run(read10(600, 1), {room: 512, sizes}), {status: 2, sense: '5/21/0', written: 32});
	t.like(await run(read10(0, 1), {room: 512, sizes}), {status: 0, written: 32 + 512});
	registers.write('device_status', 0);
	await machine.run();
	t.deepEqual(
		[sense, cdb].map((at) => registers.readConfig(at, 4)),
		[96, 32],
		'a reset has them as they were',
	);
	driver.begin([], 4);
	t.like(await run([0]), {status: 2, sense: '6/29/0'}, 'and units tell of it');
});

for (const workers of [1, 2])
	test(`task management takes commands back, looks for them and resets units, on ${workers} workers`, async (t) => {
		const held = new HeldDisks();
		held.holds = false;
		const {machine, driver, offer, answer, management, askManagement, run, bytes, waited} = await make(
			'pci',
			{workers},
			{held},
		);
		const [abortTask, abortSet, clearAca, clearSet, unitReset, query, querySet] = [0, 1, 2, 3, 5, 6, 7];
		t.is(await management(abortTask), 0, 'one that is not there has ended');
		t.is(await management(query), 0);
		t.is(await management(clearAca), 11);
		t.is(await management(77), 11);
		t.is(await management(abortTask, {lun: flat(0, 1)}), 3);
		t.is(await management(unitReset, {lun: flat(9)}), 12);
		held.holds = true;
		offer(read10(0, 1), {room: 512, slot: 0, id: 1n});
		offer(read10(1, 1), {room: 512, slot: 1, id: 2n, queue: first + 1});
		offer(read10(2, 1), {room: 512, slot: 2, id: 3n, address: flat(44)});
		await machine.run();
		t.is(held.count, 3);
		t.is(await management(query, {id: 2n}), 10);
		t.is(await management(query, {id: 3n}), 0, 'it is of another unit');
		t.is(await management(querySet), 10);
		// The answer waits for the command, which the disk has.
		askManagement(abortTask, {id: 2n});
		await machine.run();
		t.deepEqual(driver.used(control), []);
		t.is(held.count, 3);
		held.finish();
		await machine.run();
		t.is(driver.used(control).length, 1);
		t.is(bytes(placeOf(3).answer, 1)[0], 0);
		t.deepEqual([answer(0).response, answer(1).response, answer(2).response], [0, 2, 0]);
		await waited(first);
		driver.used(first + 1);

		for (const [wanted, response] of [
			[abortSet, 2],
			[clearSet, 2],
			[unitReset, 4],
		] as const) {
			held.holds = true;
			offer(read10(0, 1), {room: 512, slot: 0, queue: first});
			offer(read10(1, 1), {room: 512, slot: 1, queue: first + 1});
			// The device has not seen them yet, and takes them back all the same.
			askManagement(wanted, {slot: 3});
			askManagement(query, {slot: 2});
			await machine.run();
			t.is(held.count, 2);
			held.finish();
			await machine.run();
			t.deepEqual([answer(0).response, answer(1).response], [response, response]);
			t.is(driver.used(control).length, 2);
			t.is(bytes(placeOf(2).answer, 1)[0], 0, 'what was asked behind it finds nothing any more');
			driver.used(first);
			driver.used(first + 1);
		}
		held.holds = false;
		t.like(await run([0]), {status: 2, sense: '6/29/0'}, 'a unit that was reset says so');
		t.like(await run([0], {address: flat(44)}), {status: 0}, 'and no other');
		t.is(await management(4), 0);
		t.like(await run([0], {address: flat(44)}), {status: 2, sense: '6/29/0'});
		t.deepEqual(machine.failures, []);
	});

for (const workers of [1, 2])
	test(`commands that wait for a limit are taken back without having waited for it, on ${workers} workers`, async (t) => {
		const units = [disk(0, {policy: {limits: {bps: 1}}}), disk(44)];
		const {machine, driver, offer, answer, management, run, begin, end} = await make('pci', {units, workers});
		const out = new Uint8Array(512);
		t.like(await run(write10(0, 1), {out}), {status: 0});
		const wait = async () => {
			for (const [slot, queue] of [first, first + 1].entries())
				offer(write10(slot + 1, 1), {out, slot, queue, id: BigInt(slot + 1)});
			await machine.run();
			t.deepEqual([driver.used(first), driver.used(first + 1)], [[], []]);
		};
		await wait();
		t.is(await management(0, {id: 2n}), 0);
		t.deepEqual([driver.used(first).length, driver.used(first + 1).length], [0, 1]);
		t.is(answer(1).response, 2);
		t.is(await management(5), 0);
		t.deepEqual([driver.used(first).length, answer(0).response], [1, 4]);
		await begin(0);
		await wait();
		t.is(await management(1), 0);
		t.deepEqual([driver.used(first).length, driver.used(first + 1).length], [1, 1]);
		t.deepEqual([answer(0).response, answer(1).response, machine.pins], [2, 2, 0]);
		t.deepEqual(machine.failures, []);
		await end();
	});

test('a command that hangs is taken back where the host has a copy of its data, and not before it hangs', async (t) => {
	const faulty = new FaultyDisks();
	const units = [disk(0, {policy: {timeout: 3600, onError: 'stop'}})];
	const {machine, driver, offer, answer, management, askManagement, run, end} = await make(
		'pci',
		{units},
		{held: faulty},
	);
	const out = new Uint8Array(512);
	t.like(await run(write10(0, 1), {out}), {status: 0});
	faulty.fault = () => 'hangs';
	const lapse = () => {
		for (let step = 0; step < 50; step++) machine.reactor.turn(0.25e9);
	};
	offer(write10(1, 1), {out, id: 1n});
	await machine.run();
	askManagement(0, {id: 1n});
	await machine.run();
	t.deepEqual([driver.used(first), driver.used(control)], [[], []]);
	faulty.fault = () => undefined;
	faulty.answer();
	await machine.run();
	t.deepEqual([driver.used(first).length, driver.used(control).length, answer().response], [1, 1, 2]);
	faulty.fault = () => 'hangs';
	offer(write10(1, 1), {out, id: 1n});
	await machine.run();
	lapse();
	t.is(await management(0, {id: 1n}), 0);
	t.deepEqual([driver.used(first).length, answer().response, machine.pins], [1, 2, 0]);
	faulty.fault = () => undefined;
	faulty.answer();
	t.like(await run(write10(2, 1), {out}), {status: 0});
	t.deepEqual(machine.failures, []);
	await end();
});

test('a function sees all that the driver has made available before it, though a queue has more than its turn', async (t) => {
	const held = new HeldDisks();
	const path = newFile(0);
	truncateSync(path, 2 ** 26);
	held.holds = false;
	const units = [disk(0, {disk: {kind: 'file', path}})];
	const {machine, driver, offer, answer, askManagement, bytes} = await make('pci', {units}, {held});
	held.holds = true;
	const clear = [0x93, 1, 0, 0, 0, 0, ...be32(0), ...be32(2 ** 16), 0, 0];
	offer(clear, {slot: 0, id: 1n});
	offer(clear, {slot: 1, id: 2n});
	offer(read10(0, 1), {slot: 2, id: 3n, room: 512});
	askManagement(0, {id: 3n});
	await machine.run();
	t.is(held.count, 3);
	t.deepEqual(driver.used(control), [], 'it waits for the last of them');
	held.finish();
	while (driver.used(control).length === 0) await machine.run();
	t.deepEqual([answer(0).response, answer(1).response, answer(2).response], [0, 0, 2]);
	t.is(bytes(placeOf(3).answer, 1)[0], 0);
	t.deepEqual(machine.failures, []);
});

test('a pause answers no function of which a worker has not looked for commands: it begins anew', async (t) => {
	const held = new HeldDisks();
	held.holds = false;
	const {machine, driver, offer, answer, askManagement, bytes, registers} = await make('pci', {workers: 2}, {held});
	const ask = () => {
		held.holds = true;
		offer(read10(0, 1), {room: 512, id: 2n, queue: first + 1});
		askManagement(0, {id: 2n});
		askManagement(6, {id: 2n, slot: 2});
		machine.turn(0);
		machine.turn(0);
	};
	ask();
	await machine.stop();
	t.deepEqual(driver.used(control), []);
	t.is(held.count, 0, 'the other worker has not had its turn');
	machine.start();
	await machine.run();
	t.is(held.count, 1);
	t.deepEqual(driver.used(control), []);
	held.finish();
	await machine.run();
	t.deepEqual([driver.used(first + 1).length, answer().response], [1, 2]);
	t.deepEqual(
		driver.used(control).map(([head]) => head),
		[12, 8],
	);
	t.deepEqual([bytes(placeOf(3).answer, 1)[0], bytes(placeOf(2).answer, 1)[0]], [0, 0]);
	ask();
	registers.write('device_status', 0);
	held.holds = false;
	held.finish();
	await machine.run();
	t.deepEqual(driver.used(control), [], 'a driver that has gone gets no answer');
	t.deepEqual(machine.failures, []);
});

test('a unit that has been detached gives its commands back, and tells of nothing else', async (t) => {
	const held = new HeldDisks();
	held.holds = false;
	const path = newFile();
	const units = [disk(0), disk(44, {disk: {kind: 'file', path}})];
	const {machine, offer, answer, askManagement, waited, management, bytes, giveEvent, takeEvents} = await make(
		'pci',
		{units},
		{held},
	);
	const command = (asked: object) => machine.machine.control('it', asked as never);
	held.holds = true;
	offer(read10(0, 1), {room: 512, id: 3n, address: flat(44)});
	await machine.run();
	giveEvent();
	command(detachUnit(44));
	t.deepEqual(await takeEvents(1), [[1, 44, 2]]);
	askManagement(0, {id: 3n, lun: flat(44)});
	await machine.run();
	held.finish();
	t.is((await waited(control)).length, 1);
	t.deepEqual([answer().response, bytes(placeOf(3).answer, 1)[0]], [2, 0]);
	t.is(await management(0, {id: 3n, lun: flat(44)}), 12);

	truncateSync(path, 2 ** 17);
	giveEvent();
	command(measureDisk);
	for (let turn = 0; turn < 20; turn++) await machine.run();
	command(attachUnit(44));
	t.deepEqual(await takeEvents(1), [[1, 44, 1]], 'it is looked at when it comes');
	t.deepEqual(machine.failures, []);
});

test('a write cache that is off stays off when its unit is reset, and is on for the next driver', async (t) => {
	const {machine, driver, run, management, begin, bytes, registers} = await make();
	const cacheIsOn = async () => {
		t.like(await run([0x1a, 8, 8, 0, 24, 0], {room: 24}), {status: 0});
		return (((bytes(placeOf(0).data, 24)[6] as number) >>> 2) & 1) !== 0;
	};
	t.true(await cacheIsOn());
	const out = Uint8Array.from([0, 0, 0, 0, 8, 18, ...new Array(18).fill(0)]);
	t.like(await run([0x15, 0x10, 0, 0, out.length, 0], {out}), {status: 0});
	for (const reset of [4, 5]) {
		t.is(await management(reset), 0);
		await begin(0);
		t.false(await cacheIsOn());
	}
	registers.write('device_status', 0);
	await machine.run();
	driver.begin([hotPlug, change], first + 2);
	await begin(0);
	t.true(await cacheIsOn());
});

test('asynchronous notifications are none; what is no request of the control queue fails', async (t) => {
	const {driver, memory, bytes, waited} = await make();
	const {header, answer} = placeOf(0);
	const ask = async (request: readonly number[]) => {
		memory.copyIn(header, Uint8Array.from(request));
		driver.offer(
			[
				{at: header, length: request.length},
				{at: answer, length: 5, writable: true},
			],
			{queue: control},
		);
		driver.machine.registers.notify(control);
		const [used] = await waited(control);
		return [used?.[1], ...bytes(answer, used?.[1] ?? 0)];
	};
	for (const type of [1, 2]) {
		t.deepEqual(await ask([type, 0, 0, 0, ...flat(0), 2, 0, 0, 0]), [5, 0, 0, 0, 0, 0]);
		t.deepEqual(await ask([type, 0, 0, 0, ...flat(0, 5), 2, 0, 0, 0]), [5, 0, 0, 0, 0, 3]);
	}
	t.deepEqual(await ask([3, 0, 0, 0, ...flat(0), 0, 0, 0, 0]), [1, 9]);
	t.deepEqual(await ask([0, 0, 0, 0]), [1, 9]);
	t.deepEqual(await ask([0]), [1, 9]);
});

const directory = mkdtempSync(join(tmpdir(), 'openvmm-virtio-scsi-'));
test.after.always(() => rmSync(directory, {recursive: true}));
let files = 0;
function newFile(bytes = 2 ** 16): string {
	const path = join(directory, `${files++}.img`);
	writeFileSync(path, new Uint8Array(bytes).fill(files));
	return path;
}

for (const workers of [1, 2])
	test(`units come and go, grow and have other media, and the driver is told of each by an event, on ${workers} workers`, async (t) => {
		const [path, iso] = [newFile(), newFile()];
		const units = [
			disk(0, {disk: {kind: 'file', path}}),
			disk(4, {detached: true}),
			disk(9, {disk: {kind: 'file', path: iso}, dvd: true}),
		];
		const {machine, run, giveEvent, takeEvents, end} = await make('pci', {units, workers});
		const command = (asked: object) => machine.machine.control('it', asked as never);
		t.like(await run([0], {address: flat(4)}), {sense: '5/25/0'});
		command(attachUnit(4));
		t.deepEqual(await takeEvents(0), [], 'there is no buffer for it');
		giveEvent();
		t.deepEqual(await takeEvents(1), [[1, 4, 1]]);
		t.like(await run([0]), {sense: '6/3f/e'});
		t.like(await run([0], {address: flat(4)}), {sense: '6/29/0'});
		t.like(await run(read10(0, 1), {address: flat(4), room: 512}), {sense: '6/3f/e'});
		t.like(await run(read10(0, 1), {address: flat(4), room: 512}), {status: 0});
		giveEvent();
		giveEvent();
		command(attachUnit(4));
		command(attachUnit(77));
		command(detachUnit(4));
		t.deepEqual(await takeEvents(1), [[1, 4, 2]], 'one that is there does not come, nor one that nobody has');
		t.like(await run([0], {address: flat(4)}), {sense: '5/25/0'});
		await run([0]);

		truncateSync(path, 2 ** 17);
		command(measureDisk);
		t.deepEqual(await takeEvents(1), [[3, 0, 0x92a]]);
		t.like(await run([0]), {sense: '6/2a/9'});
		t.like(await run(read10(255, 1), {room: 512}), {status: 0});

		giveEvent();
		giveEvent();
		await run([0], {address: flat(9)});
		command(ejectMedium(9));
		t.deepEqual(await takeEvents(1), [[3, 9, 0x28]]);
		for (const queue of [first, first + 1]) t.like(await run([0], {address: flat(9), queue}), {sense: '2/3a/1'});
		command(insertMedium(9));
		t.deepEqual(await takeEvents(1), [[3, 9, 0x28]]);
		t.like(await run([0], {address: flat(9)}), {sense: '6/28/0'});
		for (const queue of [first, first + 1]) {
			const read = () => run(read10(0, 1), {address: flat(9), queue, room: 2048});
			let told = await read();
			// The other worker opens it too, in its own time.
			for (let tries = 0; told.sense === '2/4/1' && tries < 10_000; tries++) told = await read();
			t.like(told, {status: 0});
		}
		t.deepEqual(machine.failures, []);
		await end();
	});

for (const workers of [1, 2])
	test(`a drive is counted, limited and told of as a disk is, whatever is in it, on ${workers} workers`, async (t) => {
		const faulty = new FaultyDisks();
		const policy = {limits: {iops: 1000}, timeout: 5};
		const units = [disk(0), disk(9, {disk: {kind: 'file', path: newFile()}, dvd: true, policy})];
		const {machine, driver, run, offer, answer, waited, management, end} = await make(
			'pci',
			{units, workers},
			{held: faulty},
		);
		const memory = machine.machine.devices.at(-1)?.placed.hostMemory as SharedArrayBuffer;
		const report = virtioScsiPciType.report?.({...usual, units, workers}, memory) as HostReport;
		const tree = object(() => report.nodes());
		const value = async (path: string) => {
			const found = await inspectTree(tree, `disks/9/${path}`, {});
			return 'value' in found ? found.value : undefined;
		};
		const read = (queue: number) => run(read10(0, 1), {address: flat(9), queue, room: 2048});
		const untilRead = async (queue: number) => {
			let told = await read(queue);
			for (let tries = 0; told.status !== 0 && tries < 10_000; tries++) told = await read(queue);
			t.is(told.status, 0);
		};
		for (const queue of [first, first + 1]) t.like(await read(queue), {status: 0});
		t.deepEqual([await value('read/requests'), await value('read/bytes')], [2, 4096]);
		faulty.fault = ({length}) => (length === 2048 ? DiskError.IO : undefined);
		t.like(await read(first + 1), {sense: '3/11/0'});
		const [failed, ...others] = report.notices();
		t.deepEqual(others, []);
		t.like(failed, {kind: 'disk-error', details: {disk: 9, operation: 'read', length: 2048, error: 'io'}});

		await updateTree(tree, 'disks/9/limits/iops', '500');
		faulty.fault = () => undefined;
		machine.machine.control('it', ejectMedium(9) as never);
		while ((await value('size')) !== 0) await machine.run();
		machine.machine.control('it', insertMedium(9) as never);
		for (const queue of [first, first + 1]) await untilRead(queue);
		t.deepEqual([await value('failures'), await value('limits/iops')], [1, 500], 'another medium is of the same drive');
		t.is(await value('size'), 2 ** 16);

		faulty.fault = ({length}) => (length === 2048 ? 'hangs' : undefined);
		offer(read10(0, 1), {address: flat(9), room: 2048, queue: first + 1});
		await machine.run();
		t.like(await run(read10(0, 1), {room: 512, slot: 1}), {status: 0}, 'the others go on');
		await waited(first + 1);
		t.like(answer(), {sense: '3/11/0'});
		t.like(report.notices()[0], {kind: 'disk-error', details: {disk: 9, error: 'timeout'}});
		t.is(machine.pins, 0);
		t.is(await management(5, {lun: flat(9)}), 0);
		t.deepEqual([driver.status, machine.failures], [0xf, []]);
		await end();
	});

test('a medium goes though what is read of it waits for a limit', async (t) => {
	const units = [disk(9, {disk: {kind: 'file', path: newFile()}, dvd: true, policy: {limits: {bps: 1}}})];
	const {machine, run, offer, answer, waited, end} = await make('pci', {units});
	const read = read10(0, 1);
	t.like(await run(read, {address: flat(9), room: 2048}), {status: 0});
	offer(read, {address: flat(9), room: 2048});
	await machine.run();
	machine.machine.control('it', ejectMedium(9) as never);
	await waited(first);
	t.like(answer(), {status: 0});
	t.like(await run(read, {address: flat(9), room: 2048}), {sense: '2/3a/1'});
	await end();
});

test('a disk that grows during a pause is looked at when the machine goes on', async (t) => {
	const path = newFile();
	const {machine, giveEvent, takeEvents, run, end} = await make('pci', {
		units: [disk(0, {disk: {kind: 'file', path}})],
	});
	giveEvent();
	await machine.stop();
	truncateSync(path, 2 ** 17);
	machine.machine.control('it', measureDisk as never);
	machine.start();
	t.deepEqual(await takeEvents(1), [[3, 0, 0x92a]]);
	t.like(await run([0]), {sense: '6/2a/9'});
	await end();
});

for (const workers of [1, 2])
	test(`a medium that comes during a pause is there when the machine goes on, on ${workers} workers`, async (t) => {
		const path = newFile();
		const units = [disk(0, {disk: {kind: 'file', path}, dvd: true})];
		const {machine, run, bytes, end} = await make('pci', {units, workers});
		for (const commands of [[insertMedium(0)], [ejectMedium(0), insertMedium(0)]]) {
			await machine.stop();
			const other = newFile();
			const content = files;
			renameSync(other, path);
			for (const asked of commands) machine.machine.control('it', asked as never);
			machine.start();
			for (const queue of [first, first + 1]) {
				const read = () => run(read10(0, 1), {queue, room: 2048});
				let told = await read();
				for (let tries = 0; told.status !== 0 && tries < 10_000; tries++) told = await read();
				t.deepEqual([told.status, bytes(placeOf(0).data, 1)[0]], [0, content], 'what the path leads to now');
			}
		}
		t.deepEqual(machine.failures, []);
		await end();
	});

test('a driver that wants no events gets none', async (t) => {
	const {machine, giveEvent, takeEvents} = await make(
		'pci',
		{units: [disk(0), disk(4, {detached: true})]},
		{features: []},
	);
	giveEvent();
	machine.machine.control('it', attachUnit(4) as never);
	t.deepEqual(await takeEvents(0), []);
	t.deepEqual(machine.failures, []);
});

test('a pause waits for what is in flight, and a device that goes lets go of its memory', async (t) => {
	const held = new HeldDisks();
	held.holds = false;
	const {machine, driver, offer, askManagement, answer} = await make('pci', {}, {held});
	held.holds = true;
	offer(read10(0, 1), {room: 512});
	askManagement(1);
	await machine.run();
	t.is(machine.backs.back('it')?.inFlight(), '1 commands of disks');
	let isStopped = false;
	const stopped = machine.stop().then(() => {
		isStopped = true;
	});
	await machine.run();
	t.false(isStopped);
	held.finish();
	await machine.run();
	await stopped;
	t.is(answer().response, 2);
	t.deepEqual([driver.used(first).length, driver.used(control).length], [1, 1]);
	machine.start();
	offer(read10(0, 1), {room: 512});
	await machine.run();
	t.is(held.count, 1);
	const gone = machine.dispose();
	held.finish();
	await gone;
	t.deepEqual(driver.used(first), [], 'its queue is not touched any more');
	t.is(machine.pins, 0);
});

test('limits keep commands of a disk, and of no other, and a pause none', async (t) => {
	const units = [disk(0, {policy: {limits: {bps: 1}}}), disk(1)];
	const {machine, driver, offer, run, answer} = await make('pci', {units});
	t.like(await run(read10(0, 1), {room: 512}), {status: 0});
	offer(read10(0, 1), {room: 512, slot: 1});
	for (let turn = 0; turn < 5; turn++) await machine.run();
	t.deepEqual(driver.used(first), [], 'it waits for minutes');
	t.like(await run(read10(0, 1), {room: 512, address: flat(1)}), {status: 0});
	const stopped = machine.stop();
	await machine.run();
	await stopped;
	t.deepEqual(
		driver.used(first).map(([head]) => head),
		[4],
	);
	t.like(answer(1), {status: 0, response: 0});
	t.deepEqual(machine.failures, []);
});

test('a command of several steps ends with the device that has gone', async (t) => {
	const held = new HeldDisks();
	held.holds = false;
	const {machine, offer} = await make('pci', {}, {held});
	held.holds = true;
	const range = (lba: number) => [0, 0, 0, 0, ...be32(lba), ...be32(1), 0, 0, 0, 0];
	const out = Uint8Array.from([0, 38, 0, 32, 0, 0, 0, 0, ...range(0), ...range(8)]);
	offer([0x42, 0, 0, 0, 0, 0, 0, ...be16(out.length), 0], {out});
	await machine.run();
	t.is(held.count, 1);
	const gone = machine.dispose();
	held.finish(1);
	t.is(held.count, 0, 'the next step is not begun');
	await gone;
	t.is(machine.pins, 0);
});

test('a queue that is reset with commands in flight is used again', async (t) => {
	const held = new HeldDisks();
	held.holds = false;
	const {machine, driver, offer, run, registers} = await make(
		'pci',
		{},
		{held, features: [hotPlug, change, ringReset]},
	);
	held.holds = true;
	offer(read10(0, 1), {room: 512});
	await machine.run();
	registers.write('queue_select', first);
	registers.write('queue_reset', 1);
	await machine.run();
	t.is(registers.read('queue_reset'), 1);
	held.finish();
	held.holds = false;
	await machine.run();
	t.is(registers.read('queue_reset'), 0);
	driver.setUp(first);
	t.like(await run(read10(0, 1), {room: 512}), {status: 0});
	t.deepEqual(machine.failures, []);
});

test('a guest from a snapshot has its units as they were, and not disks that are shorter', async (t) => {
	const path = newFile();
	const disc = disk(9, {disk: {kind: 'file', path: newFile()}, dvd: true});
	const units = [disk(0, {disk: {kind: 'file', path}}), disk(1), disk(4, {detached: true}), disc];
	const one = await make('pci', {units}, {features: [hotPlug]});
	one.machine.machine.control('it', insertMedium(9) as never);
	for (let tries = 0; tries < 10_000; tries++) {
		if ((await one.run([0], {address: flat(9)})).sense === '6/28/0') break;
	}
	one.machine.machine.control('it', attachUnit(4) as never);
	await one.machine.run();
	await one.end();
	const saved = one.machine.machine.save();
	const restored = async (file: string, workers: number) => {
		const ram = new Uint8Array(0x10_0000);
		one.memory.copyOut(0, ram);
		const from = {saved, ram, driver: one.driver};
		return make('pci', {units: [disk(0, {disk: {kind: 'file', path: file}}), ...units.slice(1)], workers}, {from});
	};
	for (const workers of [1, 2]) {
		const two = await restored(path, workers);
		two.giveEvent();
		t.deepEqual(await two.takeEvents(1), [[1, 4, 1]], 'what was not told is told');
		t.like(await two.run([0]), {sense: '6/3f/e'});
		t.like(await two.run(read10(0, 1), {room: 512}), {status: 0});
		await two.run([0], {address: flat(9)});
		t.like(await two.run(read10(0, 1), {room: 2048, address: flat(9)}), {status: 0}, 'no other medium has come');
		await two.run([0], {address: flat(1)});
		t.like(await two.run(read10(0, 1), {room: 512, address: flat(1)}), {status: 0});
		t.deepEqual(two.machine.failures, []);
		await two.end();
	}
	const longer = await restored(newFile(2 ** 17), 1);
	await longer.run([0]);
	t.like(await longer.run([0]), {sense: '6/3f/e'});
	await longer.end();
	const shorter = await restored(newFile(2 ** 15), 1);
	t.regex(
		String(shorter.machine.failures),
		/Unit 0 has 32768 bytes in blocks of 512, and the guest goes on with one of 65536/,
	);
	await shorter.machine.dispose();
});

for (const workers of [1, 2])
	test(`what the host fails is kept over a pause and in a snapshot, and can be taken back, on ${workers} workers`, async (t) => {
		const path = newFile();
		const faulty = new FaultyDisks();
		const units = [disk(0, {disk: {kind: 'file', path}, policy: {onError: 'stop'}}), disk(1)];
		const one = await make('pci', {units, workers}, {held: faulty, features: [hotPlug, change, ringReset]});
		const {machine, driver, registers} = one;
		const packed = 34;
		t.false(driver.offered.includes(packed), 'what is kept has to stay in its ring');
		faulty.fault = () => DiskError.IO;
		const out = new Uint8Array(512).fill(0xab);
		/** Waits until the disk has had it. */
		const write = async (lba: number, slot = 0) => {
			const seen = faulty.seen.length;
			one.offer(write10(lba, 1), {out, slot, queue: first + 1, id: 2n});
			for (let tries = 0; faulty.seen.length === seen && tries < 10_000; tries++) await machine.run();
		};
		const rest = async () => {
			let isOver = false;
			const stopped = machine.stop().then(() => {
				isOver = true;
			});
			for (let tries = 0; !isOver && tries < 10_000; tries++) await machine.run();
			await stopped;
		};
		await write(1);
		t.deepEqual(driver.used(first + 1), []);
		t.is(machine.pins, 0);
		t.is(await one.management(6), 0, 'one of another name is not there');
		t.is(await one.management(6, {id: 2n}), 10);
		t.is(await one.management(0, {id: 2n}), 0);
		t.deepEqual([one.answer().response, driver.used(first + 1).length], [2, 1]);

		await write(1);
		registers.write('queue_select', first + 1);
		registers.write('queue_reset', 1);
		await machine.run();
		t.is(registers.read('queue_reset'), 0);
		driver.setUp(first + 1);
		await write(2);
		await write(3, 1);
		await rest();
		machine.start();
		await machine.run();
		await rest();
		t.deepEqual(driver.used(first + 1), [], 'it has failed again');
		const saved = JSON.parse(JSON.stringify(machine.machine.save()));
		const ram = new Uint8Array(0x10_0000);
		one.memory.copyOut(0, ram);
		await machine.dispose();

		const two = await make('pci', {units: [disk(0, {disk: {kind: 'file', path}}), disk(1)], workers: 3 - workers});
		await two.machine.stop();
		two.memory.copyIn(0, ram);
		two.machine.machine.restore(saved);
		two.driver.resume(driver);
		two.machine.start();
		// The host may do one before the other.
		let done = 0;
		while (done < 2) done += (await two.waited(first + 1)).length;
		t.is(done, 2);
		t.like(
			[two.answer(0), two.answer(1)],
			[
				{response: 0, status: 0},
				{response: 0, status: 0},
			],
		);
		await two.machine.run();
		t.deepEqual(two.driver.used(first + 1), [], 'once');
		const content = readFileSync(path);
		t.deepEqual(
			[1, 2, 3, 4].map((block) => content[512 * block] === 0xab),
			[false, true, true, false],
		);
		t.deepEqual([...machine.failures, ...two.machine.failures], []);
		await two.end();
	});

test('heads that a snapshot makes up are taken for what the driver has there, or break the queue', async (t) => {
	const {machine, driver, end, offer, askManagement} = await make('pci', {workers: 2});
	offer(write10(0, 1), {out: new Uint8Array(512)});
	askManagement(1);
	await machine.run();
	await machine.stop();
	const {state} = machine.machine.devices.at(-1) as {state: {left: Uint32Array}};
	state.left.fill(0xffff_ffff);
	machine.start();
	await machine.run();
	t.deepEqual([...state.left].filter((word) => word !== 0).length, 0);
	t.is(driver.status & 0x40, 0x40, 'DEVICE_NEEDS_RESET');
	t.deepEqual(machine.failures, []);
	await end();
});

for (const [what, changes] of [
	['no name', {serial: ''}],
	['a number twice', {units: [disk(1), disk(1)]}],
	['a number too large', {units: [disk(256)]}],
	['too many units', {units: Array.from({length: 33}, (_, lun) => disk(lun))}],
] as const)
	test(`a controller with ${what} is refused`, async (t) => {
		await t.throwsAsync(make('pci', changes), {code: 'VIRTIO_SCSI_IMPOSSIBLE'});
	});

test('a file that is not there refuses the controller, and what was opened is closed', async (t) => {
	const units = [
		disk(0, {disk: {kind: 'file', path: newFile()}}),
		disk(1, {disk: {kind: 'file', path: join(directory, 'missing')}}),
	];
	for (const workers of [1, 2]) await t.throwsAsync(make('mmio', {units, workers}), {code: 'DISK_FILE_UNUSABLE'});
});

for (const workers of [1, 2])
	test(`a driver that offers anything at any time ends nothing, on ${workers} workers`, async (t) => {
		t.timeout(900_000);
		const below = generator(30 + workers);
		const any = <T>(values: readonly T[]) => values[below(values.length)] as T;
		const opcodes = [0, 3, 0x12, 0x15, 0x1a, 0x25, 0x28, 0x2a, 0x35, 0x41, 0x42, 0x88, 0x8a, 0x93, 0x9e, 0xa0];
		for (let round = 0; round < 12; round++) {
			const held = new HeldDisks();
			held.holds = false;
			const units = [disk(0), disk(3, {readOnly: true}), disk(5, {dvd: true})];
			const {machine, driver, memory} = await make('pci', {units, workers}, {held});
			const places = [0x4_0000, 0x5_0000, 0x6_0000, 0xf_fff0];
			for (let step = 0; step < 150; step++) {
				held.holds = below(3) === 0;
				const queue = below(4);
				const header = new Uint8Array(CommandHeader.size + 32).map(() => (below(2) === 0 ? 0 : below(256)));
				if (below(8) > 0) header.set(flat(any([0, 3, 5])));
				if (queue === control)
					header.set([below(4) === 0 ? below(4) : 0, 0, 0, 0, below(9), 0, 0, 0, ...flat(any([0, 3, 5, 9]))]);
				header[CommandHeader.size] = any(opcodes);
				memory.copyIn(0x7_0000, header);
				const buffers = Array.from({length: below(4)}, () => {
					return {at: any(places), length: any([0, 1, 12, 16, 96, 108, 512, 4096]), writable: below(2) === 0};
				}).sort((one, other) => Number(one.writable) - Number(other.writable));
				driver.offer([{at: 0x7_0000, length: any([0, 4, 19, 24, 51, 51, 51, 51])}, ...buffers], {
					queue,
					head: 4 * below(4),
				});
				machine.registers.notify(queue);
				if (below(10) === 0)
					machine.machine.control('it', any([attachUnit(3), detachUnit(3), ejectMedium(5), insertMedium(5)]) as never);
				if (below(6) === 0) await machine.run();
				if (below(4) === 0) held.finish();
				if (driver.status !== 0xf || below(60) === 0) {
					held.holds = false;
					held.finish();
					machine.registers.write('device_status', 0);
					while (machine.registers.read('device_status') !== 0) {
						held.finish();
						await machine.run();
					}
					driver.begin([hotPlug, change], 4);
				}
			}
			held.holds = false;
			held.finish();
			const stopped = machine.stop();
			for (let tries = 0; tries < 3; tries++) {
				await machine.run();
				held.finish();
			}
			await stopped;
			t.deepEqual(machine.failures, []);
			t.is(machine.pins, 0);
			await machine.dispose();
		}
	});
