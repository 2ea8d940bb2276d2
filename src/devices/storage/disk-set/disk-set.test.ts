import test from 'ava';
import type {OpenDisk} from '#devices/storage/backend';
import {openDisk} from '#devices/storage/source';
import {FakeReactor} from '#devices/testing';
import {DiskSet, diskSetBytes, type SetMember} from './index.ts';

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
