import test from 'ava';
import {FaultyDisks} from '#devices/storage/backend/testing';
import {DiskError, DiskOperation} from '#devices/storage/disk';
import {HeldDisks} from '#devices/storage/disk-set/testing';
import type {UnitConfig} from './index.ts';
import {attachUnit, commandUnit, detachUnit, UnitFlag, type UnitState} from './index.ts';
import {Initiator} from './testing/index.ts';

const disk: UnitConfig = {lun: 0, disk: {kind: 'memory', bytes: 2 ** 20}, readOnly: false};
const readOnly: UnitConfig = {lun: 2, disk: {kind: 'memory', bytes: 2 ** 16}, readOnly: true};
const blocks = 2 ** 20 / 512;
const be16 = (value: number) => [value >>> 8, value & 0xff];
const be32 = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
const be64 = (value: number) => [...be32(Math.floor(value / 2 ** 32)), ...be32(value % 2 ** 32)];
const read10 = (lba: number, count: number, flags = 0) => [0x28, flags, ...be32(lba), 0, ...be16(count), 0];
const write10 = (lba: number, count: number, flags = 0) => [0x2a, flags, ...be32(lba), 0, ...be16(count), 0];
const inquiry = (page?: number, room = 255) => [0x12, page === undefined ? 0 : 1, page ?? 0, 0, room, 0];
const modeSense = (page: number, control = 0) => [0x1a, 0, (control << 6) | page, 0, 255, 0];
const text = (bytes: Uint8Array) => new TextDecoder('latin1').decode(bytes);
const pattern = (bytes: number, seed = 0) => Uint8Array.from({length: bytes}, (_, at) => (at * 7 + seed) & 0xff);
const good = {status: 0, sense: ''};
const refused = (sense: string) => ({status: 2, sense});

const make = async (units: readonly UnitConfig[] = [disk, readOnly]) => {
	const initiator = await Initiator.make(units);
	return initiator.begin(...units.map(({lun}) => lun));
};

test('the first command is told of the power-on, but for those that are told whatever has happened', async (t) => {
	const initiator = await Initiator.make([disk]);
	t.like(await initiator.run(inquiry(), {room: 255}), good);
	t.like(await initiator.run([0, 0, 0, 0, 0, 0]), refused('6/29/0'));
	t.like(await initiator.run([0, 0, 0, 0, 0, 0]), good);
	const other = await Initiator.make([disk]);
	const sense = await other.run([3, 0, 0, 0, 252, 0], {room: 252});
	t.deepEqual([sense.data[0], sense.data[2], sense.data[12], sense.data.length], [0x70, 6, 0x29, 18]);
	t.like(await other.run([0, 0, 0, 0, 0, 0]), good);
});

test('a disk says what it is, by the pages that it says that it has', async (t) => {
	const initiator = await make();
	const {data} = await initiator.run(inquiry(), {room: 255});
	t.deepEqual([...data.subarray(0, 8)], [0, 0, 6, 2, 69, 0, 0, 2]);
	t.is(text(data.subarray(8, 36)), 'Msft    Virtual Disk    1.0 ');
	const page = async (number: number) => (await initiator.run(inquiry(number), {room: 255})).data;
	t.deepEqual([...(await page(0))], [0, 0, 0, 6, 0, 0x80, 0x83, 0xb0, 0xb1, 0xb2]);
	t.is(text((await page(0x80)).subarray(4)), 'test-0');
	const ids = await page(0x83);
	t.deepEqual([...ids.subarray(4, 8)], [1, 3, 0, 8]);
	t.is((ids[8] as number) >>> 4, 3, 'locally assigned');
	t.is(text(ids.subarray(20)), 'Msft    test-0');
	const limits = new DataView((await page(0xb0)).buffer);
	t.deepEqual(
		[limits.getUint8(4), limits.getUint16(6), limits.getUint32(8), limits.getUint32(20), limits.getUint32(24)],
		[1, 8, 8192, 512, 16],
	);
	t.deepEqual([limits.getUint32(28), limits.getUint32(32), limits.getBigUint64(36)], [8, 0x8000_0000, 512n]);
	t.is((await page(0xb1))[5], 1);
	t.deepEqual([...(await page(0xb2)).subarray(4)], [0, 0xe0, 2, 0]);
	for (const number of [1, 0x84, 0xff]) t.like(await initiator.run(inquiry(number), {room: 255}), refused('5/24/0'));
	t.is((await initiator.run(inquiry(undefined, 36), {room: 255})).data.length, 36, 'no more than is allocated');
	t.like(await initiator.run([0x12, 0, 0x80, 0, 255, 0], {room: 255}), refused('5/24/0'));
});

