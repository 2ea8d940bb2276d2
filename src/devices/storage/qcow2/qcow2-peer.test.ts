import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import type {DiskImage} from '#devices/storage/image';
import {hasQemuImg, MemoryFile, ModelDisk, qemuImgSays, SeededRandom} from '#devices/storage/image/testing';
import {openRaw} from '#devices/storage/raw';
import {openQcow2} from './index.ts';

/** qemu-img is not on every host: .ci/run installs it. */
const withQemu = hasQemuImg ? test : test.skip;
const sizeBytes = 2 ** 21;

/** A folder with a raw disk of data, zeros and repetition in it. */
function setUp(t: ExecutionContext): {at: (name: string) => string; bytes: Uint8Array} {
	const path = mkdtempSync(join(tmpdir(), 'openvmm-qcow2-'));
	t.teardown(() => rmSync(path, {recursive: true, force: true}));
	const at = (name: string) => join(path, name);
	const random = new SeededRandom(7);
	const bytes = new Uint8Array(sizeBytes);
	for (let block = 0; block < 40; block++) {
		const offset = random.below(sizeBytes / 4096 - 2) * 4096;
		bytes.set(random.below(2) ? random.bytes(8192) : new Uint8Array(8192).fill(block), offset);
	}
	writeFileSync(at('raw'), bytes);
	return {at, bytes};
}

/** Writes at random to an image that QEMU made, and has QEMU look at what came of it. */
async function changeAndCompare(
	t: ExecutionContext,
	at: (name: string) => string,
	bytes: Uint8Array,
	below?: DiskImage,
) {
	const file = MemoryFile.of(readFileSync(at('qcow2')));
	const image = await openQcow2(file, below);
	const model = new ModelDisk(image, new SeededRandom(3), bytes.slice());
	t.is(await model.difference(), -1, 'it reads as QEMU wrote it');
	for (let step = 0; step < 60; step++) await model.step();
	t.is(await model.difference(), -1, model.log.join(', '));
	await image.close();
	writeFileSync(at('qcow2'), file.bytes());
	writeFileSync(at('changed'), model.expected);
	qemuImgSays(t, 'check', '-f', 'qcow2', at('qcow2'));
	qemuImgSays(t, 'compare', '-f', 'qcow2', '-F', 'raw', at('qcow2'), at('changed'));
}

const conversions: readonly (readonly [string, readonly string[]])[] = [
	['as it makes them', []],
	['of version 2', ['-o', 'compat=0.10']],
	['with large clusters', ['-o', 'cluster_size=2M']],
	['with small clusters and counts', ['-o', 'cluster_size=512,refcount_bits=1']],
	['with all of its tables', ['-o', 'preallocation=metadata']],
	['compressed with zlib', ['-c']],
	['compressed with zlib in small clusters', ['-c', '-o', 'cluster_size=4k']],
	['compressed with zstd', ['-c', '-o', 'compression_type=zstd']],
];
for (const [name, options] of conversions) {
	withQemu(`QEMU's images are read and written: ${name}`, async (t) => {
		const {at, bytes} = setUp(t);
		qemuImgSays(t, 'convert', '-f', 'raw', '-O', 'qcow2', ...options, at('raw'), at('qcow2'));
		await changeAndCompare(t, at, bytes);
	});
}

withQemu('an image over another one keeps that as it is', async (t) => {
	const {at, bytes} = setUp(t);
	qemuImgSays(t, 'create', '-f', 'qcow2', '-b', 'raw', '-F', 'raw', at('qcow2'), `${sizeBytes}`);
	const below = await openRaw(MemoryFile.of(bytes, {writable: false}));
	await changeAndCompare(t, at, bytes, below);
});

withQemu('what a snapshot has too is not written over', async (t) => {
	const {at, bytes} = setUp(t);
	qemuImgSays(t, 'convert', '-f', 'raw', '-O', 'qcow2', '-o', 'cluster_size=4k', at('raw'), at('qcow2'));
	qemuImgSays(t, 'snapshot', '-c', 'before', at('qcow2'));
	await changeAndCompare(t, at, bytes);
	qemuImgSays(t, 'snapshot', '-c', 'between', at('qcow2'));
	await changeAndCompare(t, at, new Uint8Array(readFileSync(at('changed'))));
	qemuImgSays(t, 'snapshot', '-a', 'before', at('qcow2'));
	qemuImgSays(t, 'compare', '-f', 'qcow2', '-F', 'raw', at('qcow2'), at('raw'));
	qemuImgSays(t, 'check', '-f', 'qcow2', at('qcow2'));
});

