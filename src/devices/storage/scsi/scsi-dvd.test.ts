import {mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import type {OpenDisk} from '#devices/storage/backend';
import {HeldDisks} from '#devices/storage/disk-set/testing';
import {openDisk} from '#devices/storage/source';
import {
	commandUnit,
	ejectMedium,
	insertMedium,
	type UnitCommand,
	type UnitConfig,
	UnitFlag,
	type UnitState,
} from './index.ts';
import {Initiator} from './testing/index.ts';

const drive = (bytes = 2 ** 20): UnitConfig => ({lun: 0, disk: {kind: 'memory', bytes}, readOnly: false, dvd: true});
const be16 = (value: number) => [value >>> 8, value & 0xff];
const be32 = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
const read10 = (lba: number, count: number) => [0x28, 0, ...be32(lba), 0, ...be16(count), 0];
const good = {status: 0, sense: ''};
const refused = (sense: string) => ({status: 2, sense});
const ready = [0, 0, 0, 0, 0, 0];
const [eject, load, prevent, allow] = [
	[0x1b, 0, 0, 0, 2, 0],
	[0x1b, 0, 0, 0, 3, 0],
	[0x1e, 0, 0, 0, 1, 0],
	[0x1e, 0, 0, 0, 0, 0],
];
const command = (initiator: Initiator, asked: UnitCommand): boolean => {
	const [state] = initiator.state.units;
	return commandUnit(asked, state as UnitState, true, [state as UnitState]);
};

const make = async (unit = drive(), open: OpenDisk = openDisk) => (await Initiator.make([unit], open)).begin(0);
const answer = async (initiator: Initiator, cdb: readonly number[], room = 255) => [
	...(await initiator.run(cdb, {room})).data,
];
const events = (initiator: Initiator) => answer(initiator, [0x4a, 1, 0, 0, 0x10, 0, 0, ...be16(8), 0]);

test('a drive is one that is removable, of blocks of 2048 bytes, and only read', async (t) => {
	const initiator = await make();
	const data = await answer(initiator, [0x12, 0, 0, 0, 255, 0]);
	t.deepEqual(data.slice(0, 4), [5, 0x80, 6, 2]);
	t.deepEqual(await answer(initiator, [0x12, 1, 0, 0, 255, 0]), [5, 0, 0, 3, 0, 0x80, 0x83]);
	t.deepEqual(await answer(initiator, [0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0]), [...be32(511), ...be32(2048)]);
	t.is((await initiator.run(read10(510, 2), {room: 4096})).data.length, 4096);
	t.like(await initiator.run(read10(511, 2), {room: 4096}), refused('5/21/0'));
	for (const opcode of [0x2a, 0x41, 0x42, 0x93, 0x8a, 0x0a])
		t.like(await initiator.run([opcode, 0, 0, 0, 0, 0, 0, 0, 1, 0], {out: new Uint8Array(2048)}), refused('5/20/0'));
});

test('the table of contents has one track of data, in blocks and in time', async (t) => {
	const initiator = await make();
	const toc = (format: number, track = 0, time = 0) =>
		answer(initiator, [0x43, time, format, 0, 0, 0, track, ...be16(255), 0]);
	t.deepEqual(await toc(0), [0, 18, 1, 1, 0, 0x14, 1, 0, ...be32(0), 0, 0x14, 0xaa, 0, ...be32(512)]);
	t.deepEqual(await toc(0, 0xaa), [0, 10, 1, 1, 0, 0x14, 0xaa, 0, ...be32(512)]);
	// 512 blocks and two seconds are 662 frames.
	t.deepEqual(await toc(0, 1, 2), [0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 2, 0, 0, 0x14, 0xaa, 0, 0, 0, 8, 62]);
	t.deepEqual(await toc(1), [0, 10, 1, 1, 0, 0x14, 1, 0, ...be32(0)]);
	t.is((await toc(2)).length, 4 + 4 * 11);
	for (const cdb of [
		[0x43, 0, 0, 0, 0, 0, 2, 0, 255, 0],
		[0x43, 0, 5, 0, 0, 0, 0, 0, 255, 0],
	])
		t.like(await initiator.run(cdb, {room: 255}), refused('5/24/0'));
	t.deepEqual(
		await answer(initiator, [0x43, 0, 0, 0, 0, 0, 0, 0, 255, 0x40]),
		await toc(1),
		'as drives of old have it',
	);
});

test('features and profile are those of the medium', async (t) => {
	const initiator = await make();
	const configuration = (which: number, first = 0) =>
		answer(initiator, [0x46, which, ...be16(first), 0, 0, 0, ...be16(255), 0]);
	const all = await configuration(0);
	t.deepEqual(all.slice(0, 8), [...be32(all.length - 4), 0, 0, 0, 8]);
	t.deepEqual(all.slice(8, 20), [0, 0, 3, 8, 0, 0x10, 0, 0, 0, 8, 1, 0]);
	t.deepEqual(await configuration(2, 0x10), [...be32(16), 0, 0, 0, 8, 0, 0x10, 1, 8, ...be32(2048), 0, 1, 0, 0]);
	t.deepEqual((await configuration(2, 0x77)).length, 8);
	t.true((await configuration(1)).length < all.length);
	t.like(await initiator.run([0x46, 3, 0, 0, 0, 0, 0, 0, 255, 0], {room: 255}), refused('5/24/0'));
	const large = await make(drive(2 ** 30));
	t.deepEqual((await answer(large, [0x46, 2, 0, 0, 0, 0, 0, 0, 255, 0])).slice(6, 8), [0, 0x10], 'a DVD');
	const capabilities = await answer(initiator, [0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 255, 0]);
	t.deepEqual(capabilities.slice(0, 15), [0, 28, 0, 0, 0, 0, 0, 0, 0x2a, 20, 0x0b, 0, 0, 0, 0x29]);
	const disc = await answer(initiator, [0x51, 0, 0, 0, 0, 0, 0, 0, 255, 0]);
	t.deepEqual(disc.slice(0, 8), [0, 32, 0x0e, 1, 1, 1, 1, 0x20]);
	const track = await answer(initiator, [0x52, 1, ...be32(1), 0, 0, 255, 0]);
	t.deepEqual([track[2], track[3], track[5], ...track.slice(24, 28)], [1, 1, 4, ...be32(512)]);
	t.like(await initiator.run([0x52, 0, ...be32(512), 0, 0, 255, 0], {room: 255}), refused('5/24/0'));
	t.deepEqual(await answer(initiator, [0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0]), [0, 0, 0, 0, 0, 0, 0, 0]);
	t.like(await initiator.run([0xbb, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]), good);
});

test('an initiator ejects and loads the medium, unless it has locked it', async (t) => {
	const initiator = await make();
	t.deepEqual(await events(initiator), [0, 6, 4, 0x10, 0, 2, 0, 0]);
	t.like(await initiator.run(prevent as number[]), good);
	t.like(await initiator.run(eject as number[]), refused('5/53/2'));
	t.like(await initiator.run(allow as number[]), good);
	t.like(await initiator.run(eject as number[]), good);
	t.deepEqual(await events(initiator), [0, 6, 4, 0x10, 3, 1, 0, 0]);
	t.like(await initiator.run(ready), refused('2/3a/2'));
	t.like(await initiator.run(read10(0, 1), {room: 2048}), refused('2/3a/2'));
	t.is((await answer(initiator, [0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0]))[1], 0x10);
	t.deepEqual((await answer(initiator, [0x46, 2, 0, 0, 0, 0, 0, 0, 255, 0])).slice(6, 8), [0, 0]);
	t.like(await initiator.run(load as number[]), good);
	t.deepEqual(await events(initiator), [0, 6, 4, 0x10, 2, 2, 0, 0]);
	t.like(await initiator.run(ready), refused('6/28/0'));
	t.like(await initiator.run(ready), good);
	t.like(await initiator.run([0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8, 0], {room: 8}), refused('5/24/0'), 'it is polled');
	t.deepEqual(await answer(initiator, [0x4a, 1, 0, 0, 0x02, 0, 0, 0, 8, 0]), [0, 2, 0x80, 0x10]);
	t.true(initiator.changes >= 2);
});

const directory = mkdtempSync(join(tmpdir(), 'openvmm-scsi-dvd-'));
test.after.always(() => rmSync(directory, {recursive: true}));

test('the owner takes a medium out, which a lock makes a wish, and puts in what its path leads to then', async (t) => {
	const path = join(directory, 'disc.iso');
	writeFileSync(path, new Uint8Array(4096).fill(1));
	let closed = 0;
	// The disk is in memory, of what the file has when it is opened.
	const open: OpenDisk = async (file, isReadOnly, host) => {
		const {readFileSync} = await import('node:fs');
		const content = readFileSync(file.kind === 'file' ? file.path : '');
		const memory = new SharedArrayBuffer(content.length);
		new Uint8Array(memory).set(content);
		const source = {kind: 'memory', bytes: content.length} as const;
		const disk = await openDisk(source, isReadOnly, {...host, memory, offset: 0});
		const {close} = disk;
		disk.close = async () => {
			closed++;
			await close.call(disk);
		};
		return disk;
	};
	const initiator = await make({lun: 0, disk: {kind: 'file', path}, readOnly: false, dvd: true}, open);
	const content = async () => new Set((await initiator.run(read10(0, 1), {room: 2048})).data);
	t.deepEqual(await content(), new Set([1]));
	await initiator.run(prevent as number[]);
	t.true(command(initiator, ejectMedium(0)));
	t.deepEqual((await events(initiator)).slice(4, 6), [1, 2], 'the guest is asked for it');
	writeFileSync(`${path}.new`, new Uint8Array(4096).fill(9));
	renameSync(`${path}.new`, path);
	t.true(command(initiator, insertMedium(0)));
	await initiator.follow();
	t.deepEqual((await events(initiator)).slice(4, 6), [1, 2], 'and when another is to come in its place');
	t.deepEqual(await content(), new Set([1]));
	t.true(command(initiator, ejectMedium(0, true)));
	await initiator.follow();
	t.is(closed, 1);
	t.like(await initiator.run(ready), refused('2/3a/1'));
	t.false(command(initiator, ejectMedium(0)), 'it is out');
	t.false(((initiator.state.units[0]?.flags ?? 0) & UnitFlag.LOCKED) !== 0);

	writeFileSync(`${path}.new`, new Uint8Array(8192).fill(2));
	renameSync(`${path}.new`, path);
	t.true(command(initiator, insertMedium(0)));
	t.like(await initiator.run(ready), refused('2/4/1'), 'it is on its way');
	await initiator.follow();
	t.like(await initiator.run(ready), refused('6/28/0'));
	t.deepEqual(await content(), new Set([2]));
	t.deepEqual(await answer(initiator, [0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0]), [...be32(3), ...be32(2048)]);
	writeFileSync(path, new Uint8Array(2048).fill(3));
	t.true(command(initiator, insertMedium(0)), 'in place of what is in it');
	await initiator.follow();
	await initiator.begin(0);
	t.deepEqual(await content(), new Set([3]));

	unlinkSync(path);
	await initiator.run(prevent as number[]);
	await events(initiator);
	command(initiator, insertMedium(0, true));
	await initiator.follow();
	t.like(await initiator.run(ready), refused('2/3a/1'), 'what is not there is no medium');
	t.deepEqual((await events(initiator)).slice(4, 6), [3, 0], 'and the other is not there any more');

	const other = insertMedium(0, false, `${path}.other`);
	writeFileSync(`${path}.other`, new Uint8Array(2048).fill(4));
	initiator.units.control(other);
	for (const inserted of [other, insertMedium(0)]) {
		t.true(command(initiator, inserted));
		await initiator.follow();
		await initiator.begin(0);
		t.deepEqual(await content(), new Set([4]), 'another file, and from then on that one');
	}
});

test('a medium goes when what is read of it has been', async (t) => {
	const held = new HeldDisks();
	held.holds = false;
	const initiator = await make(drive(), held.open);
	held.holds = true;
	const read = initiator.send(read10(0, 1), {room: 2048});
	t.true(command(initiator, ejectMedium(0)));
	let isGone = false;
	const going = initiator.follow().then(() => {
		isGone = true;
	});
	t.like(await initiator.run(read10(0, 1), {room: 2048}), refused('2/3a/1'), 'of what is on its way nothing is begun');
	await new Promise(setImmediate);
	t.false(isGone);
	held.finish();
	await going;
	t.deepEqual([read.status, read.moved], [0, 2048]);
});

test('an image that is shorter than a block is no disc, and one that becomes so has nothing to read', async (t) => {
	await t.throwsAsync(make(drive(1536)), {code: 'SCSI_DISC_BLOCKS', message: /has 1536 bytes that are read by 512/});
	let bytes = 4096;
	const open: OpenDisk = async (...given) => {
		const disk = await openDisk(...given);
		return Object.defineProperty(disk, 'bytes', {get: () => bytes});
	};
	const initiator = await make(drive(4096), open);
	bytes = 512;
	t.deepEqual(await answer(initiator, [0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0]), [...be32(0), ...be32(2048)]);
	t.like(await initiator.run(read10(0, 1), {room: 2048}), refused('5/21/0'));
});

test('commands about media are none for disks', (t) => {
	const state = {flags: 0, media: 0, mediaEvents: 0, events: 0, attentions: 0, on: 1} as UnitState;
	for (const asked of [ejectMedium(0), ejectMedium(0, true), insertMedium(0)])
		t.false(commandUnit(asked, state, false, [state]));
	t.false(commandUnit({kind: 'dance', lun: 0}, state, true, [state]));
	t.is(state.media, 0);
});
