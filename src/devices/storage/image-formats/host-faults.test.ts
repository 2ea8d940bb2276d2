import test from 'ava';
import {type DiskImage, imageError, readImage, writeImage} from '#devices/storage/image';
import {MemoryFile, SeededRandom} from '#devices/storage/image/testing';
import {createQcow2, openQcow2, type Qcow2Options} from '#devices/storage/qcow2';
import {createVhd, openVhd} from '#devices/storage/vhd';
import {beginVhdx, createVhdx} from '#devices/storage/vhdx';

const hostError = (errno: string) => imageError('DISK_IMAGE_FILE_FAILED', {path: 'it', what: 'written', errno});

/** A file of whose changes the host refuses one, for want of room. */
class FailingFile extends MemoryFile {
	changes = 0;
	/** The one that it refuses. */
	failing = -1;

	#change(): void {
		if (this.changes++ === this.failing) throw hostError('ENOSPC');
	}

	override async write(offset: number, bytes: Uint8Array): Promise<void> {
		this.#change();
		await super.write(offset, bytes);
	}

	override async truncate(size: number): Promise<void> {
		this.#change();
		await super.truncate(size);
	}

	override async punch(offset: number, length: number): Promise<void> {
		this.#change();
		await super.punch(offset, length);
	}
}

interface Shape {
	readonly sizeBytes: number;
	create(file: MemoryFile): Promise<void>;
	open(file: MemoryFile): Promise<DiskImage>;
}

const qcow2 = (options: Qcow2Options, below?: DiskImage): Shape => ({
	sizeBytes: options.sizeBytes,
	create: (file) => createQcow2(file, {...options, backing: below && {name: 'below', format: 'qcow2'}}),
	open: (file) => openQcow2(file, below),
});

/** An image without data, which hides nothing and whose zeros have to be written where a format cannot mark them. */
async function emptyBelow(sizeBytes: number): Promise<DiskImage> {
	const file = new MemoryFile();
	await createQcow2(file, {sizeBytes});
	return openQcow2(file);
}

const shapes: Readonly<Record<string, Shape>> = {
	// So many counts that their table has to grow.
	'qcow2 in clusters of 512 bytes': qcow2({sizeBytes: 5 * 2 ** 19, clusterBytes: 512, refcountBits: 64}),
	'qcow2 of version 2 over another': qcow2(
		{sizeBytes: 2 ** 19, clusterBytes: 4096, version: 2},
		await emptyBelow(2 ** 19),
	),
	'dynamic VHD': {
		sizeBytes: 2 ** 20,
		create: (file) => createVhd(file, {sizeBytes: 2 ** 20, blockBytes: 2 ** 16}),
		open: (file) => openVhd(file),
	},
	'dynamic VHDX': {
		sizeBytes: 2 ** 22,
		create: (file) => createVhdx(file, {sizeBytes: 2 ** 22, blockBytes: 2 ** 20}),
		open: async (file) => (await beginVhdx(file)).open(),
	},
};

/** Does the same to a disk each time; what is refused is asked for again. @returns what it is to read as */
async function load(image: DiskImage, refused: (error: unknown) => void): Promise<Uint8Array> {
	const random = new SeededRandom(1);
	const expected = new Uint8Array(image.sizeBytes);
	const insist = async (work: () => Promise<void>) => {
		for (let done = false; !done; ) {
			try {
				await work();
				done = true;
			} catch (error) {
				refused(error);
			}
		}
	};
	const write = (offset: number, bytes: Uint8Array) => {
		expected.set(bytes, offset);
		return insist(() => writeImage(image, offset, bytes));
	};
	const zero = (offset: number, length: number) => {
		expected.fill(0, offset, offset + length);
		return insist(() => image.zero(offset, length));
	};
	const step = image.sizeBytes / 16;
	// Where nothing is yet: what is below is no zeros for all that the format knows.
	await zero(512, step);
	for (let at = 0; at < image.sizeBytes; at += step) {
		await write(at, random.bytes(step));
		if (at % (4 * step) === 0) await zero(at + step / 2 - 512, 2048);
	}
	await insist(() => image.flush());
	await zero(step, 5 * step);
	await write(2 * step + 512, random.bytes(1024));
	await zero(9 * step + 512, 1024);
	await insist(() => image.flush());
	await write(3 * step, random.bytes(2 * step));
	await insist(() => image.flush());
	return expected;
}

for (const [name, {create, open}] of Object.entries(shapes))
	test(`what the host refuses once is refused once, whatever it was, and nothing is lost: ${name}`, async (t) => {
		t.timeout(900_000);
		const empty = new FailingFile();
		await create(empty);
		const whole = new FailingFile();
		whole.put(0, empty.bytes());
		await load(await open(whole), (error) => t.fail(String(error)));
		const every = Math.max(1, Math.floor(whole.changes / 80));
		t.true(whole.changes > 20);
		for (let failing = 0; failing < whole.changes; failing += every) {
			const file = new FailingFile();
			file.put(0, empty.bytes());
			file.failing = failing;
			let refusals = 0;
			const image = await open(file);
			const expected = await load(image, (error) => {
				if (++refusals > 1) throw error;
				t.like(error, {code: 'DISK_IMAGE_FILE_FAILED'});
			});
			t.is(refusals, 1);
			const left = await open(file);
			const found = new Uint8Array(expected.length);
			await readImage(left, 0, found);
			t.is(Buffer.compare(found, expected), 0, `change ${failing} of ${whole.changes}`);
			const {faults, leaks} = await left.check();
			t.deepEqual([faults, leaks], [[], 0], `change ${failing} of ${whole.changes}`);
		}
	});

test('a flush of the file that fails within the counts is the last, too', async (t) => {
	let fails = false;
	class Unflushed extends MemoryFile {
		override async flush(): Promise<void> {
			if (fails) throw hostError('EIO');
		}
	}
	const file = new Unflushed();
	await createQcow2(file, {sizeBytes: 2 ** 19, clusterBytes: 512});
	const image = await openQcow2(file);
	// More clusters than one block counts: new ones are flushed first of all.
	await writeImage(image, 0, new Uint8Array(2 ** 18).fill(1));
	fails = true;
	await t.throwsAsync(image.flush(), {code: 'DISK_IMAGE_FILE_FAILED'});
	fails = false;
	await t.throwsAsync(image.flush(), {code: 'DISK_IMAGE_FILE_FAILED'});
});

for (const [name, {create, open}] of Object.entries({
	qcow2: qcow2({sizeBytes: 2 ** 23, clusterBytes: 2 ** 21}),
	VHD: {
		create: (file: MemoryFile) => createVhd(file, {sizeBytes: 2 ** 23, blockBytes: 2 ** 21}),
		open: (file: MemoryFile) => openVhd(file),
	},
}))
	test(`who writes and discards and never flushes has a file that grows only so far: ${name}`, async (t) => {
		const file = new MemoryFile();
		await create(file);
		const image = await open(file);
		for (let round = 0; round < 560; round++) {
			await writeImage(image, 0, new Uint8Array(512).fill(1));
			await image.discard(0, 2 ** 21);
		}
		t.true((await file.size()) < 2 ** 30 + 2 ** 24);
	});
