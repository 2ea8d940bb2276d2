import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {createHostFile} from './index.ts';

test('what is read from where no file can be is zeros', async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-file-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const file = await createHostFile(join(folder, 'file'));
	await file.write(0, new Uint8Array(512).fill(1));
	// The tables of an image may say any of these.
	for (const offset of [2 ** 53 - 512, 2 ** 53, 2 ** 54 - 512, 2 ** 62]) {
		const bytes = new Uint8Array(1024).fill(7);
		await file.read(offset, bytes);
		t.deepEqual(bytes, new Uint8Array(1024), `${offset}`);
	}
	await file.close();
});

test('a hole behind the end, or where no file can be, changes nothing', async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-file-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const file = await createHostFile(join(folder, 'file'));
	await file.write(0, new Uint8Array(8192).fill(1));
	for (const [offset, length] of [
		[4096, 2 ** 20],
		[2 ** 20, 4096],
		[2 ** 53 - 4096, 4096],
		[0, 0],
	] as const)
		await file.punch(offset, length);
	t.is(await file.size(), 8192);
	const bytes = new Uint8Array(8192);
	await file.read(0, bytes);
	t.deepEqual(bytes, new Uint8Array(8192).fill(1, 0, 4096));
	await file.close();
});