test('capacity and the state of blocks are told by both lengths of commands', async (t) => {
	const initiator = await make();
	const short = await initiator.run([0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0], {room: 8});
	t.deepEqual([...short.data], [...be32(blocks - 1), ...be32(512)]);
	const long = await initiator.run([0x9e, 0x10, ...be64(0), ...be32(32), 0, 0], {room: 32});
	t.deepEqual([...long.data.subarray(0, 16)], [...be64(blocks - 1), ...be32(512), 0, 3, 0x80, 0]);
	const status = await initiator.run([0x9e, 0x12, ...be64(16), ...be32(24), 0, 0], {room: 24});
	t.deepEqual([...status.data], [...be32(20), 0, 0, 0, 0, ...be64(16), ...be32(blocks - 16), 0, 0, 0, 0]);
	t.like(await initiator.run([0x9e, 0x12, ...be64(blocks), ...be32(24), 0, 0], {room: 24}), refused('5/21/0'));
	t.like(await initiator.run([0x9e, 0x1f, ...be64(0), ...be32(24), 0, 0], {room: 24}), refused('5/24/0'));
});

for (const [name, write, read] of [
	[
		'6',
		(lba: number, n: number) => [0x0a, ...be32(lba).slice(1), n, 0],
		(lba: number, n: number) => [0x08, ...be32(lba).slice(1), n, 0],
	],
	['10', write10, read10],
	[
		'12',
		(lba: number, n: number) => [0xaa, 0, ...be32(lba), ...be32(n), 0, 0],
		(lba: number, n: number) => [0xa8, 0, ...be32(lba), ...be32(n), 0, 0],
	],
	[
		'16',
		(lba: number, n: number) => [0x8a, 0, ...be64(lba), ...be32(n), 0, 0],
		(lba: number, n: number) => [0x88, 0, ...be64(lba), ...be32(n), 0, 0],
	],
] as const)
	test(`what commands of ${name} bytes write they read, and nothing beside it`, async (t) => {
		const initiator = await make();
		const out = pattern(1024);
		t.like(await initiator.run(write(7, 2), {out}), good);
		const {data} = await initiator.run(read(6, 4), {room: 2048});
		t.deepEqual(data, Uint8Array.from([...new Uint8Array(512), ...out, ...new Uint8Array(512)]));
		t.like(await initiator.run(write(blocks - 1, 2), {out}), refused('5/21/0'));
		t.like(await initiator.run(read(blocks - 1, 2), {room: 1024}), refused('5/21/0'));
	});

test('of 6 bytes no blocks are 256, of others none', async (t) => {
	const initiator = await make();
	const whole = await initiator.run([0x08, 0, 0, 0, 0, 0], {room: 256 * 512});
	t.is(whole.data.length, 256 * 512);
	t.like(await initiator.run(read10(blocks, 0)), good);
	t.like(await initiator.run(read10(blocks + 1, 0)), refused('5/21/0'));
});

