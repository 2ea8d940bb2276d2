import type {ExecutionContext} from 'ava';
import type {DiskImage, Repair} from '../disk-image.ts';
import type {FileRange, ImageFile} from '../image-file.ts';
import {readImage, writeImage} from '../read-write.ts';
import {MemoryFile} from './memory-file.ts';
import {SeededRandom} from './model.ts';

const sectorBytes = 512;

type Change =
	| {readonly kind: 'write'; readonly offset: number; readonly bytes: Uint8Array}
	| {readonly kind: 'truncate'; readonly size: number}
	| {readonly kind: 'punch'; readonly offset: number; readonly length: number}
	| {readonly kind: 'flush'};

/** A file that remembers all that was done to it. */
class RecordingFile implements ImageFile {
	readonly path = 'recorded';
	readonly writable = true;
	readonly file: MemoryFile;
	readonly changes: Change[] = [];

	constructor(file: MemoryFile) {
		this.file = file;
	}

	size(): Promise<number> {
		return this.file.size();
	}

	read(offset: number, bytes: Uint8Array): Promise<void> {
		return this.file.read(offset, bytes);
	}

	async write(offset: number, bytes: Uint8Array): Promise<void> {
		this.changes.push({kind: 'write', offset, bytes: new Uint8Array(bytes)});
		await this.file.write(offset, bytes);
	}

	async flush(): Promise<void> {
		this.changes.push({kind: 'flush'});
	}

	async truncate(size: number): Promise<void> {
		this.changes.push({kind: 'truncate', size});
		await this.file.truncate(size);
	}

	async punch(offset: number, length: number): Promise<void> {
		this.changes.push({kind: 'punch', offset, length});
		await this.file.punch(offset, length);
	}

	nextData(offset: number): Promise<FileRange | undefined> {
		return this.file.nextData(offset);
	}

	async close(): Promise<void> {}
}

async function apply(file: MemoryFile, change: Change): Promise<void> {
	if (change.kind === 'write') file.put(change.offset, change.bytes);
	else if (change.kind === 'truncate') file.cut(change.size);
	else if (change.kind === 'punch') await file.punch(change.offset, change.length);
}

/** Of what was not flushed, what the disk may have of it: any of the changes, and of writes any of the sectors. */
async function applySome(file: MemoryFile, changes: readonly Change[], random: SeededRandom): Promise<void> {
	for (const change of changes) {
		const fate = random.below(4);
		if (fate === 0) continue;
		if (fate < 3 || change.kind !== 'write') await apply(file, change);
		else
			for (let at = 0; at < change.bytes.length; ) {
				// Sectors of the disk, wherever the write begins.
				const end = Math.min(change.bytes.length, at + sectorBytes - ((change.offset + at) % sectorBytes));
				if (random.below(2) === 0) file.put(change.offset + at, change.bytes.subarray(at, end));
				at = end;
			}
	}
}

/** How a disk is written. */
export interface DiskDriver {
	write(offset: number, bytes: Uint8Array): Promise<void>;
	zero(offset: number, length: number): Promise<void>;
	discard(offset: number, length: number): Promise<void>;
	flush(): Promise<void>;
}

/** A format whose images are made to crash. */
export interface Crashing {
	readonly sizeBytes: number;
	readonly steps: number;
	/** Writes an image into the empty file. */
	create(file: ImageFile): Promise<void>;
	/** Opens it to be written. */
	open(file: ImageFile): Promise<DiskImage>;
	/** What writes the disk that is made to crash; the image itself without it. */
	drive?(image: DiskImage): Promise<DiskDriver>;
	/** What the disk reads as at first; zeros without it. */
	readonly first?: Uint8Array;
	/** Where a step begins that writes; anywhere without it. */
	offset?(step: number): number;
	/** How often a part is taken of what was not flushed. */
	readonly samples: number;
	/** Looks at a state that a crash has left, now and then. */
	look?(bytes: Uint8Array): void;
}

/**
 * Does random things to a disk, and looks at what a crash would leave at every moment: with all that was written by then, and with any
 * part of what was written since the last flush. Each such image opens, has what was flushed or what was written since, has no faults but
 * leaks, and can be written.
 */
