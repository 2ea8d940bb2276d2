import {gzipSync} from 'node:zlib';
import test from 'ava';
import {archives, fixture, pattern} from '#main/compression/testing';
import {decompressKernel} from './decompress-kernel.ts';

const memoryBytes = 64 * 2 ** 20;

test('a kernel in any format is decompressed in a thread, from shared memory', async (t) => {
	for (const name of archives) {
		const file = fixture(name);
		const shared = new Uint8Array(new SharedArrayBuffer(file.length));
		shared.set(file);
		const bytes = await decompressKernel(shared, memoryBytes);
		t.true(Buffer.from(bytes).equals(pattern()), name);
	}
});

test('what is wrong with an archive is an error of ours, by code and remedy', async (t) => {
	const error = await t.throwsAsync(decompressKernel(gzipSync(pattern()).subarray(0, 1000), memoryBytes), {
		code: 'KERNEL_ARCHIVE_TRUNCATED',
		message: 'The kernel file is a gzip archive that is cut off after 1000 bytes',
	});
	t.like(error, {remedy: 'Copy or download the file again'});
});

test('the limit is the memory of the machine', async (t) => {
	await t.throwsAsync(decompressKernel(fixture('pattern.xz'), 2 ** 18), {
		code: 'MEMORY_BELOW_ARCHIVE',
		message: 'The kernel file is an xz archive that holds more than 256KB',
	});
});

test('the main thread does other things while a bomb is looked at', async (t) => {
	const bomb = gzipSync(new Uint8Array(512 * 2 ** 20), {level: 1});
	let turns = 0;
	const timer = setInterval(() => turns++, 1);
	await t.throwsAsync(decompressKernel(bomb, 256 * 2 ** 20), {code: 'MEMORY_BELOW_ARCHIVE'});
	clearInterval(timer);
	// Decompressing 256 MiB here would leave it one or two.
	t.true(turns > 10, `${turns} turns`);
});
