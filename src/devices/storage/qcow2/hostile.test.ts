import {deflateRawSync, zstdCompressSync} from 'node:zlib';
import test from 'ava';
import {readImage, writeImage} from '#devices/storage/image';
import {MemoryFile} from '#devices/storage/image/testing';
import {isVmmError} from '#support/errors';
import {createQcow2, openQcow2} from './index.ts';

const clusterBytes = 65_536;

/** An image with two clusters of data, and where its parts are. */
async function make() {
	const file = new MemoryFile();
	await createQcow2(file, {sizeBytes: 2 ** 24});
	const image = await openQcow2(file);
	await writeImage(image, 0, new Uint8Array(2 * clusterBytes).fill(1));
	await image.close();
	const bytes = Buffer.from(file.bytes());
	const l1 = Number(bytes.readBigUInt64BE(40));
	const l2 = Number(bytes.readBigUInt64BE(l1) & 0x00ff_ffff_ffff_fe00n);
	return {bytes, l1, l2};
}

const copied = 1n << 63n;

const hostile: readonly (readonly [string, RegExp, (bytes: Buffer) => void])[] = [
	['an L1 table of 4 GiB', /L1 table/, (bytes) => bytes.writeUInt32BE(0x2000_0000, 36)],
	['an L1 table that is too short', /too few/, (bytes) => bytes.writeBigUInt64BE(2n ** 50n, 24)],
	['a refcount table of a terabyte', /refcount table/, (bytes) => bytes.writeUInt32BE(2 ** 24, 56)],
	['four billion snapshots', /snapshots/, (bytes) => bytes.writeUInt32BE(0xffff_ffff, 60)],
	['clusters of 2^63 bytes', /clusters/, (bytes) => bytes.writeUInt32BE(63, 20)],
	['a table where the header is', /header/, (bytes) => bytes.writeBigUInt64BE(0n, 40)],
	['a table behind the end', /behind its end/, (bytes) => bytes.writeBigUInt64BE(2n ** 40n, 40)],
	['a name of the image below behind the header', /name/, (bytes) => bytes.writeBigUInt64BE(2n ** 33n, 8)],
	['extensions without end', /extension/, (bytes) => bytes.writeUInt32BE(0xffff_fff0, 116)],
	['data in another file', /another file/, (bytes) => bytes.writeUInt32BE(4, 76)],
	['features that nobody knows', /not known/, (bytes) => bytes.writeUInt32BE(1, 72)],
	['encryption', /encrypted/, (bytes) => bytes.writeUInt32BE(2, 32)],
];
for (const [name, message, change] of hostile) {
	test(`a header is refused: ${name}`, async (t) => {
		const {bytes} = await make();
		change(bytes);
		const error = await t.throwsAsync(openQcow2(MemoryFile.of(bytes)), {message});
		t.true(isVmmError(error) && /^DISK_IMAGE_(DAMAGED|UNSUPPORTED)$/.test(error.code));
	});
}

test('a guest cannot write what its image is made of', async (t) => {
	const {bytes, l1, l2} = await make();
	const places = {
		'refcount table': clusterBytes,
		'refcount block': 2 * clusterBytes,
		'L1 table': l1,
		'L2 table': l2,
	};
	for (const [name, place] of Object.entries(places)) {
		const changed = Buffer.from(bytes);
		changed.writeBigUInt64BE(copied | BigInt(place), l2);
		const file = MemoryFile.of(changed);
		const image = await openQcow2(file);
		await t.throwsAsync(writeImage(image, 0, new Uint8Array(512)), {code: 'DISK_IMAGE_DAMAGED'}, name);
		t.true((await image.check()).faultCount > 0, name);
	}
	// A table that counts as free is no room for data.
	const changed = Buffer.from(bytes);
	for (let cluster = 0; cluster < 32; cluster++) changed.writeUInt16BE(0, 2 * clusterBytes + cluster * 2);
	const image = await openQcow2(MemoryFile.of(changed));
	await t.throwsAsync(writeImage(image, 2 ** 20, new Uint8Array(512)), {code: 'DISK_IMAGE_DAMAGED'});
	// Two tables in one place.
	const twice = Buffer.from(bytes);
	twice.writeBigUInt64BE(copied | BigInt(l1), l1);
	await t.throwsAsync(openQcow2(MemoryFile.of(twice)), {code: 'DISK_IMAGE_DAMAGED', message: /another table/});
});

/** Reads the first cluster of an image in which that is compressed. */
async function readCompressed(packed: Buffer, compression: 'zlib' | 'zstd'): Promise<Uint8Array> {
	const {bytes, l2} = await make();
	const changed = Buffer.concat([bytes, packed, Buffer.alloc(clusterBytes)]);
	const sectors = BigInt(Math.min(255, Math.ceil(packed.length / 512)));
	changed.writeBigUInt64BE((1n << 62n) | (sectors << 54n) | BigInt(bytes.length), l2);
	if (compression === 'zstd') {
		// A kind of compression is a feature that has to be known (qcow2.txt, "incompatible_features").
		changed[79] = (changed[79] as number) | 8;
		changed[104] = 1;
	}
	const read = new Uint8Array(clusterBytes);
	await readImage(await openQcow2(MemoryFile.of(changed, {writable: false})), 0, read);
	return read;
}