test('a command about more data than there is room for moves none; one about less tells how much', async (t) => {
	const initiator = await make();
	const over = await initiator.run(read10(0, 4), {room: 1024});
	t.deepEqual([over.isOverrun, over.data.length, over.status], [true, 0, 0]);
	t.true((await initiator.run(write10(0, 4), {out: pattern(1024)})).isOverrun);
	const {data} = await initiator.run(read10(0, 4), {room: 2048});
	t.deepEqual([...new Set(data)], [0], 'nothing was written');
	t.is((await initiator.run(read10(0, 1), {room: 4096})).data.length, 512);
});

test('protection, longer transfers than there are, and comparisons are refused; force unit access is served', async (t) => {
	const initiator = await make([{...disk, disk: {kind: 'memory', bytes: 2 ** 24}}]);
	t.like(await initiator.run(read10(0, 1, 0x20), {room: 512}), refused('5/24/0'));
	t.like(await initiator.run([0x88, 0, ...be64(0), ...be32(8193), 0, 0], {room: 2 ** 21}), refused('5/24/0'));
	t.like(await initiator.run([0x2f, 2, ...be32(0), 0, ...be16(1), 0], {out: pattern(512)}), refused('5/24/0'));
	t.like(await initiator.run([0x2f, 0, ...be32(0), 0, ...be16(1), 0]), good);
	t.like(await initiator.run([0x2f, 0, ...be32(32768), 0, ...be16(1), 0]), refused('5/21/0'));
	t.like(await initiator.run([...read10(0, 1).slice(0, 9), 4], {room: 512}), refused('5/24/0'), 'NACA');
	t.like(await initiator.run(write10(0, 1, 0x08), {out: pattern(512)}), good);
	t.like(await initiator.run([0x2e, 0, ...be32(1), 0, ...be16(1), 0], {out: pattern(512, 3)}), good);
	t.deepEqual((await initiator.run(read10(0, 1, 0x18), {room: 512})).data, pattern(512));
	t.deepEqual((await initiator.run(read10(1, 1), {room: 512})).data, pattern(512, 3));
});

test('WRITE SAME fills with zeros, or with a block; UNMAP clears ranges', async (t) => {
	const initiator = await make();
	const same = (lba: number, count: number, flags = 0) => [0x93, flags, ...be64(lba), ...be32(count), 0, 0];
	const sector = async (lba: number) => (await initiator.run(read10(lba, 1), {room: 512})).data;
	t.like(await initiator.run(same(10, 300), {out: pattern(512, 5)}), good);
	for (const lba of [10, 143, 144, 309]) t.deepEqual(await sector(lba), pattern(512, 5), `${lba}`);
	for (const lba of [9, 310]) t.deepEqual([...new Set(await sector(lba))], [0], `${lba}`);
	t.like(await initiator.run([0x41, 8, ...be32(20), 0, ...be16(2), 0], {out: new Uint8Array(512)}), good);
	t.like(await initiator.run(same(30, 2, 1)), good, 'without data');
	for (const lba of [20, 21, 30, 31]) t.deepEqual([...new Set(await sector(lba))], [0], `${lba}`);
	t.deepEqual(await sector(22), pattern(512, 5));
	for (const [cdb, sense] of [
		[same(0, 0), '5/24/0'],
		[same(0, 513), '5/24/0'],
		[same(blocks - 1, 2), '5/21/0'],
		[same(0, 1, 2), '5/24/0'],
		[same(0, 1, 0x20), '5/24/0'],
	] as const)
		t.like(await initiator.run(cdb, {out: pattern(512)}), refused(sense));

	const unmap = (length: number) => [0x42, 0, 0, 0, 0, 0, 0, ...be16(length), 0];
	const list = (...ranges: readonly (readonly [lba: number, count: number])[]) =>
		Uint8Array.from([
			...be16(6 + 16 * ranges.length),
			...be16(16 * ranges.length),
			...[0, 0, 0, 0],
			...ranges.flatMap(([lba, count]) => [...be64(lba), ...be32(count), 0, 0, 0, 0]),
		]);
	const two = list([40, 1], [50, 2]);
	t.like(await initiator.run(unmap(two.length), {out: two}), good);
	for (const lba of [40, 50, 51]) t.deepEqual([...new Set(await sector(lba))], [0], `${lba}`);
	t.deepEqual(await sector(41), pattern(512, 5));
	t.like(await initiator.run(unmap(0)), good);
	t.like(await initiator.run(unmap(4), {out: two}), refused('5/1a/0'));
	const beyond = list([60, 1], [blocks, 1]);
	t.like(await initiator.run(unmap(beyond.length), {out: beyond}), refused('5/21/0'));
	t.deepEqual(await sector(60), pattern(512, 5), 'all or nothing');
	const many = list(...Array.from({length: 17}, (_, at) => [at, 1] as const));
	t.like(await initiator.run(unmap(many.length), {out: many}), refused('5/26/0'));
	const long = list([0, 513]);
	t.like(await initiator.run(unmap(long.length), {out: long}), refused('5/26/0'));
	t.like(await initiator.run(unmap(two.length - 16), {out: two}), refused('5/1a/0'));
});

