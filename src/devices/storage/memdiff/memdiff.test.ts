import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {DiskError, DiskOperation} from '#devices/storage/disk';
import {SeededRandom} from '#devices/storage/image/testing';
import {diskStack, randomLoad} from '#devices/storage/source/testing';
import {Overlay} from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-memdiff-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const bytes = 10 * 2 ** 20 + 512;
const base = new SeededRandom(7).bytes(bytes);
const path = join(folder, 'base.img');
writeFileSync(path, base);

for (const [name, disk, content] of [
	['a file', `file:${path}`, base],
	['a file on threads', `file:${path};engine=threads`, base],
	['a disk in RAM', `mem:${bytes}`, new Uint8Array(bytes)],
	['another overlay', `memdiff:file:${path}`, base],
] as const)
	test(`over ${name} all is as on a disk of its own, and what is below stays as it is`, async (t) => {
		await diskStack(`memdiff:${disk}`, async (stack) => {
			const disks = [stack.disk, await stack.another()];
			for (const most of [2 ** 17, 6 * 2 ** 20])
				await randomLoad(t, stack, {
					seed: most,
					steps: most > 2 ** 20 ? 8 : 100,
					content: most > 2 ** 20 ? new Uint8Array((await stack.read(0, bytes)) as Buffer) : content,
					disks,
					discarded: content,
					most,
				});
		});
		t.is(Buffer.compare(readFileSync(path), base), 0);
	});

test('memory is taken as pages are written, given back where they are discarded, and no more of it than the limit', async (t) => {
	const limit = 2 ** 20;
	await diskStack(`memdiff;limit=1M:file:${path}`, async ({write, read, run, memory}) => {
		const overlay = new Overlay(memory, 0, limit);
		t.is(overlay.bytes, 0);
		t.is(await write(512, new Uint8Array(512).fill(1)), DiskError.NONE);
		t.is(overlay.bytes, 2 * 4096, 'a page and its table');
		t.is(await write(0, new Uint8Array(4096).fill(2)), DiskError.NONE);
		t.is(overlay.bytes, 2 * 4096);
		t.is(await write(5 * 2 ** 20, new Uint8Array(2 ** 20).fill(3)), DiskError.NO_SPACE);
		t.is(overlay.bytes, limit);
		t.is(await write(9 * 2 ** 20, new Uint8Array(512)), DiskError.NO_SPACE);
		t.is(await run({operation: DiskOperation.WRITE_ZEROES, offset: 9 * 2 ** 20, length: 512}), DiskError.NO_SPACE);
		t.is(await write(0, new Uint8Array(4096).fill(4)), DiskError.NONE, 'what is there can be written over');
		t.deepEqual(await read(5 * 2 ** 20 - 512, 512), Buffer.from(base.subarray(5 * 2 ** 20 - 512, 5 * 2 ** 20)));
		t.is(await run({operation: DiskOperation.DISCARD, offset: 4 * 2 ** 20, length: 4 * 2 ** 20}), DiskError.NONE);
		t.is(overlay.bytes, 2 * 4096);
		t.deepEqual(await read(5 * 2 ** 20, 4096), Buffer.from(base.subarray(5 * 2 ** 20, 5 * 2 ** 20 + 4096)));
		t.is(await write(9 * 2 ** 20, new Uint8Array(512).fill(5)), DiskError.NONE);
		t.deepEqual(await read(0, 4096), Buffer.alloc(4096, 4));
		t.is(await run({operation: DiskOperation.DISCARD, offset: 0, length: 4096}), DiskError.NONE);
		t.is(overlay.bytes, 2 * 4096, 'the table of pages that are all gone is too');
	});
});

test('a page that was given back holds zeros when it is taken again, and long zeros take next to nothing', async (t) => {
	await diskStack(`memdiff;limit=1M:file:${path}`, async ({write, read, run, memory}) => {
		const overlay = new Overlay(memory, 0, 2 ** 20);
		t.is(await write(0, new Uint8Array(2 ** 19).fill(9)), DiskError.NONE);
		t.is(await run({operation: DiskOperation.DISCARD, offset: 0, length: 2 ** 19}), DiskError.NONE);
		t.is(overlay.bytes, 0);
		t.is(await run({operation: DiskOperation.WRITE_ZEROES, offset: 0, length: 2 ** 23}), DiskError.NONE);
		t.is(overlay.bytes, 0);
		t.deepEqual(await read(2 ** 22, 2 ** 22), Buffer.alloc(2 ** 22));
		for (let at = 0; at < 2 ** 19; at += 4096)
			t.is(await write(at + 1024, new Uint8Array(512).fill(1)), DiskError.NONE);
		const expected = Buffer.alloc(2 ** 19);
		for (let at = 0; at < 2 ** 19; at += 4096) expected.fill(1, at + 1024, at + 1536);
		t.deepEqual(await read(0, 2 ** 19), expected);
	});
});

test('errors of the disk below pass up, and not where what is there is not wanted', async (t) => {
	const short = join(folder, 'short.img');
	writeFileSync(short, base.subarray(0, 2 ** 20));
	await diskStack(`memdiff:file:${short}`, async ({write, read, run}) => {
		writeFileSync(short, base.subarray(0, 2 ** 19));
		t.is(await write(2 ** 19 + 4096, new Uint8Array(4096).fill(8)), DiskError.NONE);
		t.is(await read(2 ** 19, 12288), DiskError.IO);
		t.deepEqual(await read(2 ** 19 + 4096, 4096), Buffer.alloc(4096, 8));
		t.is(await read(2 ** 20 - 512, 1024), DiskError.OUT_OF_RANGE);
		t.is(await write(2 ** 20, new Uint8Array(512)), DiskError.OUT_OF_RANGE);
		t.is(await run({operation: DiskOperation.DISCARD, offset: 0, length: 2 ** 24}), DiskError.OUT_OF_RANGE);
	});
	await diskStack(
		`memdiff:file:${short}`,
		async ({write, disk}) => {
			t.true(disk.isReadOnly);
			t.is(await write(0, new Uint8Array(512)), DiskError.PROTECTED);
		},
		true,
	);
});

test('several have one disk below, each with changes of its own', async (t) => {
	const source = `memdiff:file:${path}`;
	await diskStack(source, (one) =>
		diskStack(source, async (other) => {
			t.is(await one.write(4096, new Uint8Array(512).fill(1)), DiskError.NONE);
			t.is(await other.write(4096, new Uint8Array(512).fill(2)), DiskError.NONE);
			t.deepEqual(await one.read(4096, 512), Buffer.alloc(512, 1));
			t.deepEqual(await other.read(4096, 512), Buffer.alloc(512, 2));
		}),
	);
});
