import {mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {DiskError, DiskOperation} from '#devices/storage/disk';
import {SeededRandom} from '#devices/storage/image/testing';
import {diskStack, randomLoad} from '#devices/storage/source/testing';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-striped-'));
test.after.always(() => rmSync(folder, {recursive: true}));

let files = 0;
/** Paths of so many new files of so many bytes. */
const newFiles = (count: number, bytes: number) =>
	Array.from({length: count}, () => {
		const path = join(folder, `disk-${files++}`);
		writeFileSync(path, new Uint8Array(bytes));
		return path;
	});

/** What such files have, put together. */
function together(paths: readonly string[], chunk: number, bytes: number): Buffer {
	const contents = paths.map((path) => readFileSync(path));
	const chunks = Array.from({length: bytes / chunk}, (_, index) => {
		const at = Math.floor(index / paths.length) * chunk;
		return contents[index % paths.length]?.subarray(at, at + chunk) as Buffer;
	});
	return Buffer.concat(chunks);
}

for (const [count, words, chunk] of [
	[2, '', 2 ** 17],
	[3, ';chunk=4096', 4096],
	[5, ';chunk=64K', 2 ** 16],
] as const)
	test(`${count} disks in chunks of ${chunk} hold their chunks in turn`, async (t) => {
		const paths = newFiles(count, 3 * 2 ** 17 + 4096 + 512);
		const bytes = Math.floor((3 * 2 ** 17 + 4096 + 512) / chunk) * chunk * count;
		await diskStack(`striped${words}:${paths.map((path) => `[${path}]`).join('')}`, async (stack) => {
			t.is(stack.disk.bytes, bytes);
			const disks = [stack.disk, await stack.another()];
			const content = new Uint8Array(bytes);
			const expected = await randomLoad(t, stack, {seed: count, steps: 120, content, disks, most: 2 ** 19});
			t.true(together(paths, chunk, bytes).equals(expected));
		});
	});

test('over disks in RAM, and stripes of stripes and overlays', async (t) => {
	const source = 'striped;chunk=4K:[mem:1M][memdiff:striped;chunk=8K:[mem:512K][mem:512K]]';
	await diskStack(source, (stack) =>
		randomLoad(t, stack, {
			seed: 7,
			steps: 100,
			content: new Uint8Array(2 ** 21),
			discarded: new Uint8Array(2 ** 21),
			most: 2 ** 20,
		}),
	);
});

test('a flush is of all disks, and the error of one is the request`s', async (t) => {
	const paths = newFiles(3, 2 ** 18);
	await diskStack(`striped:${paths.map((path) => `[${path}]`).join('')}`, async ({run, read, write}) => {
		t.is(await run({operation: DiskOperation.FLUSH}), DiskError.NONE);
		truncateSync(paths[1] as string, 2 ** 17);
		t.is(await write(0, new SeededRandom(1).bytes(3 * 2 ** 17)), DiskError.NONE);
		t.is(await read(2 ** 19, 2 ** 16), DiskError.IO);
		t.true(Buffer.isBuffer(await read(2 ** 19 + 2 ** 17, 2 ** 17)));
	});
});

test('disks that are not alike, or too short for a chunk, are refused', async (t) => {
	const [first, second] = [...newFiles(1, 2 ** 18), ...newFiles(1, 2 ** 17)];
	const open = (source: string) => diskStack(source, async () => {});
	await t.throwsAsync(open(`striped:[${first}][${second}]`), {code: 'DISK_STRIPES_DIFFER', message: /262144.*131072/});
	await t.throwsAsync(open('striped;chunk=64M:[mem:1M][mem:1M]'), {code: 'DISK_STRIPES_SHORT'});
	await t.throwsAsync(open('striped:[mem:1M][/nonexistent]'), {code: 'DISK_FILE_UNUSABLE'});
	await diskStack(first as string, async () => t.pass('it is not locked any more'));
});