test('WRITE SAME fills thousands of blocks by a few requests of the disk', async (t) => {
	const [bytes, faulty] = [2 ** 24, new FaultyDisks()];
	const large: UnitConfig = {...disk, disk: {kind: 'memdiff', disk: {kind: 'memory', bytes}}};
	const initiator = await (await Initiator.make([large], faulty.open)).begin(0);
	const count = bytes / 2 / 512;
	const same = (lba: number, blocks: number, flags = 0) => [0x93, flags, ...be64(lba), ...be32(blocks), 0, 0];
	t.like(await initiator.run(same(1, count), {out: pattern(512, 3)}), good);
	t.true(faulty.seen.length > 1 && faulty.seen.length < 20, `${faulty.seen.length}`);
	const block = async (lba: number) => (await initiator.run(read10(lba, 1), {room: 512})).data;
	for (const lba of [1, 2, count - 1, count]) t.deepEqual(await block(lba), pattern(512, 3));
	for (const lba of [0, count + 1]) t.deepEqual(await block(lba), new Uint8Array(512));
	// A disk that knows no zeros has them written.
	faulty.fault = ({operation}) => (operation === DiskOperation.WRITE_ZEROES ? DiskError.UNSUPPORTED : undefined);
	t.like(await initiator.run(same(2, 9, 1)), good);
	t.like(await initiator.run(same(20, 9), {out: new Uint8Array(512)}), good);
	for (const lba of [2, 10, 20, 28]) t.deepEqual(await block(lba), new Uint8Array(512));
	for (const lba of [1, 11, 19, 29]) t.deepEqual(await block(lba), pattern(512, 3));
});

