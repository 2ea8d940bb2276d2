import test from 'ava';
import type {OpenDisk} from '#devices/storage/backend';
import {openDisk, sharedBytes} from '#devices/storage/source';
import {FakeReactor} from '#devices/testing';
import {changeMembers, type DiskChange, DiskSet, diskSetBytes, diskSetPlaces, type SetMember} from './index.ts';

const member: SetMember = {disk: {kind: 'memory', bytes: 512}, readOnly: true, isPrivate: true};

async function make(open: OpenDisk, members: readonly SetMember[] = [member]) {
	const memory = new SharedArrayBuffer(diskSetBytes(members, 1, members.length));
	const host = {reactor: new FakeReactor(), worker: {index: 0, count: 1}, memory, offset: 0, noticed() {}};
	return DiskSet.open(members, host, open);
}

/** Disks that are counted while they are open, and wait for a gate before. */
function counted() {
	const count = {open: 0, gate: Promise.resolve()};
	const open: OpenDisk = async (...given) => {
		await count.gate;
		const disk = await openDisk(...given);
		const {close} = disk;
		count.open++;
		disk.close = async () => {
			count.open--;
			await close.call(disk);
		};
		return disk;
	};
	return {count, open};
}

test('a medium that comes when the set is closed is closed too', async (t) => {
	const {count, open} = counted();
	const set = await make(open);
	await set.remove(0);
	t.is(count.open, 0);
	t.is(set.at(0), undefined);
	const {promise, resolve} = Promise.withResolvers<void>();
	count.gate = promise;
	const coming = set.insert(0);
	await set.close();
	resolve();
	await coming;
	t.is(count.open, 0);
});

test('one that cannot be opened has the others closed', async (t) => {
	const {count, open} = counted();
	const refused: OpenDisk = (source, ...rest) =>
		'bytes' in source && source.bytes === 1024 ? Promise.reject(new Error('no')) : open(source, ...rest);
	const other: SetMember = {disk: {kind: 'memory', bytes: 1024}, readOnly: false};
	await t.throwsAsync(make(refused, [member, other, {...member, isPrivate: false}]), {message: 'no'});
	t.is(count.open, 0);
});

test('each worker has a private disk for itself, in memory that is no other’s, and what it puts in leaves the others’ alone', async (t) => {
	const members: readonly SetMember[] = [member, {...member, isPrivate: false}];
	const workers = 3;
	const memory = new SharedArrayBuffer(diskSetBytes(members, workers, members.length));
	const parts = new Map<number, number>();
	const sets: DiskSet[] = [];
	for (let index = 0; index < workers; index++) {
		const open: OpenDisk = async (source, isReadOnly, host) => {
			if (host.worker.count === 1) parts.set(index, host.offset);
			return openDisk(source, isReadOnly, host);
		};
		const host = {reactor: new FakeReactor(), worker: {index, count: workers}, memory, offset: 0, noticed() {}};
		sets.push(await DiskSet.open(members, host, open));
	}
	const bytes = sharedBytes(member.disk);
	const starts = [...parts.values()].toSorted((one, other) => one - other);
	t.is(starts.length, workers);
	t.true(starts.every((start, index) => index === 0 || start >= (starts[index - 1] as number) + bytes));
	const [, common] = diskSetPlaces(members, workers, 0);
	t.true((starts.at(-1) as number) + bytes <= (common?.offset as number));
	for (const start of starts) new Uint8Array(memory, start, bytes).fill(7);
	await sets[1]?.remove(0);
	await sets[1]?.insert(0);
	const isOld = (worker: number) => new Uint8Array(memory, parts.get(worker), bytes).every((byte) => byte === 7);
	t.deepEqual([0, 1, 2].map(isOld), [true, false, true]);
	for (const set of sets) await set.close();
});

interface Numbered extends SetMember {
	readonly number: number;
}

/** A set of two disks in memory, that may have four. */
function changing(workers = 2) {
	const first: Numbered = {number: 1, disk: {kind: 'memory', bytes: 512}, readOnly: false};
	const start: readonly Numbered[] = [first, {...first, number: 5}];
	const memory = new Uint8Array(diskSetBytes(start, workers, 4)).fill(7);
	const rules = {workers, most: 4, least: 1, largest: 9, memory};
	const change = (members: readonly Numbered[], wanted: DiskChange) =>
		changeMembers(wanted, {
			...rules,
			members,
			numberOf: ({number}) => number,
			make: (number, own): Numbered => ({number, ...own}),
		});
	const placesOf = (members: readonly Numbered[]) =>
		diskSetPlaces(members, workers, 0).map(({disk, offset}) => [members[disk]?.number, offset] as const);
	return {start, memory, change, placesOf};
}
const adds = (number?: number): DiskChange => ({
	kind: 'add-disk',
	disk: {kind: 'file', path: '/disk'},
	readOnly: false,
	...(number !== undefined && {number}),
});

