import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {createHostFile, openHostFile, readImage, writeImage} from '#devices/storage/image';
import {MemoryFile} from '#devices/storage/image/testing';
import {createQcow2} from '#devices/storage/qcow2';
import {createVhdx} from '#devices/storage/vhdx';
import {isVmmError} from '#support/errors';
import {formatOf, openDisk} from './index.ts';

const sizeBytes = 2 ** 20;

/** A folder with images/ and outside/, and in each a base whose bytes say where it is. */
function folder(t: ExecutionContext): (...names: string[]) => string {
	const path = mkdtempSync(join(tmpdir(), 'openvmm-layers-'));
	t.teardown(() => rmSync(path, {recursive: true, force: true}));
	for (const [name, byte] of [
		['images', 1],
		['outside', 2],
	] as const) {
		mkdirSync(join(path, name, 'within'), {recursive: true});
		for (const base of ['base.raw', 'within/base.raw'])
			writeFileSync(join(path, name, base), Buffer.alloc(sizeBytes, byte));
	}
	return (...names) => join(path, ...names);
}

/** Makes an image of which only the header matters. */
async function makeOver(path: string, name: string, format?: string): Promise<void> {
	const file = new MemoryFile();
	await createQcow2(file, {sizeBytes, clusterBytes: 4096, backing: {name, format}});
	writeFileSync(path, file.bytes());
}

/** The first byte of the disk. */
async function firstByte(path: string, folders?: readonly string[]): Promise<number> {
	const disk = await openDisk(path, {writable: false, folders});
	const bytes = new Uint8Array(1);
	await readImage(disk.image, 0, bytes);
	await disk.close();
	return bytes[0] ?? 0;
}

/** What a VHDX is known by. */
async function identityOf(path: string): Promise<string> {
	const disk = await openDisk(path, {writable: false});
	await disk.close();
	return disk.image.identity ?? '';
}

for (const name of ['base.raw', './within/../base.raw', 'within/base.raw', 'ABSOLUTE']) {
	test(`an image may lie over one in its own folder: ${name}`, async (t) => {
		const at = folder(t);
		await makeOver(at('images', 'it.qcow2'), name.replace('ABSOLUTE', at('images', 'base.raw')));
		t.is(await firstByte(at('images', 'it.qcow2')), 1);
	});
}

for (const name of ['../outside/base.raw', 'ABSOLUTE', 'link.raw', 'linked/base.raw', '../images-too/base.raw']) {
	test(`an image may lie over one elsewhere where that is allowed only: ${name}`, async (t) => {
		const at = folder(t);
		mkdirSync(at('images-too'));
		writeFileSync(at('images-too', 'base.raw'), Buffer.alloc(sizeBytes, 2));
		symlinkSync(at('outside', 'base.raw'), at('images', 'link.raw'));
		symlinkSync(at('outside'), at('images', 'linked'));
		await makeOver(at('images', 'it.qcow2'), name.replace('ABSOLUTE', at('outside', 'base.raw')));
		await t.throwsAsync(firstByte(at('images', 'it.qcow2')), {code: 'DISK_LAYER_OUTSIDE', message: /base\.raw/});
		t.is(await firstByte(at('images', 'it.qcow2'), [at('outside'), at('images-too')]), 2);
	});
}

test('a layer that becomes a link out of the folder again and again is never what the link leads to', async (t) => {
	t.timeout(240_000);
	const at = folder(t);
	await makeOver(at('images', 'it.qcow2'), 'base.raw');
	symlinkSync(at('outside', 'base.raw'), at('images', 'link'));
	const swapper = fileURLToPath(new URL('../../folder/host/testing/swapper.mjs', import.meta.url));
	const child = spawn(process.execPath, [swapper, 'base.raw', 'parked', 'link'], {
		cwd: at('images'),
		stdio: ['pipe', 'pipe', 'inherit'],
	});
	const gone = once(child, 'exit');
	await once(child.stdout, 'data');
	const seen = new Map<number | string, number>();
	const see = (what: number | string) => seen.set(what, (seen.get(what) ?? 0) + 1);
	for (let round = 0; round < 1000 || !seen.has(1) || !seen.has('DISK_LAYER_OUTSIDE'); round++) {
		try {
			see(await firstByte(at('images', 'it.qcow2')));
		} catch (error) {
			if (!isVmmError(error)) throw error;
			see(error.code);
		}
	}
	child.stdin.end();
	await gone;
	t.log(seen);
	seen.delete('DISK_LAYER_MISSING');
	t.deepEqual([...seen.keys()].sort(), [1, 'DISK_LAYER_OUTSIDE']);
});

for (const name of ['nbd://127.0.0.1/x', 'json:{"driver":"file"}', 'file:/etc/passwd', 'fd:0']) {
	test(`what is no path is no layer: ${name}`, async (t) => {
		const at = folder(t);
		await makeOver(at('images', 'it.qcow2'), name);
		await t.throwsAsync(firstByte(at('images', 'it.qcow2')), {code: 'DISK_LAYER_REMOTE'});
	});
}

