import {deflateRawSync, gzipSync, zstdCompressSync} from 'node:zlib';
import test from 'ava';
import {VmmError} from '#support/errors';
import {decompress} from './decompress.ts';
import {findCompression} from './formats.ts';
import {archives, fixture, legacyFrame, lz4Run, pattern} from './testing/index.ts';

const mebibyte = 2 ** 20;
const expected = pattern();

async function unpack(bytes: Uint8Array, limit = 64 * mebibyte): Promise<Uint8Array> {
	const archive = findCompression(bytes);
	if (archive === undefined) throw new Error('no archive');
	return decompress({bytes, limit}, archive);
}

const outcome = (bytes: Uint8Array, limit?: number): Promise<Uint8Array | VmmError> =>
	unpack(bytes, limit).catch((error) => {
		if (error instanceof VmmError) return error;
		throw error;
	});
const codeOf = async (bytes: Uint8Array, limit?: number) => {
	const result = await outcome(bytes, limit);
	return result instanceof VmmError ? result.code : 'no error';
};
const messageOf = async (bytes: Uint8Array, limit?: number) => ((await outcome(bytes, limit)) as VmmError).message;
const join = (...parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts);

for (const name of archives) {
	test(`${name} is decompressed`, async (t) => {
		t.true(Buffer.from(await unpack(fixture(name))).equals(expected));
		t.is((await unpack(fixture(name), expected.length)).length, expected.length, 'the limit itself is allowed');
	});

	test(`${name} that is cut off anywhere, damaged anywhere, or followed by something is refused`, async (t) => {
		const whole = fixture(name);
		const step = Math.ceil(whole.length / 60);
		for (let length = 6; length < whole.length; length += step) {
			t.regex(await codeOf(whole.subarray(0, length)), /TRUNCATED|DAMAGED/, `${length} bytes`);
		}
		t.regex(await codeOf(whole.subarray(0, -1)), /TRUNCATED|DAMAGED/);
		// A legacy archive has no checksum: what is damaged may be something else afterwards, but never more.
		for (let at = 6; at < whole.length && name !== 'pattern-legacy.lz4'; at += step) {
			const bytes = whole.slice();
			bytes[at] = (bytes[at] as number) ^ 0x10;
			const result = await outcome(bytes);
			if (result instanceof VmmError)
				t.regex(result.code, /TRUNCATED|DAMAGED|UNSUPPORTED|MEMORY_BELOW_ARCHIVE/, `byte ${at}`);
			else t.true(Buffer.from(result).equals(expected), `byte ${at}`);
		}
		for (const tail of [whole, Uint8Array.of(1), new Uint8Array(1000), Buffer.from('signature')]) {
			const error = (await outcome(join(whole, tail))) as VmmError;
			t.regex(error.code ?? 'no error', /UNSUPPORTED|DAMAGED/, `${tail.length} bytes behind`);
			t.regex(error.message, /follow|in a row/);
		}
	});

	test(`${name} may not become more than the limit`, async (t) => {
		const error = (await outcome(fixture(name), expected.length - 1)) as VmmError;
		t.is(error.code, 'MEMORY_BELOW_ARCHIVE');
		t.regex(error.message, /holds more than 299999B?/);
		t.regex(error.remedy ?? '', /--memory/);
		t.is(await codeOf(fixture(name), 1000), 'MEMORY_BELOW_ARCHIVE');
	});
}

test('an archive that is a bomb ends at the limit', async (t) => {
	const zeros = new Uint8Array(256 * mebibyte);
	for (const bomb of [gzipSync(zeros), zstdCompressSync(zeros)]) {
		t.true(bomb.length < mebibyte);
		t.is(await codeOf(bomb, 8 * mebibyte), 'MEMORY_BELOW_ARCHIVE');
	}
	const blocks = Array.from({length: 32}, () => lz4Run(8 * mebibyte));
	t.is(await codeOf(legacyFrame(...blocks), 20 * mebibyte), 'MEMORY_BELOW_ARCHIVE');
});

test('an archive inside an archive is refused by both names', async (t) => {
	for (const name of archives) {
		t.is(
			await messageOf(gzipSync(fixture(name))),
			`The kernel file is a gzip archive that cannot be decompressed here: ${
				findCompression(fixture(name))?.found
			} is inside, and only one layer is taken off`,
		);
	}
});

test('what a decoder does not have is named, with the tool that has', async (t) => {
	for (const name of ['pattern-sha256.xz', 'pattern-x86.xz']) {
		const error = (await outcome(fixture(name))) as VmmError;
		t.is(error.code, 'KERNEL_ARCHIVE_UNSUPPORTED');
		t.regex(error.message, /a filter or a checksum/);
		t.is(error.remedy, 'Decompress it first (unxz)');
	}
});

test('legacy lz4 goes on over blocks of 8 MiB, and may end with the size that a kernel’s build appends', async (t) => {
	const archive = legacyFrame(lz4Run(8 * mebibyte), lz4Run(1000));
	const length = 8 * mebibyte + 1000;
	t.is((await unpack(archive)).length, length);
	t.is((await unpack(join(archive, new Uint8Array(Uint32Array.of(length).buffer)))).length, length);
	t.is(await codeOf(join(archive, Uint8Array.of(1, 2, 3, 4))), 'KERNEL_ARCHIVE_UNSUPPORTED');
	t.is(await codeOf(legacyFrame(lz4Run(1000), lz4Run(1000))), 'KERNEL_ARCHIVE_UNSUPPORTED');
	t.is(await codeOf(legacyFrame(lz4Run(8 * mebibyte + 1))), 'KERNEL_ARCHIVE_DAMAGED', 'a block has 8 MiB at most');
	t.is(await codeOf(legacyFrame()), 'KERNEL_ARCHIVE_TRUNCATED');
});

test('lz4 matches that reach before what they may are damage, not other memory', async (t) => {
	// A literal, then a match of 4 bytes at distance 2, then five literals.
	const block = Uint8Array.of(0x10, 65, 2, 0, 0x50, 1, 2, 3, 4, 5);
	t.is(await codeOf(legacyFrame(block)), 'KERNEL_ARCHIVE_DAMAGED');
	t.is(await codeOf(legacyFrame(lz4Run(8 * mebibyte), block)), 'KERNEL_ARCHIVE_DAMAGED', 'nor an earlier block');
	t.is(await codeOf(legacyFrame(Uint8Array.of(0x10, 65, 0, 0, 0x50, 1, 2, 3, 4, 5))), 'KERNEL_ARCHIVE_DAMAGED');
});

test('every field of a gzip header is read over', async (t) => {
	const [whole, raw] = [gzipSync(expected), deflateRawSync(expected)];
	const trailer = whole.subarray(-8);
	const header = (flag: number, ...rest: readonly number[]) =>
		Uint8Array.of(31, 139, 8, flag, 0, 0, 0, 0, 0, 3, ...rest);
	const all = header(0x1f, 3, 0, 9, 9, 9, 65, 66, 0, 67, 0, 1, 2);
	t.is((await unpack(join(all, raw, trailer))).length, expected.length);
	t.is(await codeOf(join(header(0x20), raw, trailer)), 'KERNEL_ARCHIVE_DAMAGED');
	t.is(await codeOf(header(8, 65, 66)), 'KERNEL_ARCHIVE_TRUNCATED');
	t.is(await codeOf(header(4, 255, 255)), 'KERNEL_ARCHIVE_TRUNCATED');
	t.is(await codeOf(whole.subarray(0, 5)), 'KERNEL_ARCHIVE_TRUNCATED');
});
