import {gzipSync, zstdCompressSync} from 'node:zlib';
import test from 'ava';
import {decompressStream} from './streams.ts';

async function* inPieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array, void> {
	for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

const fault = {
	truncated: () => new Error('cut off'),
	damaged: (what: string) => new Error(`damaged: ${what}`),
	unsupported: (what: string) => new Error(`unsupported: ${what}`),
};

async function whole(bytes: Uint8Array, format: 'gzip' | 'zstd', length: number): Promise<string> {
	const pieces: Uint8Array[] = [];
	for await (const piece of decompressStream(inPieces(bytes, length), format, fault)) pieces.push(piece);
	return Buffer.concat(pieces).toString();
}

/** A frame that decoders leave out (RFC 8878, 3.1.2). */
const skippable = Buffer.from('502a4d180400000061626364', 'hex');
const long = 'layer '.repeat(200_000);
const archives: Readonly<Record<'gzip' | 'zstd', readonly Uint8Array[]>> = {
	gzip: [gzipSync('first '), gzipSync(long), gzipSync(''), gzipSync('last')],
	zstd: [zstdCompressSync('first '), skippable, zstdCompressSync(long), zstdCompressSync('last'), skippable],
};

for (const [format, parts] of Object.entries(archives) as ['gzip' | 'zstd', readonly Buffer[]][]) {
	const bytes = Buffer.concat(parts);
	for (const length of [1, 7, 4096, bytes.length])
		test(`${format}: all parts of an archive come, in pieces of ${length}`, async (t) => {
			t.is(await whole(bytes, format, length), `first ${long}last`);
		});

	test(`${format}: an archive that is cut off or changed is refused`, async (t) => {
		const last = parts.findLast((part) => part !== skippable) as Buffer;
		await t.throwsAsync(whole(last.subarray(0, -3), format, 5), {message: 'cut off'});
		const changed = Buffer.from(bytes);
		changed.fill(0xff, 4, 12);
		await t.throwsAsync(whole(changed, format, 64), {message: /damaged|unsupported/});
	});

	test(`${format}: who stops taking stops who gives`, async (t) => {
		let ended = false;
		async function* endless() {
			try {
				for (;;) yield parts[format === 'gzip' ? 1 : 2] as Uint8Array;
			} finally {
				ended = true;
			}
		}
		for await (const piece of decompressStream(endless(), format, fault)) if (piece.length > 0) break;
		t.true(ended);
	});

	test(`${format}: an error of who gives is the error`, async (t) => {
		async function* failing() {
			yield (parts[0] as Buffer).subarray(0, 5);
			throw new Error('the line is dead');
		}
		await t.throwsAsync(
			async () => {
				for await (const _ of decompressStream(failing(), format, fault));
			},
			{message: 'the line is dead'},
		);
	});
}