export async function crashEverywhere(t: ExecutionContext, seed: number, format: Crashing): Promise<void> {
	const random = new SeededRandom(seed);
	const start = new MemoryFile();
	await format.create(start);
	const recorder = new RecordingFile(start.copy());
	const image = await format.open(recorder);
	const driver = (await format.drive?.(image)) ?? {
		write: (offset, bytes) => writeImage(image, offset, bytes),
		zero: (offset, length) => image.zero(offset, length),
		discard: (offset, length) => image.discard(offset, length),
		flush: () => image.flush(),
	};
	const expected = new Uint8Array(format.sizeBytes);
	if (format.first !== undefined) expected.set(format.first);
	/** What may be read at a moment: every sector as it was at the flush before, or as anything since. */
	const moments: {at: number; durable: Uint8Array; since: {offset: number; bytes: Uint8Array}[]}[] = [];
	let durable = expected.slice();
	let since: {offset: number; bytes: Uint8Array}[] = [];
	const note = () => moments.push({at: recorder.changes.length, durable, since: since.slice()});
	note();
	for (let step = 0; step < format.steps; step++) {
		const offset = format.offset?.(step) ?? random.below(format.sizeBytes / sectorBytes) * sectorBytes;
		const most = Math.min(
			format.sizeBytes - offset,
			Math.min(2 ** 18, Math.max(image.blockBytes * 3, format.sizeBytes / 8)),
		);
		const length = (1 + random.below(most / sectorBytes)) * sectorBytes;
		const what = random.below(14);
		/** A discarded sector is as it was, or zeros; from then on what it reads as. */
		const discard = async (start: number, bytes: number) => {
			await driver.discard(start, bytes);
			await readImage(image, start, expected.subarray(start, start + bytes));
		};
		const change = async (bytes: Uint8Array, work: () => Promise<void>) => {
			since.push({offset, bytes});
			note();
			await work();
			expected.set(bytes, offset);
			note();
		};
		if (what < 5) {
			const bytes = random.bytes(length);
			await change(bytes, () => driver.write(offset, bytes));
		} else if (what < 7) await change(new Uint8Array(length), () => driver.zero(offset, length));
		else if (what < 9) {
			since.push({offset, bytes: new Uint8Array(length)});
			note();
			await discard(offset, length);
			note();
		} else if (what < 11) {
			// Side by side, and a flush amid them, which has what was done before it.
			const [asked, half] = [expected.slice(), Math.floor(length / 2 / sectorBytes) * sectorBytes];
			const bytes = random.bytes(length);
			if (random.below(3) === 0) bytes.fill(0, half);
			const parts = [bytes.subarray(0, half), bytes.subarray(half)] as const;
			const added = parts.map((part, index) => ({offset: offset + index * half, bytes: part}));
			since.push(...added);
			note();
			const second = parts[1].every((byte) => byte === 0)
				? driver.zero(offset + half, length - half)
				: driver.write(offset + half, parts[1]);
			await Promise.all([half > 0 && driver.write(offset, parts[0]), driver.flush(), second]);
			expected.set(bytes, offset);
			durable = asked;
			since = added;
			note();
		} else {
			await driver.flush();
			durable = expected.slice();
			since = [];
			note();
		}
	}
	await forEachCrash(start, recorder.changes, format.samples, random, async (crashed, index, sample) => {
		const moment = moments.findLast(({at}) => at <= index) ?? moments[0];
		const during = moments.find(({at}) => at >= index) ?? moments.at(-1);
		if (moment === undefined || during === undefined) throw new Error('there is always a moment');
		// A flush under way promises nothing yet: what was durable before it still is.
		const allowed = {durable: moment.durable, since: [...moment.since, ...during.since]};
		const bytes = format.look !== undefined && index % 37 === 0 && sample === 1 ? crashed.bytes() : undefined;
		const fault = await faultAfter(crashed, format, allowed, random);
		if (fault !== undefined)
			throw new Error(`seed ${seed}, change ${index} of ${recorder.changes.length}, sample ${sample}: ${fault}`);
		if (bytes !== undefined) format.look?.(bytes);
	});
	t.pass();
}

/** Gives `look` what a crash may leave before each change, and behind the last. */
async function forEachCrash(
	start: MemoryFile,
	changes: readonly Change[],
	samples: number,
	random: SeededRandom,
	look: (crashed: MemoryFile, index: number, sample: number) => Promise<void>,
): Promise<void> {
	const base = start.copy();
	let pending: Change[] = [];
	for (const [index, change] of [...changes, {kind: 'flush'} as const].entries()) {
		for (let sample = 0; sample <= samples; sample++) {
			const crashed = base.copy();
			if (sample > 0) await applySome(crashed, pending, random);
			else for (const one of pending) await apply(crashed, one);
			await look(crashed, index, sample);
		}
		pending.push(change);
		if (change.kind !== 'flush') continue;
		for (const one of pending) await apply(base, one);
		pending = [];
	}
}

