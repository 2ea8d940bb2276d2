import {existsSync, mkdirSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {DiskError} from '#devices/storage/disk';
import {createHostFile} from '#devices/storage/image';
import {createImage} from '#devices/storage/image-formats';
import {EpollReactor} from '#support/reactor';
import {diskOption, openDisk, sharedBytes} from './index.ts';
import {diskStack} from './testing/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'openvmm-open-image-'));
mkdirSync(join(directory, 'bases'));
test.after.always(() => rmSync(directory, {recursive: true}));
const place = (name: string) => join(directory, name);

/** Opens a disk as one of several workers. */
async function openAs(text: string, count: number, isReadOnly: boolean) {
	const source = diskOption.parse(text, '--disk');
	const memory = new SharedArrayBuffer(sharedBytes(source));
	const reactor = new EpollReactor();
	const running = reactor.run();
	const opening = [...Array(count).keys()].map(async (index) => {
		const disk = await openDisk(source, isReadOnly, {reactor, worker: {index, count}, memory, offset: 0});
		await disk.close();
		return disk.isReadOnly;
	});
	try {
		return await Promise.all(opening);
	} finally {
		reactor.close();
		await running;
	}
}

for (const format of ['qcow2', 'vhd', 'vmgs', 'vhdx'])
	test(`an image is made, written and found again: ${format}`, async (t) => {
		const path = place(`new.${format}`);
		const bytes = Buffer.alloc(8192, 'guest');
		await diskStack(`${path};create=8M`, async ({disk, write}) => {
			t.is(disk.bytes, 2 ** 23);
			t.is(await write(4096, bytes), DiskError.NONE);
		});
		await diskStack(path, async ({disk, read}) => {
			t.is(disk.bytes, 2 ** 23);
			t.deepEqual(await read(4096, 8192), bytes);
			await t.throwsAsync(openAs(path, 1, true), {code: 'DISK_IMAGE_IN_USE'});
		});
		await t.throwsAsync(openAs(`${path};create=8M`, 1, false), {code: 'DISK_IMAGE_EXISTS'});
		t.true(existsSync(path));
	});

test('what cannot be made leaves no file', async (t) => {
	const path = place('large.vhd');
	await t.throwsAsync(openAs(`${path};create=3T`, 1, false), {code: 'DISK_IMAGE_SIZE_INVALID'});
	t.false(existsSync(path));
});

test('one thread has the tables of an image that is written, and any number those of one that is read', async (t) => {
	const path = place('shared.qcow2');
	await diskStack(`${path};create=1M`, async () => {});
	await t.throwsAsync(openAs(path, 2, false), {code: 'DISK_FORMAT_WORKERS', message: /2 workers/});
	t.deepEqual(await openAs(path, 2, true), [true, true]);
});

test('what an image lies over is in its own folder, or where the user has said', async (t) => {
	const [path, base] = [place('over.qcow2'), place('bases/base.raw')];
	for (const [at, format, backing] of [
		[base, 'raw', undefined],
		[path, 'qcow2', {name: 'bases/../bases/base.raw', format: 'raw'}],
	] as const) {
		const file = await createHostFile(at);
		await createImage(format, file, {sizeBytes: 2 ** 20, backing});
		await file.close();
	}
	const outside = place('bases/outside.qcow2');
	const file = await createHostFile(outside);
	await createImage('qcow2', file, {sizeBytes: 2 ** 20, backing: {name: path, format: 'qcow2'}});
	await file.close();
	t.deepEqual(await openAs(path, 1, false), [false], 'a folder within its own');
	await t.throwsAsync(openAs(outside, 1, false), {code: 'DISK_LAYER_OUTSIDE'});
	t.deepEqual(await openAs(`${outside};backing-folder=${directory}`, 1, false), [false]);
});
