import test from 'ava';
import {MemoryFile} from '#devices/storage/image/testing';
import {TableCache} from './table.ts';

const bytes = 512;

test('a table that is changed when it has made room for others is the one that everybody finds', async (t) => {
	const cache = new TableCache(new MemoryFile(), bytes, 2 * bytes);
	const table = await cache.load(0, bytes);
	for (let other = 1; other < 5; other++) await cache.load(other, (other + 1) * bytes);
	t.is(cache.peek(0), undefined);
	table.setEntry(0, 0, 7);
	t.is(await cache.load(0, bytes), table);
	t.is(cache.dirtyCount, 1);
});

test('a table is in memory until the file has it, and no longer than there is room', async (t) => {
	let wrote = Promise.withResolvers<void>();
	class SlowFile extends MemoryFile {
		override async write(offset: number, written: Uint8Array): Promise<void> {
			await wrote.promise;
			await super.write(offset, written);
		}
	}
	const file = new SlowFile();
	const cache = new TableCache(file, bytes, 2 * bytes);
	const tables = [0, 1, 2, 3].map((index) => cache.create(index, (index + 1) * bytes));
	const crowd = async () => {
		for (let other = 4; other < 8; other++) await cache.load(other, (other + 1) * bytes);
	};
	const writing = Promise.all(tables.map((table) => table.write(file)));
	await crowd();
	for (const [index, table] of tables.entries()) t.is(await cache.load(index, (index + 1) * bytes), table);
	wrote.reject(new Error('full'));
	await t.throwsAsync(writing, {message: 'full'});
	await crowd();
	t.deepEqual(cache.dirty, tables);
	wrote = Promise.withResolvers();
	wrote.resolve();
	for (const table of tables) await table.write(file);
	t.is(cache.dirtyCount, 0);
	await crowd();
	t.is([0, 1, 2, 3, 4, 5, 6, 7].filter((index) => cache.peek(index) !== undefined).length, 2);
});