withQemu('counts that a crash of QEMU left behind are counted anew', async (t) => {
	const {at, bytes} = setUp(t);
	qemuImgSays(t, 'convert', '-f', 'raw', '-O', 'qcow2', '-o', 'lazy_refcounts=on', at('raw'), at('qcow2'));
	// Lazy counts are off until the image is closed; qemu-io gives up before that.
	const killed = ['-f', 'qcow2', '-c', 'write -P 7 0 1M', '-c', 'flush', '-c', 'abort', at('qcow2')];
	try {
		execFileSync('qemu-io', killed, {stdio: 'ignore'});
	} catch {}
	const dirty = readFileSync(at('qcow2'));
	t.is((dirty[79] ?? 0) & 1, 1, 'QEMU left its mark');
	await changeAndCompare(t, at, Buffer.concat([Buffer.alloc(2 ** 20, 7), bytes.subarray(2 ** 20)]));
});

const refused: readonly (readonly [string, readonly string[], RegExp])[] = [
	['with data in another file', ['-o', 'data_file=DATA'], /another file/],
	['with divided clusters', ['-o', 'extended_l2=on'], /extended L2/],
];
for (const [name, options, message] of refused) {
	withQemu(`an image ${name} is refused`, async (t) => {
		const {at} = setUp(t);
		const given = options.map((option) => option.replace('DATA', at('data')));
		qemuImgSays(t, 'create', '-f', 'qcow2', ...given, at('qcow2'), '1M');
		const file = MemoryFile.of(readFileSync(at('qcow2')));
		await t.throwsAsync(openQcow2(file), {code: 'DISK_IMAGE_UNSUPPORTED', message});
	});
}

withQemu('persistent bitmaps count as uses until the disk is written, and are then forgotten', async (t) => {
	const {at, bytes} = setUp(t);
	qemuImgSays(t, 'convert', '-f', 'raw', '-O', 'qcow2', at('raw'), at('qcow2'));
	qemuImgSays(t, 'bitmap', '--add', at('qcow2'), 'changes');
	const file = MemoryFile.of(readFileSync(at('qcow2')));
	const image = await openQcow2(file);
	t.like(await image.check(), {leaks: 0, faultCount: 0});
	const model = new ModelDisk(image, new SeededRandom(1), bytes.slice());
	for (let step = 0; step < 10; step++) await model.step();
	const {leaks, faultCount} = await image.check();
	t.deepEqual([leaks > 0, faultCount], [true, 0]);
	t.like(await image.check('leaks'), {leaks: 0, faultCount: 0, repaired: leaks});
	await image.close();
	writeFileSync(at('qcow2'), file.bytes());
	qemuImgSays(t, 'check', '-f', 'qcow2', at('qcow2'));
});

withQemu('clusters that hardly get smaller have their uses, wherever they begin', async (t) => {
	const {at} = setUp(t);
	const random = new SeededRandom(4);
	const bytes = Buffer.alloc(sizeBytes);
	// QEMU counts what is compressed in whole sectors: with the last of them it may be longer than a cluster.
	for (let cluster = 0; cluster < 32; cluster++) bytes.set(random.bytes(65_536 - 170 - cluster * 9), cluster * 65_536);
	writeFileSync(at('raw'), bytes);
	qemuImgSays(t, 'convert', '-c', '-f', 'raw', '-O', 'qcow2', at('raw'), at('qcow2'));
	const file = MemoryFile.of(readFileSync(at('qcow2')));
	const image = await openQcow2(file);
	t.deepEqual(await image.check('leaks'), {leaks: 0, faultCount: 0, faults: [], repaired: 0});
	await image.close();
	writeFileSync(at('qcow2'), file.bytes());
	qemuImgSays(t, 'check', '-f', 'qcow2', at('qcow2'));
});