test('the format of a layer is stated or in its name, whatever its bytes say', async (t) => {
	const at = folder(t);
	await makeOver(at('images', 'one.qcow2'), 'base.raw');
	// As a guest might have written it.
	await makeOver(at('images', 'guest.raw'), '/etc/passwd');
	await makeOver(at('images', 'two.qcow2'), 'guest.raw');
	t.is(await firstByte(at('images', 'two.qcow2')), 'Q'.charCodeAt(0));
	await makeOver(at('images', 'base'), 'base.raw');
	await makeOver(at('images', 'three.qcow2'), 'base');
	await t.throwsAsync(firstByte(at('images', 'three.qcow2')), {code: 'DISK_FORMAT_UNKNOWN'});
	await makeOver(at('images', 'four.qcow2'), 'base', 'vmdk');
	await t.throwsAsync(firstByte(at('images', 'four.qcow2')), {code: 'DISK_FORMAT_INVALID', message: /"vmdk"/});
	t.is(formatOf('a.QCOW2', undefined), 'qcow2');
	t.is(formatOf('a.qcow2', 'raw'), 'raw');
});

test('layers that are missing, no files, or in a loop are refused', async (t) => {
	const at = folder(t);
	await makeOver(at('images', 'missing.qcow2'), 'nothing.raw');
	await t.throwsAsync(firstByte(at('images', 'missing.qcow2')), {code: 'DISK_LAYER_MISSING', message: /ENOENT/});
	await makeOver(at('images', 'folder.qcow2'), 'within', 'raw');
	await t.throwsAsync(firstByte(at('images', 'folder.qcow2')), {code: 'DISK_IMAGE_NOT_FILE'});
	await makeOver(at('images', 'a.qcow2'), 'b.qcow2', 'qcow2');
	await makeOver(at('images', 'b.qcow2'), 'a.qcow2', 'qcow2');
	await t.throwsAsync(firstByte(at('images', 'a.qcow2')), {code: 'DISK_LAYERS_LOOP'});
});

test('a chain of 256 is read, a longer one is refused, however it goes on', async (t) => {
	t.timeout(900_000);
	const at = folder(t);
	await makeOver(at('images', '1.qcow2'), 'base.raw');
	for (let i = 2; i <= 257; i++) await makeOver(at('images', `${i}.qcow2`), `${i - 1}.qcow2`);
	t.is(await firstByte(at('images', '256.qcow2')), 1);
	await t.throwsAsync(firstByte(at('images', '257.qcow2')), {code: 'DISK_LAYERS_TOO_MANY'});
});

test('an image that is written is nobody else’s, one that is read is read by all', async (t) => {
	const at = folder(t);
	const path = at('images', 'it.qcow2');
	await makeOver(path, 'base.raw');
	const reader = await openDisk(path, {writable: false});
	t.is(await firstByte(path), 1);
	await t.throwsAsync(openDisk(path, {writable: true}), {code: 'DISK_IMAGE_IN_USE'});
	await t.throwsAsync(openHostFile(at('images', 'base.raw'), {writable: true}), {code: 'DISK_IMAGE_IN_USE'});
	await reader.close();
	const writer = await openDisk(path, {writable: true});
	await t.throwsAsync(firstByte(path), {code: 'DISK_IMAGE_IN_USE'});
	await writer.close();
	t.is(await firstByte(path), 1);
});

/** Makes a VHDX, and another that says that it lies over it by a name. */
async function makeVhdxOver(base: string, over: string, name: string): Promise<void> {
	const file = await createHostFile(base);
	await createVhdx(file, {sizeBytes: 2 ** 21});
	await file.close();
	const identities = [await identityOf(base)];
	const layer = await createHostFile(over);
	await createVhdx(layer, {sizeBytes: 2 ** 21, backing: {name, format: 'vhdx', identities}});
	await layer.close();
}

test('a VHDX knows what it was made over, by a path of Windows too', async (t) => {
	const at = folder(t);
	const [base, over] = [at('images', 'within', 'base.vhdx'), at('images', 'over.vhdx')];
	await makeVhdxOver(base, over, '.\\within\\base.vhdx');
	t.is(await firstByte(over), 0);
	const written = await openDisk(base, {writable: true});
	await writeImage(written.image, 0, new Uint8Array(512).fill(7));
	await written.close();
	await t.throwsAsync(firstByte(over), {code: 'DISK_LAYER_CHANGED', message: /base\.vhdx/});
	// What merges them goes on all the same.
	const merging = await openDisk(over, {writable: true, belowWritable: true});
	await merging.close();
});

for (const name of ['..\\outside\\base.vhdx', '.\\within\\..\\..\\outside\\base.vhdx', 'ABSOLUTE', 'link.vhdx']) {
	test(`a VHDX may lie over one elsewhere where that is allowed only: ${name}`, async (t) => {
		const at = folder(t);
		const [base, over] = [at('outside', 'base.vhdx'), at('images', 'over.vhdx')];
		symlinkSync(base, at('images', 'link.vhdx'));
		await makeVhdxOver(base, over, name.replace('ABSOLUTE', base));
		await t.throwsAsync(firstByte(over), {code: 'DISK_LAYER_OUTSIDE', message: /base\.vhdx/});
		t.is(await firstByte(over, [at('outside')]), 0);
	});
}

for (const [name, code] of [
	['C:\\disks\\base.vhdx', 'DISK_LAYER_REMOTE'],
	['\\\\server\\share\\base.vhdx', 'DISK_LAYER_MISSING'],
	['\\\\?\\Volume{0}\\base.vhdx', 'DISK_LAYER_MISSING'],
] as const) {
	test(`what Windows alone can find is no layer of a VHDX: ${name}`, async (t) => {
		const at = folder(t);
		await makeVhdxOver(at('images', 'base.vhdx'), at('images', 'over.vhdx'), name);
		await t.throwsAsync(firstByte(at('images', 'over.vhdx')), {code});
	});
}