/** A format whose images are made to crash while they get other sizes. */
interface CrashingResize extends Pick<Crashing, 'create' | 'open' | 'samples'> {
	/** One after the other, each once; all hold the content. */
	readonly sizes: readonly number[];
	/** What the disk begins with. */
	readonly content: Uint8Array;
	/** What is below has. */
	readonly below?: Uint8Array;
	/** True for what may be there also. */
	isLeft?(sector: Uint8Array, offset: number): boolean;
}

/** Does something to a file, and gives `look` what a crash would leave of that at every moment. */
export async function crashDuring(
	start: MemoryFile,
	samples: number,
	work: (file: ImageFile) => Promise<void>,
	look: (crashed: MemoryFile, at: string) => Promise<void>,
): Promise<void> {
	const recorder = new RecordingFile(start.copy());
	await work(recorder);
	const {changes} = recorder;
	await forEachCrash(start, changes, samples, new SeededRandom(1), (crashed, index) =>
		look(crashed, `change ${index} of ${changes.length}`),
	);
}

/** Bytes that are written at the end of a disk, and as many behind where its next end is to be. */
const endBytes = 3 * sectorBytes;

/**
 * Resizes a disk, and writes around where it ends and will; looks at what a crash would leave at every moment: the old size or the new one, all that was
 * there before, and zeros behind each old end, whatever is below.
 */
export async function crashWhileResizing(t: ExecutionContext, format: CrashingResize): Promise<void> {
	const {content, sizes, samples, below = new Uint8Array(0)} = format;
	const random = new SeededRandom(2);
	const start = new MemoryFile();
	await format.create(start);
	const first = await format.open(start);
	const firstBytes = first.sizeBytes;
	await writeImage(first, 0, content);
	await first.close();
	const model = MemoryFile.of(below);
	model.cut(firstBytes);
	model.put(0, content);
	/** By its size: what the disk is when it has got that, and when it has been written then. */
	const states = new Map([[firstBytes, [model.copy(), model.copy()] as const]]);
	const writes = sizes.map((size, index) => {
		const next = sizes[index + 1] ?? size;
		const ends = next < size ? [size, next + endBytes] : [size];
		return ends.map((end) => ({at: end - endBytes, bytes: random.bytes(endBytes)}));
	});
	for (const [index, size] of sizes.entries()) {
		model.cut(size);
		const before = model.copy();
		for (const {at, bytes} of writes[index] ?? []) model.put(at, bytes);
		states.set(size, [before, model.copy()]);
	}
	const resize = async (file: ImageFile) => {
		const image = await format.open(file);
		for (const [index, size] of sizes.entries()) {
			await image.resize(size);
			for (const {at, bytes} of writes[index] ?? []) await writeImage(image, at, bytes);
			await image.flush();
		}
		await image.close();
	};
	const found = new Set<number>();
	await crashDuring(start, samples, resize, async (crashed, at) => {
		const left = await format.open(crashed);
		const {sizeBytes} = left;
		found.add(sizeBytes);
		const wanted = states.get(sizeBytes);
		if (wanted === undefined) throw new Error(`${at}: it has ${sizeBytes} bytes`);
		const looked = [below.length, ...states.keys()].map((end) => [end - 2 * endBytes, end + 2 * endBytes] as const);
		for (const [from, to] of [[0, Math.max(content.length, below.length)] as const, ...looked])
			await holdsEither(left, wanted, Math.max(0, from), Math.min(to, sizeBytes), `${at}, ${sizeBytes} bytes`, format);
		const {faultCount, faults} = await left.check();
		if (faultCount > 0) throw new Error(`${at}: ${faults.join('; ')}`);
		const [last, longer] = [sizeBytes - sectorBytes, Math.max(sizeBytes, below.length) + sectorBytes];
		await writeImage(left, last, content.subarray(0, sectorBytes));
		await left.resize(longer);
		await left.close();
		const after = await format.open(crashed);
		const rest = new Uint8Array(longer - last);
		await readImage(after, last, rest);
		const expected = new Uint8Array(rest.length);
		expected.set(content.subarray(0, sectorBytes));
		if (Buffer.compare(rest, expected) !== 0)
			throw new Error(`${at}: what is written, or has grown, then is another one`);
	});
	t.deepEqual(new Set([firstBytes, ...sizes]), found);
}