test('the write cache is switched, its default and what can be changed are told, and all else is refused', async (t) => {
	const initiator = await make();
	const page = async (number: number, control = 0) => [
		...(await initiator.run(modeSense(number, control), {room: 255})).data,
	];
	t.deepEqual((await page(8)).slice(0, 4), [31, 0, 0x10, 8]);
	t.deepEqual((await page(8)).slice(4, 12), [...be32(blocks), ...be32(512)]);
	t.deepEqual((await page(8)).slice(12, 15), [8, 18, 4]);
	t.deepEqual((await page(8, 1)).slice(12, 16), [8, 18, 4, 0]);
	t.is((await page(0x3f)).length, 4 + 8 + 20 + 12);
	t.like(await initiator.run(modeSense(8, 3), {room: 255}), refused('5/39/0'));
	t.like(await initiator.run(modeSense(9), {room: 255}), refused('5/24/0'));
	const select = (bytes: readonly number[], flags = 0x10) =>
		initiator.run([0x15, flags, 0, 0, bytes.length, 0], {out: Uint8Array.from(bytes)});
	const caching = (flags: number, ...rest: readonly number[]) => [
		0,
		0,
		0,
		0,
		8,
		18,
		flags,
		...rest,
		...new Array(17 - rest.length).fill(0),
	];
	t.like(await select(caching(0)), good);
	t.true((initiator.state.units[0]?.flags ?? 0) === UnitFlag.WRITE_THROUGH);
	t.is((await page(8))[14], 0);
	t.is((await page(8, 2))[14], 4, 'by default it is on');
	t.like(await select(caching(4)), good);
	t.is((await page(8))[14], 4);
	t.like(await select(caching(5)), refused('5/26/0'));
	t.like(await select(caching(0, 1)), refused('5/26/0'));
	t.is((await page(8))[14], 4, 'all or nothing');
	t.like(await select(caching(0), 0x11), refused('5/24/0'));
	t.like(await select(caching(0).slice(0, 20)), refused('5/1a/0'));
	t.like(await select([0, 0, 0, 8, ...be32(0), ...be32(4096), 8, 18, ...new Array(18).fill(0)]), refused('5/26/0'));
	const long = [0x55, 0x10, 0, 0, 0, 0, 0, ...be16(28), 0];
	t.like(await initiator.run(long, {out: Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, ...caching(0).slice(4)])}), good);
	t.is((await initiator.run([0x5a, 8, 8, 0, 0, 0, 0, ...be16(255), 0], {room: 255})).data[10], 0);
	const control = [0, 0, 0, 0, 0x0a, 10, 4, 0x10, 0, 0, 0, 0, 0xff, 0xff, 0, 0];
	t.like(await select(control), good);
	const {senseBytes} = await initiator.run(read10(blocks, 1), {room: 512});
	t.deepEqual([...senseBytes], [0x72, 5, 0x21, 0, 0, 0, 0, 0], 'sense data have descriptors from now on');
});

test('writes are durable when they are done that say so or are verified, and all where the cache is off', async (t) => {
	const faulty = new FaultyDisks();
	const initiator = await (await Initiator.make([disk], faulty.open)).begin(0);
	const forced = 8;
	const durable = async (cdb: readonly number[]) => {
		const from = faulty.seen.length;
		t.like(await initiator.run(cdb, {out: pattern(512)}), good);
		return faulty.seen.slice(from).map(({isDurable}) => isDurable);
	};
	const verified = [0x2e, 0, ...be32(1), 0, ...be16(1), 0];
	const same = (flags: number) => [0x93, flags, ...be64(1), ...be32(1), 0, 0];
	const [unmaps, noData] = [8, 1];
	const all = [write10(1, 1), write10(1, 1, forced), verified, same(0), same(unmaps | noData)];
	const found = async () => {
		const each = [];
		for (const cdb of all) each.push(await durable(cdb));
		return each;
	};
	t.deepEqual(await found(), [[false], [true], [true], [false], [false]]);
	const caching = [0, 0, 0, 0, 8, 18, 0, ...new Array(17).fill(0)];
	t.like(await initiator.run([0x15, 0x10, 0, 0, caching.length, 0], {out: Uint8Array.from(caching)}), good);
	t.deepEqual(await found(), [[true], [true], [true], [true], [true]]);
});

test('what a snapshot says that is not of a disk, changes nothing', async (t) => {
	const initiator = await make();
	const state = initiator.state.units[0] as UnitState;
	state.attentions = 0xf0;
	t.like(await initiator.run(read10(0, 1), {room: 512}), good, 'there is no such thing to be told of');
	t.is(state.attentions, 0);
	for (const media of [3, 4]) {
		state.media = media;
		initiator.units.start();
		await initiator.follow();
		t.like(await initiator.run(read10(0, 1), {room: 512}), good, 'no medium goes of a disk');
	}
});

test('a disk that is only read says so', async (t) => {
	const initiator = await make();
	t.is((await initiator.run(modeSense(0x3f), {room: 255, lun: 2})).data[2], 0x90);
	t.like(await initiator.run(write10(0, 1), {out: pattern(512), lun: 2}), refused('7/27/0'));
	t.like(await initiator.run([0x93, 1, ...be64(0), ...be32(1), 0, 0], {lun: 2}), refused('7/27/0'));
	t.like(await initiator.run([0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0], {lun: 2}), refused('7/27/0'));
});