for (const [compression, compress] of [
	['zlib', deflateRawSync],
	['zstd', zstdCompressSync],
] as const)
	test(`a cluster that is compressed by ${compression} gives a cluster of bytes, or an error`, async (t) => {
		const whole = new Uint8Array(clusterBytes).fill(5);
		t.deepEqual(await readCompressed(compress(whole), compression), whole);
		const wrong = {'too little': compress(Buffer.alloc(100)), noise: Buffer.alloc(4096, 0xee)};
		for (const [name, packed] of Object.entries(wrong)) {
			const expected = {code: 'DISK_IMAGE_DAMAGED', message: /compressed/};
			await t.throwsAsync(readCompressed(packed, compression), expected, name);
		}
	});

test('of a compressed bomb no more than a cluster is decompressed', async (t) => {
	const zeros = Buffer.alloc(2 ** 26);
	const expected = {code: 'DISK_IMAGE_DAMAGED', message: /compressed/};
	await t.throwsAsync(readCompressed(deflateRawSync(zeros), 'zlib'), expected);
	// Whose second half is noise, at which a reader of all of it would end with an error. QEMU takes the first cluster, too.
	const packed = zstdCompressSync(zeros);
	t.true(packed.length > 1024, 'there is a second half');
	packed.fill(0xff, Math.floor(packed.length / 2));
	t.deepEqual(await readCompressed(packed, 'zstd'), new Uint8Array(clusterBytes));
});

test('a check gives nothing away while it could not count all uses', async (t) => {
	const {bytes, l1} = await make();
	// The table of both clusters cannot be read.
	bytes.writeBigUInt64BE(copied | (2n ** 40n), l1);
	const file = MemoryFile.of(bytes);
	const image = await openQcow2(file);
	for (const repair of ['leaks', 'all'] as const) {
		const {leaks, faultCount} = await image.check(repair);
		t.deepEqual([leaks, faultCount > 0], [3, true], repair);
	}
});

/** The image with a snapshot table of these L1 tables behind it. */
function withSnapshots(bytes: Buffer, tables: readonly {offset: bigint; size: number}[], behind = 0): Buffer {
	const table = Buffer.alloc(Math.ceil((tables.length * 40) / clusterBytes) * clusterBytes + behind);
	for (const [index, {offset, size}] of tables.entries()) {
		table.writeBigUInt64BE(offset, index * 40);
		table.writeUInt32BE(size, index * 40 + 8);
	}
	const changed = Buffer.concat([bytes, table]);
	changed.writeUInt32BE(tables.length, 60);
	changed.writeBigUInt64BE(BigInt(bytes.length), 64);
	return changed;
}

test('tables of snapshots that cannot be are not read', async (t) => {
	const {bytes} = await make();
	const tables = Array.from({length: 2000}, (_, index) => ({
		offset: 2n ** 40n + BigInt(index * clusterBytes),
		size: 2 ** 22,
	}));
	const image = await openQcow2(MemoryFile.of(withSnapshots(bytes, tables), {writable: false}));
	let most = 0;
	const {faultCount} = await image.check(undefined, (done) => {
		most = Math.max(most, done);
	});
	t.true(faultCount >= tables.length);
	t.true(most < 2 ** 22, 'tables that are not there have no entries');
});

test('snapshots with entries without end are refused', async (t) => {
	const {bytes} = await make();
	// Tables in each other, all within the file.
	const tables = Array.from({length: 200}, (_, index) => ({
		offset: BigInt(bytes.length + index * clusterBytes),
		size: 2 ** 20,
	}));
	const image = await openQcow2(MemoryFile.of(withSnapshots(bytes, tables, 2 ** 25), {writable: false}));
	await t.throwsAsync(image.check(), {code: 'DISK_IMAGE_UNSUPPORTED', message: /entries/});
});

test('an L1 table of several clusters lies over no other table with any of them', async (t) => {
	const file = new MemoryFile();
	await createQcow2(file, {sizeBytes: 2 ** 22, clusterBytes: 512});
	const bytes = Buffer.concat([file.bytes(), Buffer.alloc(1024)]);
	// The second cluster of two is the block of counts, which has moved.
	const l1 = bytes.length - 1024;
	bytes.copy(bytes, l1 + 512, 1024, 1536);
	bytes.writeBigUInt64BE(BigInt(l1 + 512), 512);
	bytes.writeBigUInt64BE(BigInt(l1), 40);
	await t.throwsAsync(openQcow2(MemoryFile.of(bytes)), {code: 'DISK_IMAGE_DAMAGED', message: /its L1 table/});
});
