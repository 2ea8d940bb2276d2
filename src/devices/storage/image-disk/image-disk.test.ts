import {mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {type DiskError, DiskOperation, type DiskRequest, DiskError as Errors} from '#devices/storage/disk';
import {AwaitedRequest, diskMemory} from '#devices/storage/disk/testing';
import {createHostFile, type DiskImage, imageError, readImage, writeImage} from '#devices/storage/image';
import {crashEverywhere, hasQemuImg, MemoryFile, qemuImg, SeededRandom} from '#devices/storage/image/testing';
import {createImage, type FormatName, type NewImage, openDisk} from '#devices/storage/image-formats';
import {createQcow2, openQcow2} from '#devices/storage/qcow2';
import {diskStack, randomLoad} from '#devices/storage/source/testing';
import {beginVhdx, createVhdx} from '#devices/storage/vhdx';
import {engineNames} from '#support/io-engine';
import {EpollReactor} from '#support/reactor';
import {ImageDisk, type ImageDiskParts} from './index.ts';

const {READ, WRITE, FLUSH, DISCARD, WRITE_ZEROES} = DiskOperation;
const ramBytes = 2 ** 23;
const directory = mkdtempSync(join(tmpdir(), 'openvmm-image-disk-'));
let files = 0;
const newPath = (extension: string) => join(directory, `disk-${files++}.${extension}`);
/** A temporary folder may be one in memory. */
const hasDirect = await canBeDirect();
test.after.always(() => rmSync(directory, {recursive: true}));

async function canBeDirect(): Promise<boolean> {
	const path = newPath('qcow2');
	await create(path, 'qcow2', {sizeBytes: 2 ** 20});
	return diskStack(`file:${path};direct`, async () => true).catch((error) => {
		if (error.code !== 'DISK_DIRECT_UNSUPPORTED') throw error;
		return false;
	});
}

/** A disk with memory of a guest for its requests, and a reactor that runs. */
class Guest {
	readonly memory = diskMemory(ramBytes);
	readonly reactor = new EpollReactor();
	readonly #running = this.reactor.run();
	readonly #disks: ImageDisk[] = [];

	async open(parts: Omit<ImageDiskParts, 'reactor'>): Promise<ImageDisk> {
		const disk = await ImageDisk.open({...parts, reactor: this.reactor});
		this.#disks.push(disk);
		return disk;
	}

	/** Opens a file with all that it lies over. */
	async openPath(path: string, options: Partial<ImageDiskParts> & {writable?: boolean; format?: string} = {}) {
		const {writable = true, format, ...rest} = options;
		const {image, files, close: closeImages} = await openDisk(path, {writable, format});
		return this.open({...rest, image, files, closeImages});
	}

	run(disk: ImageDisk, values: Partial<DiskRequest>, ...ranges: readonly (readonly [number, number])[]) {
		return new AwaitedRequest().on(disk, this.memory, values, ...ranges);
	}

	/** Writes bytes from a place of guest memory, in two vectors. */
	write(
		disk: ImageDisk,
		offset: number,
		bytes: Uint8Array,
		gpa = 0,
		values: Partial<DiskRequest> = {},
	): Promise<DiskError> {
		this.memory.copyIn(gpa, bytes);
		return this.run(disk, {...values, operation: WRITE, offset, length: bytes.length}, ...halves(gpa, bytes.length));
	}

	async read(disk: ImageDisk, offset: number, length: number, gpa = ramBytes / 2): Promise<Buffer | DiskError> {
		this.memory.fill(gpa, length, 0xee);
		const error = await this.run(disk, {operation: READ, offset, length}, ...halves(gpa, length));
		if (error !== Errors.NONE) return error;
		const bytes = Buffer.alloc(length);
		this.memory.copyOut(gpa, bytes);
		return bytes;
	}

	async end(): Promise<void> {
		try {
			for (const disk of this.#disks) await disk.close();
		} finally {
			this.reactor.close();
			await this.#running;
		}
	}
}

const halves = (gpa: number, length: number): [number, number][] => {
	const half = Math.floor(length / 3);
	return half === 0
		? [[gpa, length]]
		: [
				[gpa, half],
				[gpa + half, length - half],
			];
};

function guestTest(title: string, body: (t: ExecutionContext, guest: Guest) => Promise<void>): void {
	test(title, async (t) => {
		t.timeout(900_000);
		const guest = new Guest();
		try {
			await body(t, guest);
		} finally {
			await guest.end();
		}
	});
}

async function create(path: string, format: FormatName, image: NewImage): Promise<void> {
	const file = await createHostFile(path);
	await createImage(format, file, image);
	await file.close();
}

const sizeBytes = 3 * 2 ** 20;
const shapes: readonly (readonly [
	name: string,
	format: FormatName,
	image: Omit<NewImage, 'sizeBytes'>,
	overlaid: boolean,
])[] = [
	['qcow2', 'qcow2', {}, false],
	['qcow2 in clusters of 512 bytes', 'qcow2', {blockBytes: 512}, false],
	['qcow2, version 2', 'qcow2', {version: 2, blockBytes: 4096}, false],
	['qcow2 over a raw image', 'qcow2', {blockBytes: 4096}, true],
	['dynamic VHD', 'vhd', {blockBytes: 2 ** 16}, false],
	['fixed VHD', 'vhd', {fixed: true}, false],
	['dynamic VHDX', 'vhdx', {blockBytes: 2 ** 20}, false],
	['fixed VHDX', 'vhdx', {fixed: true, blockBytes: 2 ** 20}, false],
	['VHDX over another', 'vhdx', {blockBytes: 2 ** 20}, true],
];

for (const [index, [name, format, image, isOverlaid]] of shapes.entries()) {
	for (const engine of engineNames) {
		test(`${engine}: a disk is as a buffer is, and so is its image when it is closed: ${name}`, async (t) => {
			t.timeout(900_000);
			const seed = index * 7 + engine.length;
			const path = newPath(format);
			let expected: Uint8Array = new Uint8Array(sizeBytes);
			if (isOverlaid) {
				const belowFormat = format === 'vhdx' ? 'vhdx' : 'raw';
				const below = newPath(belowFormat);
				// A raw one is shorter than what lies over it, and ends within a sector.
				const content = new SeededRandom(seed).bytes(sizeBytes / 2 + 512);
				expected.set(content);
				await create(below, belowFormat, {sizeBytes: belowFormat === 'raw' ? content.length : sizeBytes});
				const {image: lower, close} = await openDisk(below, {writable: true});
				await writeImage(lower, 0, content);
				await close();
				if (belowFormat === 'raw') truncateSync(below, content.length - 200);
				if (belowFormat === 'raw') expected.fill(0, content.length - 200);
				const identities = lower.identity === undefined ? undefined : [lower.identity];
				await create(path, format, {...image, sizeBytes, backing: {name: below, format: belowFormat, identities}});
			} else await create(path, format, {...image, sizeBytes});
			for (const words of [`;engine=${engine}`, hasDirect ? `;engine=${engine};direct` : ''])
				expected = await diskStack(`file:${path}${words}`, async (stack) => {
					if (words !== '') t.is(stack.disk.mover, engine);
					t.is(stack.disk.bytes, sizeBytes);
					return randomLoad(t, stack, {seed, steps: 30, content: expected, most: 2 ** 19});
				});
			const {image: left, close} = await openDisk(path, {writable: true});
			t.is((await left.check()).faultCount, 0);
			await close();
			// QEMU reads no VHDX that lies over another, and takes a VHD's geometry for its size.
			if (hasQemuImg && format !== 'vhd' && !(format === 'vhdx' && isOverlaid)) {
				const raw = newPath('raw');
				const {status, said} = qemuImg('convert', '-O', 'raw', path, raw);
				t.is(status, 0, said);
				t.true(readFileSync(raw).equals(expected));
			}
		});
	}
}

/** A new qcow2 image in memory, behind a disk. */
async function inMemory(guest: Guest, file = new MemoryFile(), bytes = sizeBytes) {
	await createQcow2(file, {sizeBytes: bytes, clusterBytes: 4096});
	const image = await openQcow2(file);
	return {file, disk: await guest.open({image, closeImages: () => image.close()})};
}

guestTest(
	'what is mapped is read and written without a question to the image that has to be waited for',
	async (t, guest) => {
		const path = newPath('qcow2');
		await create(path, 'qcow2', {sizeBytes});
		const disk = await guest.openPath(path);
		const {image} = disk.top;
		const bytes = new SeededRandom(1).bytes(2 ** 18);
		t.is(await guest.write(disk, 0, bytes), Errors.NONE);
		const never = () => Promise.reject(new Error('it was waited for'));
		Object.assign(image, {map: never, allocate: never});
		t.is(await guest.write(disk, 512, bytes.subarray(512, 2 ** 17)), Errors.NONE);
		const found = await guest.read(disk, 0, 2 ** 18 + 2 ** 17);
		t.true(Buffer.isBuffer(found) && found.equals(Buffer.concat([bytes, Buffer.alloc(2 ** 17)])));
		t.is(await guest.write(disk, 2 ** 20, bytes), Errors.IO, 'what is new is asked for');
	},
);

guestTest(
	"writes into one new cluster, reads and discards of it go on together, and every sector is somebody's",
	async (t, guest) => {
		const path = newPath('qcow2');
		await create(path, 'qcow2', {sizeBytes});
		const disk = await guest.openPath(path);
		const sectors = 128;
		const fill = (sector: number) => new Uint8Array(512).fill(sector + 1);
		const writes = Array.from({length: sectors}, (_, sector) =>
			guest.write(disk, sector * 512, fill(sector), sector * 512),
		);
		t.deepEqual(new Set(await Promise.all(writes)), new Set([Errors.NONE]));
		const all = await guest.read(disk, 0, sectors * 512);
		t.true(Buffer.isBuffer(all) && all.every((byte, at) => byte === Math.floor(at / 512) + 1));
		// The same cluster loses its place and gets others while it is read.
		const mixed = Array.from({length: 60}, async (_, index) => {
			if (index % 3 === 0) return guest.run(disk, {operation: DISCARD, offset: 0, length: 2 ** 16});
			if (index % 3 === 1) return guest.write(disk, 2 ** 16, fill(7), 0x10_0000);
			const gpa = 0x40_0000 + index * 2 ** 16;
			const found = await guest.read(disk, 0, 2 ** 16, gpa);
			if (!Buffer.isBuffer(found)) return found;
			return found.every((byte, at) => byte === 0 || byte === Math.floor(at / 512) + 1)
				? Errors.NONE
				: 'bytes of another';
		});
		t.deepEqual(new Set(await Promise.all([...mixed, guest.run(disk, {operation: FLUSH})])), new Set([Errors.NONE]));
		const after = await guest.read(disk, 0, 2 ** 16);
		t.true(Buffer.isBuffer(after) && after.every((byte) => byte === 0));
	},
);

guestTest(
	'a durable write is in the file with all that leads to it, and a flush has what was done before it',
	async (t, guest) => {
		const {file, disk} = await inMemory(guest);
		const seen = async (at: number) => {
			const bytes = new Uint8Array(1);
			await readImage(await openQcow2(file.copy({writable: false})), at, bytes);
			return bytes[0];
		};
		await guest.write(disk, 0, new Uint8Array(512).fill(1));
		t.is(await seen(0), 0, 'it was not flushed');
		await guest.write(disk, 2 ** 20, new Uint8Array(512).fill(2), 0, {isDurable: true});
		t.is(await seen(2 ** 20), 2);
		await guest.write(disk, 2 ** 21, new Uint8Array(512).fill(3));
		t.deepEqual(await Promise.all([1, 2, 3].map(() => guest.run(disk, {operation: FLUSH}))), [0, 0, 0]);
		t.is(await seen(2 ** 21), 3);
		await guest.write(disk, 2 ** 21 + 8192, new Uint8Array(512).fill(4));
		await disk.settle();
		t.is(await seen(2 ** 21 + 8192), 4);
	},
);

guestTest('tables that are damaged are errors of the requests that meet them, and of no others', async (t, guest) => {
	const {file, disk: first} = await inMemory(guest);
	await guest.write(first, 0, new Uint8Array(2 ** 16).fill(5));
	await first.close();
	const placeAt = (at: number) => Buffer.from(file.bytes()).readUIntBE(at + 2, 6);
	const l2 = placeAt(placeAt(40));
	// The third cluster begins within one; the fifth is the header's.
	file.put(l2 + 2 * 8 + 6, Uint8Array.of(0x12));
	const header = Buffer.alloc(8);
	header.writeBigUInt64BE(0x8000_0000_0000_0000n + BigInt(l2));
	file.put(l2 + 4 * 8, header);
	const damaged = await openQcow2(file);
	const disk = await guest.open({image: damaged, closeImages: () => damaged.close()});
	t.is(await guest.read(disk, 2 * 4096, 512), Errors.IO);
	t.regex(disk.fault ?? '', /begins within a cluster/);
	t.is(await guest.write(disk, 2 * 4096, new Uint8Array(512)), Errors.IO);
	t.is(await guest.write(disk, 4 * 4096, new Uint8Array(512)), Errors.IO, 'it would be written into a table');
	t.is(await guest.write(disk, 0, new Uint8Array(4096).fill(6)), Errors.NONE);
	const found = await guest.read(disk, 0, 8192);
	t.true(Buffer.isBuffer(found) && found[0] === 6 && found[8191] === 5);
	t.is(await guest.run(disk, {operation: FLUSH}), Errors.NONE);
});

guestTest('a host without room is an error of the write, which succeeds when there is some again', async (t, guest) => {
	let isFull = false;
	class FullFile extends MemoryFile {
		override async write(offset: number, bytes: Uint8Array): Promise<void> {
			if (isFull) throw imageError('DISK_IMAGE_FILE_FAILED', {path: 'full', what: 'written', errno: 'ENOSPC'});
			await super.write(offset, bytes);
		}
	}
	const {disk} = await inMemory(guest, new FullFile());
	t.is(await guest.write(disk, 0, new Uint8Array(4096).fill(1)), Errors.NONE);
	isFull = true;
	t.is(await guest.write(disk, 8192, new Uint8Array(4096).fill(2)), Errors.NO_SPACE);
	t.is(await guest.run(disk, {operation: FLUSH}), Errors.NO_SPACE);
	const before = await guest.read(disk, 0, 4096);
	t.true(Buffer.isBuffer(before) && before.every((byte) => byte === 1));
	isFull = false;
	t.is(await guest.write(disk, 8192, new Uint8Array(4096).fill(2)), Errors.NONE);
	t.is(await guest.run(disk, {operation: FLUSH}), Errors.NONE);
});

guestTest('nothing is written behind a flush of the file that failed', async (t, guest) => {
	let fails = false;
	class FailingFile extends MemoryFile {
		override async flush(): Promise<void> {
			if (fails) throw imageError('DISK_IMAGE_FILE_FAILED', {path: 'failing', what: 'written', errno: 'EIO'});
		}
	}
	const file = new FailingFile();
	await createQcow2(file, {sizeBytes});
	const image = await openQcow2(file);
	const disk = await guest.open({image, closeImages: async () => {}});
	t.is(await guest.write(disk, 0, new Uint8Array(4096).fill(1)), Errors.NONE);
	fails = true;
	t.is(await guest.run(disk, {operation: FLUSH}), Errors.IO);
	fails = false;
	t.is(await guest.run(disk, {operation: FLUSH}), Errors.IO, 'nobody knows what is there');
	t.is(await guest.write(disk, 0, new Uint8Array(4096).fill(2)), Errors.IO);
	const found = await guest.read(disk, 0, 4096);
	t.true(Buffer.isBuffer(found) && found.every((byte) => byte === 1));
});

if (hasQemuImg) {
	guestTest('compressed clusters are read, also while others take their place', async (t, guest) => {
		const [raw, path] = [newPath('raw'), newPath('qcow2')];
		const content = Buffer.from(Array.from({length: sizeBytes}, (_, at) => (at >> 9) & 0xff));
		writeFileSync(raw, content);
		t.is(qemuImg('convert', '-c', '-O', 'qcow2', raw, path).status, 0);
		const disk = await guest.openPath(path);
		const found = await guest.read(disk, 4096, 2 ** 20);
		t.true(Buffer.isBuffer(found) && found.equals(content.subarray(4096, 4096 + 2 ** 20)));
		const cluster = 2 ** 16;
		const working = Array.from({length: 24}, async (_, index) => {
			const at = 2 ** 21 + (index % 4) * cluster;
			if (index % 3 === 0) return guest.write(disk, at, content.subarray(at, at + 4096), index * cluster);
			if (index % 3 === 1) return guest.run(disk, {operation: FLUSH});
			const bytes = await guest.read(disk, at, cluster, 0x40_0000 + index * cluster);
			return Buffer.isBuffer(bytes) && bytes.equals(content.subarray(at, at + cluster)) ? Errors.NONE : bytes;
		});
		t.deepEqual(new Set(await Promise.all(working)), new Set([Errors.NONE]));
		await disk.close();
		t.is(qemuImg('check', path).status, 0);
		t.is(qemuImg('compare', path, raw).status, 0);
	});
}

guestTest('a disk is closed amid requests, which all end, and its image is sound', async (t, guest) => {
	const path = newPath('qcow2');
	await create(path, 'qcow2', {sizeBytes});
	const disk = await guest.openPath(path);
	const bytes = new SeededRandom(2).bytes(2 ** 17);
	const working = Array.from({length: 32}, (_, index) => {
		if (index % 5 === 4) return guest.run(disk, {operation: DISCARD, offset: (index - 4) * 2 ** 16, length: 2 ** 17});
		return guest.write(disk, index * 2 ** 16, bytes, index * 2 ** 17);
	});
	await new Promise((resolve) => setTimeout(resolve, 2));
	await disk.close();
	for (const error of await Promise.all(working)) t.true(error === Errors.NONE || error === Errors.IO);
	const {image, close} = await openDisk(path, {writable: true});
	t.is((await image.check()).faultCount, 0);
	await close();
});

for (const engine of engineNames)
	guestTest(`${engine}: a disk is closed while it looks for what is not in memory`, async (t, guest) => {
		const path = newPath('qcow2');
		await create(path, 'qcow2', {sizeBytes});
		const {image, close} = await openDisk(path, {writable: true});
		await writeImage(image, 0, new SeededRandom(5).bytes(2 ** 17));
		await close();
		const disk = await guest.openPath(path, {engine});
		const reading = [0, 2 ** 16].map((offset) => guest.read(disk, offset, 4096, 2 ** 22 + offset));
		await disk.close();
		t.deepEqual(await Promise.all(reading), [Errors.IO, Errors.IO]);
	});

guestTest('a disk that is only read is not written, and any number reads it', async (t, guest) => {
	const path = newPath('qcow2');
	await create(path, 'qcow2', {sizeBytes});
	const [one, other] = [await guest.openPath(path, {writable: false}), await guest.openPath(path, {writable: false})];
	t.is(await guest.write(one, 0, new Uint8Array(512)), Errors.PROTECTED);
	t.is(await guest.run(one, {operation: FLUSH}), Errors.NONE);
	t.true(Buffer.isBuffer(await guest.read(other, 0, 512)));
	t.is(await guest.run(one, {operation: READ, offset: sizeBytes, length: 512}, [0, 512]), Errors.OUT_OF_RANGE);
	await t.throwsAsync(guest.openPath(path), {code: 'DISK_IMAGE_IN_USE'});
});

for (const [name, format, image] of [
	['qcow2', 'qcow2', {blockBytes: 4096}],
	['VHD', 'vhd', {blockBytes: 2 ** 16}],
	['VHDX', 'vhdx', {blockBytes: 2 ** 20}],
] as const)
	guestTest(`it gets longer amid writes, by zeros, and never shorter: ${name}`, async (t, guest) => {
		const [path, wanted, part] = [newPath(format), 2 * sizeBytes + 512, 2 ** 16];
		await create(path, format, {sizeBytes, ...image});
		const disk = await guest.openPath(path);
		const content = new SeededRandom(9).bytes(sizeBytes);
		const resizing = disk.resize(wanted);
		const writes = Array.from({length: sizeBytes / part}, (_, index) =>
			guest.write(disk, index * part, content.subarray(index * part, (index + 1) * part), index * part),
		);
		t.deepEqual(new Set(await Promise.all(writes)), new Set([Errors.NONE]));
		await resizing;
		t.is(disk.bytes, wanted);
		t.is(await guest.write(disk, wanted - 512, new Uint8Array(512).fill(7)), Errors.NONE);
		const [old, added] = [await guest.read(disk, 0, sizeBytes), await guest.read(disk, sizeBytes, sizeBytes)];
		t.true(Buffer.isBuffer(old) && old.equals(content));
		t.true(Buffer.isBuffer(added) && added.every((byte) => byte === 0));
		for (const bytes of [sizeBytes, wanted + 100])
			await t.throwsAsync(disk.resize(bytes), {code: 'DISK_LENGTH_REFUSED'}, `${bytes}`);
		t.is(disk.bytes, wanted);
		await disk.close();
		const {image: left, close} = await openDisk(path, {writable: true});
		t.deepEqual([left.sizeBytes, (await left.check()).faultCount], [wanted, 0]);
		await close();
		const reader = await guest.openPath(path, {writable: false});
		await t.throwsAsync(reader.resize(2 * wanted), {code: 'DISK_LENGTH_REFUSED', message: /only read/});
	});

const crashing: readonly (readonly [
	string,
	(file: MemoryFile) => Promise<DiskImage>,
	(file: MemoryFile) => Promise<void>,
	number,
])[] = [
	['qcow2', (file) => openQcow2(file), (file) => createQcow2(file, {sizeBytes: 2 ** 17, clusterBytes: 4096}), 2 ** 17],
	[
		'VHDX',
		async (file) => (await beginVhdx(file)).open(),
		(file) => createVhdx(file, {sizeBytes: 2 ** 21, blockBytes: 2 ** 20}),
		2 ** 21,
	],
];
for (const [name, open, make, bytes] of crashing) {
	guestTest(`a crash at any moment leaves an image with all that the guest has flushed: ${name}`, async (t, guest) => {
		await crashEverywhere(t, 3, {
			sizeBytes: bytes,
			steps: 25,
			samples: 2,
			create: (file) => make(file as MemoryFile),
			open: (file) => open(file as MemoryFile),
			async drive(image) {
				const disk = await guest.open({image, closeImages: async () => {}});
				const done = async (error: DiskError) => {
					if (error !== Errors.NONE) throw new Error(`a request ended with ${error}: ${disk.fault}`);
				};
				// Two are under way at once, each with memory of its own.
				let writes = 0;
				return {
					write: async (offset, written) =>
						done(await guest.write(disk, offset, written, (writes++ % 2) * (ramBytes / 4))),
					zero: async (offset, length) => done(await guest.run(disk, {operation: WRITE_ZEROES, offset, length})),
					discard: async (offset, length) => done(await guest.run(disk, {operation: DISCARD, offset, length})),
					flush: async () => done(await guest.run(disk, {operation: FLUSH})),
				};
			},
		});
	});
}