test('units are listed on every number, come and go, and what is not there says so', async (t) => {
	const initiator = await make([disk, readOnly, {...disk, lun: 9, detached: true}]);
	const report = async (lun = 0) => {
		const {data} = await initiator.run([0xa0, 0, 0, 0, 0, 0, ...be32(256), 0, 0], {room: 256, lun});
		return Array.from({length: data.length / 8 - 1}, (_, at) => data[8 * at + 9]);
	};
	t.deepEqual(await report(), [0, 2]);
	t.deepEqual(await report(77), [0, 2]);
	t.like(await initiator.run([0xa0, 0, 0, 0, 0, 0, ...be32(15), 0, 0], {room: 256}), refused('5/24/0'));
	t.is((await initiator.run(inquiry(), {room: 255, lun: 9})).data[0], 0x7f);
	t.like(await initiator.run([0, 0, 0, 0, 0, 0], {lun: 9}), refused('5/25/0'));
	const sense = await initiator.run([3, 0, 0, 0, 18, 0], {room: 18, lun: 9});
	t.deepEqual([sense.data[2], sense.data[12]], [5, 0x25]);
	const [first, , third] = initiator.state.units;
	const all = initiator.state.units.slice(0, 3);
	if (first === undefined || third === undefined) throw new Error('no units');
	t.true(commandUnit(attachUnit(9), third, false, all));
	t.false(commandUnit(attachUnit(9), third, false, all), 'it is there');
	t.like(await initiator.run([0, 0, 0, 0, 0, 0]), refused('6/3f/e'));
	t.deepEqual(await report(), [0, 2, 9]);
	t.like(await initiator.run([0, 0, 0, 0, 0, 0], {lun: 9}), refused('6/29/0'));
	t.like(await initiator.run([0, 0, 0, 0, 0, 0], {lun: 9}), good, 'what the list tells of is not told again');
	t.true(commandUnit(detachUnit(0), first, false, all));
	t.deepEqual(await report(), [2, 9]);
});

test('commands that there are not, reservations among them, are no commands', async (t) => {
	const initiator = await make();
	for (const opcode of [0x16, 0x17, 0x5e, 0x5f, 0x4d, 0xa3, 0x7f, 0xff, 0x43, 0x4a])
		t.like(await initiator.run([opcode, 0, 0, 0, 0, 0]), refused('5/20/0'), `${opcode}`);
	t.like(await initiator.run([0x1b, 0, 0, 0, 2, 0]), refused('5/24/0'), 'there is nothing to eject');
	for (const flags of [0, 1]) t.like(await initiator.run([0x1b, 0, 0, 0, flags, 0]), good);
	t.like(await initiator.run([0x1d, 4, 0, 0, 0, 0]), good);
	t.like(await initiator.run([0x1d, 0x40, 0, 0, 0, 0]), refused('5/24/0'));
});

test('a command waits for its disk, and writes in a cache are durable when the cache is turned off', async (t) => {
	const held = new HeldDisks();
	held.holds = false;
	const initiator = await Initiator.make([disk], held.open);
	await initiator.begin(0);
	held.holds = true;
	const off = initiator.send([0x15, 0x10, 0, 0, 24, 0], {
		out: Uint8Array.from([0, 0, 0, 0, 8, 18, ...new Array(18).fill(0)]),
	});
	t.is(held.count, 1, 'the disk is flushed');
	held.finish();
	await off.finished;
	t.is(off.status, 0);
	const read = initiator.send(read10(0, 1, 8), {room: 512});
	t.is(held.count, 1, 'what is read by force is flushed before');
	held.finish(1);
	t.is(held.count, 1);
	held.finish();
	await read.finished;
	t.is(read.moved, 512);
});
