import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {readImage, writeImage} from '#devices/storage/image';
import {
	crashEverywhere,
	crashWhileRepairing,
	crashWhileResizing,
	hasQemuImg,
	MemoryFile,
	ModelDisk,
	qemuImgSays,
	SeededRandom,
} from '#devices/storage/image/testing';
import {isVmmError} from '#support/errors';
import {createVhd, openVhd, type VhdOptions} from './index.ts';
import {checksumOf, geometryOf} from './structures.ts';

const withQemu = hasQemuImg ? test : test.skip;

function folder(t: ExecutionContext): (name: string) => string {
	const path = mkdtempSync(join(tmpdir(), 'openvmm-vhd-'));
	t.teardown(() => rmSync(path, {recursive: true, force: true}));
	return (name) => join(path, name);
}

const sound = {leaks: 0, faultCount: 0, faults: [], repaired: 0};
const shapes: readonly (readonly [string, Omit<VhdOptions, 'sizeBytes'>, number])[] = [
	['dynamic', {}, 2 ** 23],
	['dynamic, blocks of 16 KiB', {blockBytes: 2 ** 14}, 2 ** 20],
	['fixed', {fixed: true}, 2 ** 20],
];
for (const [name, options, sizeBytes] of shapes) {
	test(`a disk is as a buffer is: ${name}`, async (t) => {
		t.timeout(900_000);
		const at = folder(t);
		for (let seed = 1; seed <= 4; seed++) {
			const file = new MemoryFile();
			await createVhd(file, {...options, sizeBytes});
			let model = new ModelDisk(await openVhd(file), new SeededRandom(seed));
			for (let round = 0; round < 4; round++) {
				for (let step = 0; step < 20; step++) await model.step({resizes: true});
				t.is(await model.difference(), -1, `seed ${seed}, round ${round}: ${model.log.join(', ')}`);
				await model.image.close();
				model = new ModelDisk(await openVhd(file), model.random, model.expected);
				t.is(await model.difference(), -1, `seed ${seed}, round ${round}, opened again`);
				t.deepEqual(await model.image.check(), sound);
			}
			if (!hasQemuImg) continue;
			writeFileSync(at('it.vhd'), file.bytes());
			writeFileSync(at('it.raw'), model.expected);
			qemuImgSays(t, 'compare', '-f', 'vpc', '-F', 'raw', at('it.vhd'), at('it.raw'));
		}
	});
}

for (const subformat of ['dynamic', 'fixed']) {
	for (const size of [`force_size=on`, `force_size=off`]) {
		withQemu(`QEMU's images are read and written: ${subformat}, ${size}`, async (t) => {
			const at = folder(t);
			const random = new SeededRandom(2);
			const bytes = Buffer.alloc(5 * 2 ** 20 + 512);
			for (let i = 0; i < 6; i++) bytes.set(random.bytes(60_000), random.below(bytes.length - 60_000));
			writeFileSync(at('raw'), bytes);
			const options = `subformat=${subformat},${size}`;
			qemuImgSays(t, 'convert', '-f', 'raw', '-O', 'vpc', '-o', options, at('raw'), at('vhd'));
			const file = MemoryFile.of(readFileSync(at('vhd')));
			const image = await openVhd(file);
			const expected = new Uint8Array(image.sizeBytes);
			expected.set(bytes);
			const model = new ModelDisk(image, random, expected);
			t.is(await model.difference(), -1);
			for (let step = 0; step < 30; step++) await model.step();
			await image.close();
			writeFileSync(at('vhd'), file.bytes());
			writeFileSync(at('changed'), model.expected);
			qemuImgSays(t, 'compare', '-f', 'vpc', '-F', 'raw', at('vhd'), at('changed'));
		});
	}
}

test('sectors that a block does not have read as zeros, and are had when they are written', async (t) => {
	const file = new MemoryFile();
	const blockBytes = 2 ** 15;
	await createVhd(file, {sizeBytes: 2 ** 17, blockBytes});
	const made = new ModelDisk(await openVhd(file), new SeededRandom(4));
	for (let i = 0; i < 30; i++) await made.step();
	await made.image.close();
	// Of every other eight sectors the bits go, as if nobody had written them.
	const bytes = Buffer.from(file.bytes());
	const expected = made.expected.slice();
	let blocks = 0;
	for (let block = 0; block < 4; block++) {
		const sector = bytes.readUInt32BE(1536 + block * 4);
		if (sector === 0xffff_ffff) continue;
		blocks++;
		for (let byte = 0; byte < 8; byte += 2) {
			bytes[sector * 512 + byte] = 0;
			expected.fill(0, block * blockBytes + byte * 4096, block * blockBytes + (byte + 1) * 4096);
		}
	}
	t.true(blocks > 1);
	const changed = MemoryFile.of(bytes);
	let model = new ModelDisk(await openVhd(changed), new SeededRandom(5), expected);
	t.is(await model.difference(), -1);
	for (let i = 0; i < 40; i++) await model.step();
	t.is(await model.difference(), -1, model.log.join(', '));
	await model.image.close();
	model = new ModelDisk(await openVhd(changed), model.random, model.expected);
	t.is(await model.difference(), -1);
});

