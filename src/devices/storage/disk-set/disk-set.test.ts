import test from 'ava';
import type {OpenDisk} from '#devices/storage/backend';
import {openDisk, sharedBytes} from '#devices/storage/source';
import {FakeReactor} from '#devices/testing';
import {DiskSet, diskSetBytes, diskSetPlaces, type SetMember} from './index.ts';

const member: SetMember = {disk: {kind: 'memory', bytes: 512}, readOnly: true, isPrivate: true};

async function make(open: OpenDisk, members: readonly SetMember[] = [member]) {
	const memory = new SharedArrayBuffer(diskSetBytes(members, 1));
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
	const memory = new SharedArrayBuffer(diskSetBytes(members, workers));
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