test('disks that come and go leave the others where they are, and those that come find zeros', (t) => {
	const {start, memory, change, placesOf} = changing();
	const before = placesOf(start);
	const added = change(start, adds());
	t.is(added.number, 6);
	t.deepEqual(placesOf(added.members).slice(0, 2), before);
	const [, , [, at] = []] = placesOf(added.members);
	t.deepEqual([memory[(at as number) - 1], memory[at as number]], [7, 0]);
	const without = change(added.members, {kind: 'remove-disk', number: 1});
	t.is(without.number, 1);
	t.deepEqual(placesOf(without.members), placesOf(added.members).slice(1));
	// The room of one that has gone is another one's.
	const again = change(without.members, adds(2)).members;
	t.deepEqual(placesOf(again)[2], [2, 0]);
	const full = change(again, adds(9)).members;
	t.throws(() => change(full, adds(8)), {code: 'DISK_CONTROLLER_FULL'});
	const ranges = placesOf(full).toSorted(([, one], [, other]) => one - other);
	t.is(new Set(ranges.map(([, offset]) => offset)).size, 4);
	t.true((ranges.at(-1)?.[1] ?? 0) < memory.length);
	// Coming and going uses nothing up.
	let members = again;
	for (let round = 0; round < 100; round++)
		members = change(change(members, adds(7)).members, {kind: 'remove-disk', number: 7}).members;
	t.deepEqual(placesOf(members), placesOf(again));
});

for (const [what, wanted, code] of [
	['a number that there is', adds(5), 'DISK_NUMBER_TAKEN'],
	['a number above the largest', adds(10), 'DISK_NUMBER_IMPOSSIBLE'],
	['a number below the least', adds(0), 'DISK_NUMBER_IMPOSSIBLE'],
	['half a number', adds(1.5), 'DISK_NUMBER_IMPOSSIBLE'],
	['a disk in memory', {...adds(), disk: {kind: 'memory', bytes: 512}}, 'DISK_NO_ROOM'],
	['no disk', {...adds(), disk: {kind: 'file'}}, 'CONFIG_VALUE_INVALID'],
	['no word whether it is only read', {...adds(), readOnly: undefined}, 'CONFIG_VALUE_INVALID'],
	['a wrong policy', {...adds(), policy: {limits: {iops: -1}}}, 'CONFIG_VALUE_INVALID'],
	['a place of its own', {...adds(), at: 0}, 'CONFIG_VALUE_INVALID'],
	['one that is not there', {kind: 'remove-disk', number: 2}, 'DISK_NUMBER_UNKNOWN'],
] as const)
	test(`a change of a set is refused with ${what}`, (t) => {
		const {start, memory, change} = changing();
		t.throws(() => change(start, wanted as unknown as DiskChange), {code});
		t.true(memory.every((byte) => byte === 7));
	});

test('a disk that opens when the set is to be as before is closed again', async (t) => {
	const {count, open} = counted();
	const members: readonly SetMember[] = [{disk: {kind: 'memory', bytes: 512}, readOnly: false, at: 0}];
	const more: readonly SetMember[] = [...members, {disk: {kind: 'memory', bytes: 512}, readOnly: false, at: 0x4000}];
	const memory = new SharedArrayBuffer(0x1_0000);
	const host = {reactor: new FakeReactor(), worker: {index: 0, count: 1}, memory, offset: 0, noticed() {}};
	const set = await DiskSet.open(members, host, open);
	const stays = set.at(0);
	const {promise, resolve} = Promise.withResolvers<void>();
	count.gate = promise;
	const late = set.reconfigure(more);
	await set.reconfigure(members);
	resolve();
	await t.throwsAsync(late);
	t.deepEqual([count.open, set.at(0), set.at(1)], [1, stays, undefined]);
	await set.reconfigure(more);
	t.deepEqual([count.open, set.at(0)], [2, stays]);
	await set.reconfigure(more.slice(1));
	t.deepEqual([count.open, set.at(0) === stays], [1, false]);
	await set.close();
	t.is(count.open, 0);
});

test('a disk whose host does not let go of it goes all the same, and in its own time', async (t) => {
	const {promise, resolve} = Promise.withResolvers<void>();
	const {count, open} = counted();
	const hanging: OpenDisk = async (...given) => {
		const disk = await open(...given);
		const close = disk.close.bind(disk);
		disk.close = () => promise.then(close);
		return disk;
	};
	const members: readonly SetMember[] = [0, 0x4000].map((at) => ({
		disk: {kind: 'memory', bytes: 512},
		readOnly: false,
		at,
	}));
	const reactor = new FakeReactor();
	const memory = new SharedArrayBuffer(0x1_0000);
	const host = {reactor, worker: {index: 0, count: 1}, memory, offset: 0, noticed() {}};
	const set = await DiskSet.open(members, host, hanging);
	const going = set.reconfigure(members.slice(1));
	while (reactor.timers.size === 0) await new Promise(setImmediate);
	reactor.turn(5e9);
	await going;
	t.is(count.open, 2);
	resolve();
	while (count.open === 2) await new Promise(setImmediate);
	await set.close();
	t.is(count.open, 0);
});