for (const fixed of [false, true]) {
	test(`a crash at any moment leaves an image with all that was flushed: ${fixed ? 'fixed' : 'dynamic'}`, async (t) => {
		t.timeout(900_000);
		const sizeBytes = 2 ** 16;
		const options = fixed ? {fixed} : {blockBytes: 4096};
		for (let seed = 1; seed <= 3; seed++)
			await crashEverywhere(t, seed, {
				sizeBytes,
				steps: 30,
				samples: 3,
				create: (file) => createVhd(file, {...options, sizeBytes}),
				open: openVhd,
			});
	});
}

test('a dynamic disk grows beyond its table', async (t) => {
	const file = new MemoryFile();
	const blockBytes = 4096;
	await createVhd(file, {sizeBytes: 2 ** 16, blockBytes});
	let model = new ModelDisk(await openVhd(file), new SeededRandom(1));
	for (const blocks of [200, 1000, 500, 1200]) {
		await model.image.resize(blocks * blockBytes);
		const expected = new Uint8Array(blocks * blockBytes);
		expected.set(model.expected.subarray(0, expected.length));
		model.expected = expected;
		for (let step = 0; step < 30; step++) await model.step();
		await model.image.close();
		model = new ModelDisk(await openVhd(file), model.random, model.expected);
		t.is(await model.difference(), -1, `${blocks}: ${model.log.join(', ')}`);
		t.deepEqual(await model.image.check(), sound);
	}
});

test('the geometry is that of the specification', (t) => {
	t.deepEqual(geometryOf(512 * 17 * 4 * 100), [100, 4, 17]);
	t.deepEqual(geometryOf(10 * 2 ** 20), [301, 4, 17]);
	t.deepEqual(geometryOf(2 ** 30), [2080, 16, 63]);
	t.deepEqual(geometryOf(2 ** 40), [65_535, 16, 255]);
});

test('an image without its footer, or with only differences, is refused or read by the copy', async (t) => {
	const file = new MemoryFile();
	await createVhd(file, {sizeBytes: 2 ** 20, blockBytes: 4096});
	const whole = Buffer.from(file.bytes());
	const cut = await openVhd(MemoryFile.of(whole.subarray(0, -512)));
	t.like(await cut.check(), {leaks: 1, faultCount: 0});
	t.like(await cut.check('leaks'), {leaks: 0, repaired: 1});
	await t.throwsAsync(openVhd(MemoryFile.of(whole.fill(0, 0, 512).subarray(0, -512))), {code: 'DISK_IMAGE_DAMAGED'});
	await t.throwsAsync(openVhd(MemoryFile.of(new Uint8Array(100))), {code: 'DISK_IMAGE_DAMAGED'});
});

for (const fixed of [false, true]) {
	test(`a crash while an image gets another size leaves the old size or the new one, which ends in zeros: ${fixed ? 'fixed' : 'dynamic'}`, async (t) => {
		// A sector of the table is enough for 512 KiB.
		await crashWhileResizing(t, {
			create: (file) => createVhd(file, {sizeBytes: 2 ** 19, ...(fixed ? {fixed} : {blockBytes: 4096})}),
			open: openVhd,
			samples: 5,
			sizes: [2 ** 21, 2 ** 19 + 512, 2 ** 22],
			content: new SeededRandom(3).bytes(2 ** 18),
			// Of a fixed one the footer is what says its size: it gives way to zeros when there is another.
			isLeft: (sector) => fixed && Buffer.from(sector).toString('latin1', 0, 8) === 'conectix',
		});
	});
}

