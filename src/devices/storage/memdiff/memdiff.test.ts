import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {DiskError, DiskOperation} from '#devices/storage/disk';
import {SeededRandom} from '#devices/storage/image/testing';
import {diskStack, randomLoad, type Stack} from '#devices/storage/source/testing';
import {allocateSharedPages} from '#support/shared-memory';
import {Overlay} from './index.ts';
import {Content} from './overlay.ts';

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

test('a page that was given back is taken again, for a part of what is zeros too, and long zeros take next to nothing', async (t) => {
	await diskStack(`memdiff;limit=1M:file:${path}`, async ({write, read, run, memory}) => {
		const overlay = new Overlay(memory, 0, 2 ** 20);
		t.is(await write(0, new Uint8Array(2 ** 19).fill(9)), DiskError.NONE);
		t.is(await run({operation: DiskOperation.DISCARD, offset: 0, length: 2 ** 19}), DiskError.NONE);
		t.is(overlay.bytes, 0);
		t.is(await run({operation: DiskOperation.WRITE_ZEROES, offset: 0, length: 2 ** 23}), DiskError.NONE);
		t.is(overlay.bytes, 0);
		t.true(Buffer.alloc(2 ** 22).equals((await read(2 ** 22, 2 ** 22)) as Buffer));
		for (let at = 0; at < 2 ** 19; at += 4096)
			t.is(await write(at + 1024, new Uint8Array(512).fill(1)), DiskError.NONE);
		const expected = Buffer.alloc(2 ** 19);
		for (let at = 0; at < 2 ** 19; at += 4096) expected.fill(1, at + 1024, at + 1536);
		t.true(expected.equals((await read(0, 2 ** 19)) as Buffer));
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

/** What a snapshot has of an overlay, as 32-bit words: its header, from a page on spans, and behind 16 MiB of them pages. */
const savedWords = ({memory, saved}: Pick<Stack, 'memory' | 'saved'>): Int32Array => {
	const {offset, length} = saved[0] ?? {offset: 0, length: 0};
	return new Int32Array(memory, offset, length / 4);
};
const [spansAt, pagesAt] = [1024, 1024 + 2 ** 22];
const limited = (limit: string) => `memdiff;limit=${limit}:file:${path}`;

/** Opens an overlay whose saved part is a copy of another one's, with pages of garbage where nothing is. */
const copied = <T>(content: Int32Array, limit: string, body: (stack: Stack) => Promise<T>): Promise<T> =>
	diskStack(limited(limit), body, false, (memory, saved) => {
		const own = savedWords({memory, saved});
		own.set(content);
		const touched = own[0] as number;
		const tables = [...own.subarray(spansAt, spansAt + 1024)].filter((span) => span > 0);
		const words = tables.flatMap((table) => [...own.subarray(pagesAt + table * 1024, pagesAt + (table + 1) * 1024)]);
		const used = new Set([...tables, ...words.map((word) => word >>> 8)]);
		for (let page = 1; page < touched; page++)
			if (!used.has(page)) own.fill(0x5a5a_5a5a, pagesAt + page * 1024, pagesAt + (page + 1) * 1024);
		own.fill(0x5a5a_5a5a, pagesAt + touched * 1024);
		own.fill(0x5a5a_5a5a, spansAt + 1024, pagesAt);
	});

for (const limit of ['64M', '80M'])
	test(`what snapshots have of it is all that was written, and it goes on from there, with a limit of ${limit}`, async (t) => {
		const load = {steps: 60, discarded: base, most: 2 ** 18};
		await diskStack(limited('64M'), async (stack) => {
			await randomLoad(t, stack, {...load, content: base, seed: 1});
			const now = new Uint8Array((await stack.read(0, bytes)) as Buffer);
			const taken = new Overlay(stack.memory, 0, 2 ** 26).bytes;
			await copied(savedWords(stack), limit, async (other) => {
				t.is(Buffer.compare((await other.read(0, bytes)) as Buffer, now), 0);
				t.is(new Overlay(other.memory, 0, limit === '64M' ? 2 ** 26 : 80 * 2 ** 20).bytes, taken);
				const disks = [other.disk, await other.another()];
				await randomLoad(t, other, {...load, content: now, seed: 2, disks});
			});
			t.is(Buffer.compare((await stack.read(0, bytes)) as Buffer, now), 0);
		});
	});

test('what a snapshot has of it may be anybody’s: what makes no sense is refused, and leads nowhere', async (t) => {
	await diskStack(limited('1M'), async (stack) => {
		for (const offset of [0, 4096, 2 ** 22])
			t.is(await stack.write(offset, new Uint8Array(4096).fill(1)), DiskError.NONE);
		const words = savedWords(stack);
		const [table = 0, second = 0] = words.subarray(spansAt);
		t.true(table > 0 && second > 0);
		const first = pagesAt + table * 1024;
		const touched = words[0] as number;
		const opened = (at: number, value: number) =>
			diskStack(
				limited('1M'),
				async ({read}) => void (await read(0, 512)),
				false,
				(memory, saved) => {
					const own = savedWords({memory, saved});
					own.set(words);
					own[at] = value;
				},
			);
		await t.notThrowsAsync(opened(0, touched));
		for (const [at, value] of [
			[0, -1],
			[0, 2 ** 20 / 4096 + 2],
			[0, 1],
			[1, -1024],
			[1, 5],
			[1, 2 ** 22 + 1024],
			[spansAt, touched],
			[spansAt, -2],
			[spansAt, second],
			[spansAt, 2 ** 31 - 1],
			[spansAt + 1023, table],
			[first, (touched << 8) | 0xff],
			[first, (table << 8) | 0xff],
			[first, 0xffff_ffff],
			[first + 1, words[first] as number],
			[first + 1023, (second << 8) | 0xff],
		] as const)
			await t.throwsAsync(opened(at, value), {code: 'DISK_OVERLAY_DAMAGED'}, `${at}: ${value}`);
	});
});

test('what lies behind the spans that a snapshot had is not looked at, and nothing', (t) => {
	const memory = allocateSharedPages(Overlay.sharedBytes(2 ** 20));
	const {offset} = Overlay.savedPart(0, 2 ** 20);
	new Int32Array(memory, offset)[spansAt + 5000] = -1;
	const overlay = new Overlay(memory, 0, 2 ** 20);
	t.is(overlay.look(5000 * 2 ** 22, 512), 512);
	t.is(overlay.content, Content.ABSENT);
});

test('each worker of a disk that is damaged finds it so', async (t) => {
	const memory = new SharedArrayBuffer(Overlay.sharedBytes(2 ** 20));
	new Int32Array(memory, Overlay.savedPart(0, 2 ** 20).offset)[0] = -1;
	for (let worker = 0; worker < 2; worker++)
		t.throws(() => new Overlay(memory, 0, 2 ** 20), {code: 'DISK_OVERLAY_DAMAGED'});
});
