import {spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {type DiskImage, type ImageFile, readImage, writeImage} from '#devices/storage/image';
import {
	crashDuring,
	crashEverywhere,
	crashWhileResizing,
	hasQemuImg,
	MemoryFile,
	ModelDisk,
	qemuImgSays,
	SeededRandom,
} from '#devices/storage/image/testing';
import {isVmmError} from '#support/errors';
import {crc32c} from './crc32c.ts';
import {beginVhdx, createVhdx, type VhdxOptions} from './index.ts';
import {
	checksumOf,
	encodeHeader,
	encodeRegions,
	guids,
	guidText,
	MiB,
	places,
	readHeader,
	readRegions,
	tableBytes,
} from './structures.ts';
import {type EntrySpec, logSectorBytes, putLog} from './testing/index.ts';

const withQemu = hasQemuImg ? test : test.skip;

function folder(t: ExecutionContext): (name: string) => string {
	const path = mkdtempSync(join(tmpdir(), 'openvmm-vhdx-'));
	t.teardown(() => rmSync(path, {recursive: true, force: true}));
	return (name) => join(path, name);
}

const open = async (file: ImageFile, below?: DiskImage) => (await beginVhdx(file)).open(below);

/** An image below others, with data in it. */
async function makeBelow(sizeBytes: number): Promise<{below: DiskImage; bytes: Uint8Array}> {
	const file = new MemoryFile();
	await createVhdx(file, {sizeBytes, blockBytes: MiB});
	const model = new ModelDisk(await open(file), new SeededRandom(8));
	for (let i = 0; i < 20; i++) await model.step();
	await model.image.close();
	return {below: await open(file.copy({writable: false})), bytes: model.expected};
}

const backingOf = (below: DiskImage) => ({name: 'below.vhdx', format: 'vhdx', identities: [below.identity ?? '']});
const sound = {leaks: 0, faultCount: 0, faults: [], repaired: 0};

const shapes: readonly (readonly [string, Omit<VhdxOptions, 'sizeBytes'>, number])[] = [
	['dynamic', {blockBytes: MiB}, 10 * MiB],
	['fixed', {blockBytes: MiB, fixed: true}, 4 * MiB],
];
for (const [name, options, sizeBytes] of shapes) {
	test(`a disk is as a buffer is: ${name}`, async (t) => {
		t.timeout(900_000);
		const at = folder(t);
		for (let seed = 1; seed <= 2; seed++) {
			const file = new MemoryFile();
			await createVhdx(file, {...options, sizeBytes});
			let model = new ModelDisk(await open(file), new SeededRandom(seed));
			for (let round = 0; round < 3; round++) {
				for (let step = 0; step < 20; step++) await model.step({resizes: !options.fixed});
				t.is(await model.difference(), -1, `seed ${seed}, round ${round}: ${model.log.join(', ')}`);
				await model.image.close();
				model = new ModelDisk(await open(file), model.random, model.expected);
				t.is(await model.difference(), -1, `seed ${seed}, round ${round}, opened again`);
				t.is((await model.image.check()).faultCount, 0);
				t.like(await model.image.check('leaks'), {leaks: 0});
			}
			if (!hasQemuImg) continue;
			writeFileSync(at('it.vhdx'), file.bytes());
			writeFileSync(at('it.raw'), model.expected);
			qemuImgSays(t, 'check', '-f', 'vhdx', at('it.vhdx'));
			qemuImgSays(t, 'compare', '-f', 'vhdx', '-F', 'raw', at('it.vhdx'), at('it.raw'));
		}
	});
}

test('a differencing disk is as a buffer is, over what it was made over', async (t) => {
	t.timeout(900_000);
	const sizeBytes = 4 * MiB;
	const {below, bytes} = await makeBelow(sizeBytes);
	for (let seed = 1; seed <= 3; seed++) {
		const file = new MemoryFile();
		await createVhdx(file, {sizeBytes, blockBytes: MiB, backing: backingOf(below)});
		t.deepEqual((await beginVhdx(file)).backing, backingOf(below));
		let model = new ModelDisk(await open(file, below), new SeededRandom(seed), bytes.slice());
		t.is(await model.difference(), -1);
		for (let round = 0; round < 3; round++) {
			for (let step = 0; step < 20; step++) await model.step({resizes: true});
			t.is(await model.difference(), -1, `seed ${seed}, round ${round}: ${model.log.join(', ')}`);
			await model.image.close();
			model = new ModelDisk(await open(file, below), model.random, model.expected);
			t.is(await model.difference(), -1, `seed ${seed}, round ${round}, opened again`);
			t.is((await model.image.check()).faultCount, 0);
		}
	}
});

for (const options of [
	'subformat=dynamic',
	'subformat=fixed',
	'subformat=dynamic,block_size=1M,block_state_zero=off',
]) {
	withQemu(`QEMU's images are read and written: ${options}`, async (t) => {
		t.timeout(900_000);
		const at = folder(t);
		const random = new SeededRandom(2);
		const bytes = Buffer.alloc(6 * MiB);
		for (let i = 0; i < 6; i++) bytes.set(random.bytes(60_000), random.below(bytes.length - 60_000));
		writeFileSync(at('raw'), bytes);
		qemuImgSays(t, 'convert', '-f', 'raw', '-O', 'vhdx', '-o', options, at('raw'), at('vhdx'));
		const file = MemoryFile.of(readFileSync(at('vhdx')));
		const image = await open(file);
		const model = new ModelDisk(image, random, new Uint8Array(bytes));
		t.is(await model.difference(), -1);
		for (let step = 0; step < 30; step++) await model.step();
		await image.close();
		writeFileSync(at('vhdx'), file.bytes());
		writeFileSync(at('changed'), model.expected);
		qemuImgSays(t, 'check', '-f', 'vhdx', at('vhdx'));
		qemuImgSays(t, 'compare', '-f', 'vhdx', '-F', 'raw', at('vhdx'), at('changed'));
	});
}

withQemu('a log that QEMU left behind is replayed, in the file or in memory', async (t) => {
	const at = folder(t);
	qemuImgSays(t, 'create', '-f', 'vhdx', '-o', 'block_size=1M', at('vhdx'), '8M');
	const commands = ['write -P 1 0 1M', 'write -P 2 3M 64k', 'write -P 3 5M 2M', 'abort'].flatMap((command) => [
		'-c',
		command,
	]);
	spawnSync('qemu-io', ['-f', 'vhdx', ...commands, at('vhdx')], {stdio: 'ignore'});
	const expected = new Uint8Array(8 * MiB);
	expected
		.fill(1, 0, MiB)
		.fill(2, 3 * MiB, 3 * MiB + 65_536)
		.fill(3, 5 * MiB, 7 * MiB);
	const bytes = readFileSync(at('vhdx'));
	// As if it had been cut off before the table got to its place, and with that the header that says so.
	const table = (await readRegions(MemoryFile.of(bytes))).find(({guid}) => guid === guids.bat)?.offset ?? 0;
	t.notDeepEqual(bytes.subarray(table, table + 4096), Buffer.alloc(4096));
	bytes.fill(0, table, table + 4096);
	const header = await readHeader(MemoryFile.of(bytes));
	// Each entry has a log of its own, as QEMU writes them: the last one was not applied yet.
	const last = bytes.lastIndexOf('loge', header.logOffset + header.logBytes, 'latin1');
	t.true(last > header.logOffset);
	const logGuid = guidText(bytes, last + 32);
	encodeHeader({...header, sequence: header.sequence + 1n, logGuid}).copy(
		bytes,
		places.headers[header.slot === 0 ? 1 : 0],
	);
	for (const writable of [false, true]) {
		const file = MemoryFile.of(bytes, {writable});
		const model = new ModelDisk(await open(file), new SeededRandom(1), expected.slice());
		t.is(await model.difference(), -1);
		t.deepEqual(await model.image.check(), sound);
		if (!writable) continue;
		for (let step = 0; step < 10; step++) await model.step();
		await model.image.close();
		writeFileSync(at('vhdx'), file.bytes());
		writeFileSync(at('changed'), model.expected);
		qemuImgSays(t, 'compare', '-f', 'vhdx', '-F', 'raw', at('vhdx'), at('changed'));
	}
	// A log in which nothing is whole is no reason to take the file as it is.
	bytes.fill(0xff, MiB, 2 * MiB);
	await t.throwsAsync(open(MemoryFile.of(bytes)), {code: 'DISK_IMAGE_DAMAGED', message: /log/});
});

/** What makes one file of another, which has the same headers and log: sectors in entries that are replayed. */
function entriesBetween(before: Buffer, after: Buffer): readonly Omit<EntrySpec, 'tail'>[] {
	const writes: EntrySpec['writes'][number][] = [];
	for (let offset = 2 * MiB; offset < after.length; offset += logSectorBytes) {
		const sector = after.subarray(offset, offset + logSectorBytes);
		if (
			sector.equals(
				Buffer.concat([before.subarray(offset, offset + logSectorBytes), Buffer.alloc(logSectorBytes)], logSectorBytes),
			)
		)
			continue;
		if (sector.some((byte) => byte !== 0)) writes.push({offset, sector});
		else writes.push({offset, length: logSectorBytes});
	}
	const third = Math.ceil(writes.length / 3);
	return [0, 1, 2].map((part) => ({
		sequence: part + 7,
		writes: writes.slice(part * third, (part + 1) * third),
		flushed: before.length,
		fileBytes: after.length,
	}));
}

test('a crash while a log is replayed leaves one that is, or an image without', async (t) => {
	t.timeout(900_000);
	const sizeBytes = 4 * MiB;
	const file = new MemoryFile();
	await createVhdx(file, {sizeBytes, blockBytes: MiB});
	const random = new SeededRandom(6);
	const first = await open(file);
	await writeImage(first, 0, random.bytes(2 ** 17));
	await first.close();
	const before = Buffer.from(file.bytes());
	const header = await readHeader(file);
	// A block that is there is written, another one comes, and of the first one something goes.
	const second = await open(file);
	await writeImage(second, 2 ** 16, random.bytes(2 ** 17));
	await writeImage(second, 2 * MiB, random.bytes(2 ** 16));
	await second.zero(0, 2 ** 15);
	await second.flush();
	const expected = new Uint8Array(sizeBytes);
	await readImage(second, 0, expected);
	const entries = entriesBetween(before, Buffer.from(file.bytes()));
	t.true(entries.every(({writes}) => writes.length > 5) && entries[0]?.writes.some(({length}) => length !== undefined));
	putLog(before, header, entries, '01234567-89ab-cdef-0123-456789abcdef');
	const found = new Map<boolean, number>();
	const replay = async (crashed: ImageFile) => (await open(crashed)).close();
	await crashDuring(MemoryFile.of(before), 3, replay, async (crashed, at) => {
		const hasLog = (await readHeader(crashed)).logGuid !== guids.none;
		found.set(hasLog, (found.get(hasLog) ?? 0) + 1);
		for (const one of [crashed.copy({writable: false}), crashed, crashed]) {
			const image = await open(one);
			const bytes = new Uint8Array(sizeBytes);
			await readImage(image, 0, bytes);
			if (Buffer.compare(bytes, expected) !== 0) throw new Error(`${at}: it reads as something else`);
			const {faultCount, faults} = await image.check();
			if (faultCount > 0) throw new Error(`${at}: ${faults.join('; ')}`);
			await image.close();
		}
		if ((await readHeader(crashed)).logGuid !== guids.none) throw new Error(`${at}: its log is still there`);
	});
	t.true((found.get(true) ?? 0) > 50 && (found.get(false) ?? 0) > 1, JSON.stringify([...found]));
});

for (const differencing of [false, true]) {
	test(`a crash at any moment leaves an image with all that was flushed: ${differencing ? 'differencing' : 'dynamic'}`, async (t) => {
		t.timeout(900_000);
		const sizeBytes = 3 * MiB;
		const {below, bytes} = await makeBelow(sizeBytes);
		const layer = differencing ? below : undefined;
		const backing = differencing ? backingOf(below) : undefined;
		for (let seed = 1; seed <= 2; seed++)
			await crashEverywhere(t, seed, {
				sizeBytes,
				steps: 8,
				samples: 2,
				create: (file) => createVhdx(file, {sizeBytes, blockBytes: MiB, backing}),
				open: (file) => open(file, layer),
				...(differencing && {first: bytes}),
			});
	});
}

test('a block that is there in part has its bitmap, whenever the first one is cut off', async (t) => {
	t.timeout(900_000);
	const sizeBytes = MiB;
	const {below, bytes} = await makeBelow(sizeBytes);
	// Little is done, and what is left of it is looked at often: any sectors of what was written since a flush.
	for (let seed = 1; seed <= 4; seed++)
		await crashEverywhere(t, seed, {
			sizeBytes,
			steps: 4,
			samples: 12,
			create: (file) => createVhdx(file, {sizeBytes, blockBytes: MiB, backing: backingOf(below)}),
			open: (file) => open(file, below),
			first: bytes,
		});
});

test('a header after which others have no number left does not count', async (t) => {
	const file = new MemoryFile();
	await createVhdx(file, {sizeBytes: 4 * MiB});
	const {sequence} = await readHeader(file);
	// One number for the header of a log that was replayed, and one for the first change.
	for (const last of [2n ** 64n - 1n, 2n ** 64n - 2n]) {
		const header = await readHeader(file);
		await file.write(places.headers[header.slot === 0 ? 1 : 0], encodeHeader({...header, sequence: last}));
		t.is((await readHeader(file)).sequence, sequence);
	}
});

test('the checksum is that of the polynomial’s own test', (t) => {
	t.is(crc32c(Buffer.from('123456789')), 0xe306_9283);
	t.is(crc32c(Buffer.from('6789'), crc32c(Buffer.from('12345'))), 0xe306_9283);
});

for (const differencing of [false, true])
	test(`a crash while an image gets another size leaves the old size or the new one, which ends in zeros: ${differencing ? 'differencing' : 'dynamic'}`, async (t) => {
		t.timeout(900_000);
		const {below, bytes} = await makeBelow(3 * MiB + 512);
		// A mebibyte of the table is enough for 128 GiB.
		await crashWhileResizing(t, {
			create: (file) =>
				createVhdx(file, {sizeBytes: MiB + 512, blockBytes: MiB, backing: differencing ? backingOf(below) : undefined}),
			open: (file) => open(file, differencing ? below : undefined),
			samples: 2,
			sizes: [MiB + 5 * 512, 2 ** 38, MiB + 9 * 512, 4 * MiB],
			content: new SeededRandom(3).bytes(2 ** 18),
			...(differencing && {below: bytes}),
		});
	});

/** A dynamic image of four blocks, of which two are there; its metadata are at 2 MiB, its table at 3. */
async function makeDynamic(): Promise<Buffer> {
	const file = new MemoryFile();
	await createVhdx(file, {sizeBytes: 4 * MiB, blockBytes: MiB});
	const image = await open(file);
	await writeImage(image, 0, new Uint8Array(2 * MiB).fill(1));
	await image.close();
	return Buffer.from(file.bytes());
}

const [metadata, table] = [2 * MiB, 3 * MiB];
/** The first items of the metadata: the sizes of a block and of the disk. */
const [blockSize, diskSize] = [metadata + tableBytes, metadata + tableBytes + 8];

const putRegions = (bytes: Buffer, offset: number, length: number) =>
	encodeRegions([
		{guid: guids.bat, offset, bytes: length},
		{guid: guids.metadata, offset: metadata, bytes: MiB},
	]).copy(bytes, places.regionTables[0]);

const giants: readonly (readonly [string, RegExp, (bytes: Buffer) => void])[] = [
	['64 TiB in blocks of a mebibyte', /too small/, (bytes) => bytes.writeBigUInt64LE(2n ** 46n, diskSize)],
	['2^63 bytes', /its disk has/, (bytes) => bytes.writeBigUInt64LE(2n ** 63n, diskSize)],
	['a table of too few bytes', /too few/, (bytes) => bytes.writeBigUInt64LE(2n ** 40n, diskSize)],
	['a table at 2^53', /region/, (bytes) => putRegions(bytes, 2 ** 53, MiB)],
	['blocks of 4 GiB', /its blocks have/, (bytes) => bytes.writeUInt32LE(2 ** 31, blockSize)],
	[
		'four billion regions',
		/region tables/,
		(bytes) => {
			for (const at of places.regionTables) {
				bytes.writeUInt32LE(0xffff_ffff, at + 8);
				bytes.writeUInt32LE(checksumOf(bytes.subarray(at, at + tableBytes)), at + 4);
			}
		},
	],
	['65,535 items of metadata', /metadata/, (bytes) => bytes.writeUInt16LE(0xffff, metadata + 10)],
	['an item of 4 GiB', /item/, (bytes) => bytes.writeUInt32LE(0xffff_fff0, metadata + 32 + 20)],
	[
		'a log of 4 GiB',
		/its log/,
		(bytes) => {
			for (const at of places.headers) {
				bytes.writeUInt32LE(0xfff0_0000, at + 68);
				bytes.writeUInt32LE(checksumOf(bytes.subarray(at, at + 4096)), at + 4);
			}
		},
	],
];
for (const [name, message, change] of giants)
	test(`structures are refused, and not read: ${name}`, async (t) => {
		const bytes = await makeDynamic();
		change(bytes);
		for (const writable of [false, true]) {
			const error = await t.throwsAsync(open(MemoryFile.of(bytes, {writable})), {message});
			t.true(isVmmError(error) && /^DISK_IMAGE_(DAMAGED|UNSUPPORTED|SIZE_INVALID)$/.test(error.code));
		}
	});

for (const [name, mebibyte] of [
	['the headers', 0],
	['the log', 1],
	['the metadata', 2],
	['the table', 3],
	['another block', undefined],
] as const)
	test(`a block that lies where something else does is not written: ${name}`, async (t) => {
		const bytes = await makeDynamic();
		const entry = mebibyte === undefined ? bytes.readBigUInt64LE(table) : (BigInt(mebibyte) << 20n) | 6n;
		bytes.writeBigUInt64LE(entry, table + 8);
		await t.throwsAsync(open(MemoryFile.of(bytes)), {code: 'DISK_IMAGE_DAMAGED', message: /something else does/});
		const read = await open(MemoryFile.of(bytes, {writable: false}));
		t.true((await read.check()).faultCount > 0);
	});

test('a table that lies over the metadata or over the log is not written', async (t) => {
	for (const at of [metadata, MiB]) {
		const bytes = await makeDynamic();
		putRegions(bytes, at, MiB);
		await t.throwsAsync(open(MemoryFile.of(bytes)), {code: 'DISK_IMAGE_DAMAGED', message: /something else does/});
	}
});