test('a crash while an image is repaired that lacks its footer leaves one that is, when that is done again', async (t) => {
	const whole = await makeDynamic();
	const content = new Uint8Array(2 ** 15).fill(1, 0, 8192);
	// Behind the last block there is nothing, or a part of one that a crash has cut off.
	for (const rest of [0, 5000]) {
		const damaged = MemoryFile.of(Buffer.concat([whole.subarray(0, -512), Buffer.alloc(rest, 7)]));
		await crashWhileRepairing(t, {damaged, open: openVhd, repair: 'leaks', content, samples: 5});
	}
});

test('a fixed disk whose file is too short reads on as zeros, a check says so, and it is not written', async (t) => {
	const file = new MemoryFile();
	await createVhd(file, {sizeBytes: 2 ** 20, fixed: true});
	const footer = file.bytes().subarray(-512);
	const short = Buffer.concat([Buffer.alloc(10_000, 7), footer]);
	const image = await openVhd(MemoryFile.of(short, {writable: false}));
	const bytes = new Uint8Array(2 ** 20);
	await readImage(image, 0, bytes);
	t.deepEqual([bytes[9_999], bytes[10_512], bytes.at(-1)], [7, 0, 0]);
	t.like(await image.check(), {faultCount: 1});
	// The footer lies where the disk would be written.
	await t.throwsAsync(openVhd(MemoryFile.of(short)), {code: 'DISK_IMAGE_DAMAGED', message: /fewer/});
});

/** A dynamic image of eight blocks, of which two are there. Its header is at 512, its table at 1536, and behind that the blocks. */
async function makeDynamic(): Promise<Buffer> {
	const file = new MemoryFile();
	await createVhd(file, {sizeBytes: 2 ** 15, blockBytes: 4096});
	const image = await openVhd(file);
	await writeImage(image, 0, new Uint8Array(8192).fill(1));
	await image.close();
	return Buffer.from(file.bytes());
}

/** The same with checksums that are right. */
function sealed(bytes: Buffer): Buffer {
	for (const [at, length, field] of [
		[0, 512, 64],
		[512, 1024, 36],
		[bytes.length - 512, 512, 64],
	] as const)
		bytes.writeUInt32BE(checksumOf(bytes.subarray(at, at + length), field), at + field);
	return bytes;
}

/** Says in the footer and in its copy that the disk has so many bytes. */
const setSize = (bytes: Buffer, sizeBytes: bigint) => {
	for (const at of [0, bytes.length - 512]) bytes.writeBigUInt64BE(sizeBytes, at + 48);
};

const giants: readonly (readonly [string, RegExp, (bytes: Buffer) => void])[] = [
	['four billion entries', /behind its end/, (bytes) => bytes.writeUInt32BE(0xffff_ffff, 512 + 28)],
	[
		'blocks of a sector for 2040 GiB',
		/too small/,
		(bytes) => {
			setSize(bytes, 2040n * 2n ** 30n);
			bytes.writeUInt32BE(0xffff_ffff, 512 + 28);
			bytes.writeUInt32BE(512, 512 + 32);
		},
	],
	['a disk of 2^63 bytes', /bytes/, (bytes) => setSize(bytes, 2n ** 63n)],
	['fewer entries than blocks', /too few/, (bytes) => bytes.writeUInt32BE(1, 512 + 28)],
	['at 2^63', /behind its end/, (bytes) => bytes.writeBigUInt64BE(2n ** 63n, 512 + 16)],
	['where the header is', /header/, (bytes) => bytes.writeBigUInt64BE(1024n, 512 + 16)],
];
for (const [name, message, change] of giants)
	test(`a table is refused, and not read: ${name}`, async (t) => {
		const bytes = await makeDynamic();
		change(bytes);
		for (const writable of [false, true]) {
			const error = await t.throwsAsync(openVhd(MemoryFile.of(sealed(bytes), {writable})), {message});
			t.true(isVmmError(error) && /^DISK_IMAGE_(DAMAGED|UNSUPPORTED)$/.test(error.code));
		}
	});

// At 0 there is none.
for (const [name, sector] of [
	['the header', 1],
	['the table', 3],
	['another block', undefined],
] as const)
	test(`a block that lies where something else does is not written: ${name}`, async (t) => {
		const bytes = await makeDynamic();
		bytes.writeUInt32BE(sector ?? bytes.readUInt32BE(1536), 1536 + 4);
		await t.throwsAsync(openVhd(MemoryFile.of(bytes)), {code: 'DISK_IMAGE_DAMAGED', message: /something else does/});
		const read = await openVhd(MemoryFile.of(bytes, {writable: false}));
		t.true((await read.check()).faultCount > 0);
	});