/** Each sector of a range is as in one of two files. */
async function holdsEither(
	image: DiskImage,
	files: readonly [MemoryFile, MemoryFile],
	from: number,
	to: number,
	what: string,
	{isLeft}: Pick<CrashingResize, 'isLeft'>,
): Promise<void> {
	if (to <= from) return;
	const [found, ...wanted] = Array.from({length: 3}, () => new Uint8Array(to - from)) as [
		Uint8Array,
		Uint8Array,
		Uint8Array,
	];
	await readImage(image, from, found);
	for (const [index, file] of files.entries()) await file.read(from, wanted[index] as Uint8Array);
	if (wanted.some((bytes) => Buffer.compare(bytes, found) === 0)) return;
	for (let at = 0; at < found.length; at += sectorBytes) {
		const [sector, ...may] = [found, ...wanted].map((bytes) => bytes.subarray(at, at + sectorBytes)) as [
			Uint8Array,
			...Uint8Array[],
		];
		if (!may.some((bytes) => Buffer.compare(bytes, sector) === 0) && !isLeft?.(sector, from + at))
			throw new Error(`${what}: at ${from + at} is what was never there`);
	}
}

/** An image with faults that are put right, and made to crash meanwhile. */
interface CrashingRepair extends Pick<Crashing, 'open' | 'samples'> {
	readonly damaged: MemoryFile;
	readonly repair: Repair;
	/** What the disk reads as. */
	readonly content: Uint8Array;
}

/**
 * Repairs an image, and looks at what a crash would leave at every moment: the same disk, with nothing wrong when it was repaired again; what is written
 * then changes nothing else.
 */
export async function crashWhileRepairing(
	t: ExecutionContext,
	{damaged, open, repair, content, samples}: CrashingRepair,
) {
	const random = new SeededRandom(1);
	const holds = async (file: ImageFile, expected: Uint8Array, what: string) => {
		const image = await open(file);
		const bytes = new Uint8Array(expected.length);
		await readImage(image, 0, bytes);
		if (Buffer.compare(bytes, expected) !== 0) throw new Error(`${what}: it reads as something else`);
		return image;
	};
	const repaired = async (file: ImageFile) => {
		const image = await open(file);
		const result = await image.check(repair);
		await image.close();
		return result;
	};
	const all = (await repaired(damaged.copy())).repaired;
	/** How many crashes have left some of it to be done again, and not all. */
	let partly = 0;
	const work = async (file: ImageFile) => void (await repaired(file));
	await crashDuring(damaged, samples, work, async (crashed, at) => {
		await holds(crashed.copy({writable: false}), content, at);
		const again = await repaired(crashed);
		if (again.repaired > 0 && again.repaired < all) partly++;
		const image = await holds(crashed, content, `${at}, repaired`);
		const {leaks, faultCount, faults} = await image.check();
		if (leaks > 0 || faultCount > 0) throw new Error(`${at}: ${leaks} leaks; ${faults.join('; ')}`);
		const bytes = random.bytes(sectorBytes * 40);
		const offset = random.below((content.length - bytes.length) / sectorBytes) * sectorBytes;
		await writeImage(image, offset, bytes);
		await image.close();
		const after = content.slice();
		after.set(bytes, offset);
		await holds(crashed, after, `${at}, repaired and written`);
	});
	t.true(all > 0);
	return {all, partly};
}

async function faultAfter(
	file: MemoryFile,
	format: Crashing,
	{durable, since}: {durable: Uint8Array; since: readonly {offset: number; bytes: Uint8Array}[]},
	random: SeededRandom,
): Promise<string | undefined> {
	const image = await format.open(file);
	const found = new Uint8Array(format.sizeBytes);
	await readImage(image, 0, found);
	for (let at = 0; at < found.length; at += sectorBytes) {
		const sector = found.subarray(at, at + sectorBytes);
		const isFrom = (bytes: Uint8Array, offset: number) =>
			at >= offset &&
			at + sectorBytes <= offset + bytes.length &&
			Buffer.compare(sector, bytes.subarray(at - offset, at - offset + sectorBytes)) === 0;
		if (!isFrom(durable, 0) && !since.some(({offset, bytes}) => isFrom(bytes, offset)))
			return `what is at ${at} is neither what was flushed nor what was written since`;
	}
	const {faultCount, faults} = await image.check();
	if (faultCount > 0) return faults.join('; ');
	// Whatever the crash left is no obstacle.
	const bytes = random.bytes(sectorBytes * 3);
	const offset = random.below((format.sizeBytes - bytes.length) / sectorBytes) * sectorBytes;
	await writeImage(image, offset, bytes);
	found.set(bytes, offset);
	await image.close();
	const again = await format.open(file);
	const reread = new Uint8Array(format.sizeBytes);
	await readImage(again, 0, reread);
	if (Buffer.compare(reread, found) !== 0) return 'a write after it changed something else';
	const after = await again.check('leaks');
	if (after.faultCount > 0 || after.leaks > 0) return `leaks cannot be repaired: ${after.faults.join('; ')}`;
	return undefined;
}
