import {deflateRawSync, zstdCompressSync} from 'node:zlib';
import test from 'ava';
import {type DiskImage, readImage, writeImage} from '#devices/storage/image';
import {MemoryFile, ModelDisk, mutate, SeededRandom, type Spot} from '#devices/storage/image/testing';
import {openRaw} from '#devices/storage/raw';
import {mendEntries, putLog} from '#devices/storage/vhdx/testing';
import {isVmmError} from '#support/errors';
import {checksumOf as vhdChecksumOf} from '../vhd/structures.ts';
import {readHeader, checksumOf as vhdxChecksumOf} from '../vhdx/structures.ts';
import {type FormatName, formats, type NewImage} from './index.ts';

/** An image that is mutated, and how. */
interface Subject {
	readonly format: FormatName;
	readonly image: NewImage;
	readonly rounds: number;
	/** Makes of an image what nobody here writes. */
	change?(bytes: Buffer): Buffer | Promise<Buffer>;
	/** Where its own data are. */
	spots(bytes: Buffer): readonly Spot[];
	/** Makes checksums right again, so that what is behind them is reached. */
	mend(bytes: Buffer): void;
	/** What has become of an image that was opened, in words for {@link says}. */
	reached?(image: DiskImage): Promise<string>;
	/** What some round is refused with, or has reached. */
	readonly says?: readonly RegExp[];
}

const backing = {name: 'below', format: 'raw'};
const sizeBytes = 2 ** 18;

const clusterBytes = 4096;

/** An image of qcow2 with compressed clusters, of which some are whole, and some are bombs, too little, or noise. */
const compressed = (compress: (bytes: Buffer) => Buffer, type: number): Subject => ({
	format: 'qcow2',
	image: {sizeBytes, blockBytes: clusterBytes},
	rounds: 300,
	change(bytes) {
		const l2 = Number(bytes.readBigUInt64BE(Number(bytes.readBigUInt64BE(40))) & 0x00ff_ffff_ffff_fe00n);
		const contents = [
			...[1, 2, 3, 4].map((value) => compress(Buffer.alloc(clusterBytes, value))),
			...[compress(Buffer.alloc(2 ** 22)), compress(Buffer.alloc(100)), Buffer.alloc(1000, 0xee)],
		];
		const parts = [bytes];
		let at = bytes.length;
		for (const [index, packed] of [...contents, ...contents].entries()) {
			const sectors = BigInt(Math.min(15, Math.ceil(packed.length / 512)));
			bytes.writeBigUInt64BE((1n << 62n) | (sectors << 58n) | BigInt(at), l2 + 8 * index);
			// One is right behind the other.
			parts.push(packed);
			at += packed.length;
		}
		// The kind of compression is a feature that has to be known (qcow2.txt, "incompatible_features").
		bytes[79] = (bytes[79] as number) | (type === 0 ? 0 : 8);
		bytes[104] = type;
		return Buffer.concat([...parts, Buffer.alloc(2 * clusterBytes)]);
	},
	spots(bytes) {
		const l1 = Number(bytes.readBigUInt64BE(40));
		const l2 = l1 + 16 <= bytes.length ? Number(bytes.readBigUInt64BE(l1) & 0x00ff_ffff_ffff_fe00n) : 0;
		return [
			[l2 + 256 <= bytes.length ? l2 : 0, 112],
			[Math.max(0, bytes.length - 4 * clusterBytes), Math.min(bytes.length, 2 * clusterBytes)],
		];
	},
	mend() {},
});

/** VHDX in blocks of a mebibyte, of three blocks: where its structures are, and the block table's entries. */
const [vhdxMetadata, vhdxTable, vhdxEntries] = [2 ** 21, 3 * 2 ** 20, 32];
const vhdxSpots: readonly Spot[] = [
	[65_536, 80],
	[131_072, 80],
	[196_608, 80],
	[vhdxMetadata, 200],
	[vhdxMetadata + 65_536, 64],
	[vhdxTable, vhdxEntries],
];
/** The entry of the bitmap of the first chunk, which has 4096 blocks ([MS-VHDX], 2.5). */
const vhdxBitmapEntry = vhdxTable + 8 * 4096;

function mendVhdx(bytes: Buffer): void {
	for (const [at, length] of [
		[65_536, 4096],
		[131_072, 4096],
		[196_608, 65_536],
		[262_144, 65_536],
	] as const)
		if (bytes.length >= at + length) bytes.writeUInt32LE(vhdxChecksumOf(bytes.subarray(at, at + length)), at + 4);
}

/** The log of a VHDX, and the length of its entries: a head, and two sectors. */
const [vhdxLog, vhdxLogBytes, vhdxLogEntry] = [2 ** 20, 2 ** 20, 3 * 4096];
/** What the first sectors of the first block are when the entries of the log were replayed. */
const replayed = [0xa1, 0xa2] as const;

const subjects: Readonly<Record<string, Subject>> = {
	qcow2: {
		format: 'qcow2',
		image: {sizeBytes, blockBytes: 512},
		rounds: 1000,
		spots: (bytes) => [
			[0, 112],
			[0, 512],
			[512, bytes.length - 512],
		],
		mend() {},
	},
	'qcow2 over another': {
		format: 'qcow2',
		image: {sizeBytes, blockBytes: 4096, backing},
		rounds: 1000,
		spots: (bytes) => [
			[0, 160],
			[4096, Math.min(16_384, bytes.length - 4096)],
		],
		mend() {},
	},
	'qcow2 with clusters compressed by zlib': compressed(deflateRawSync, 0),
	'qcow2 with clusters compressed by zstd': compressed(zstdCompressSync, 1),
	vhd: {
		format: 'vhd',
		image: {sizeBytes, blockBytes: 8192},
		rounds: 1000,
		spots: (bytes) => [
			[0, 128],
			[512, 64],
			[1536, 128],
			[bytes.length - 512, 128],
		],
		mend(bytes) {
			for (const [at, length, field] of [
				[0, 512, 64],
				[512, 1024, 36],
				[bytes.length - 512, 512, 64],
			] as const)
				if (at >= 0 && bytes.length >= at + length)
					bytes.writeUInt32BE(vhdChecksumOf(bytes.subarray(at, at + length), field), at + field);
		},
	},
	vhdx: {
		format: 'vhdx',
		image: {sizeBytes: 3 * 2 ** 20, blockBytes: 2 ** 20},
		rounds: 150,
		spots: () => vhdxSpots,
		mend: mendVhdx,
	},
	'vhdx with a log': {
		format: 'vhdx',
		image: {sizeBytes: 3 * 2 ** 20, blockBytes: 2 ** 20},
		rounds: 400,
		async change(bytes) {
			const first = bytes.readBigUInt64LE(vhdxTable);
			const block = Number(first >> 20n) * 2 ** 20;
			// Its state: all of it is there.
			if ((first & 7n) !== 6n) throw new Error('the first block is not there');
			const size = {flushed: bytes.length, fileBytes: bytes.length};
			const entries = replayed.map((byte, index) => ({
				sequence: 5 + index,
				writes: [
					{offset: block + index * 4096, sector: new Uint8Array(4096).fill(byte)},
					{offset: vhdxTable, sector: bytes.subarray(vhdxTable, vhdxTable + 4096)},
					{offset: block + 2 ** 16, length: 8192},
				],
				...size,
			}));
			putLog(bytes, await readHeader(MemoryFile.of(bytes)), entries, '01234567-89ab-cdef-0123-456789abcdef');
			return bytes;
		},
		spots: () => [
			...[65_536, 131_072].map((header): Spot => [header + 48, 32]),
			...[0, 1].flatMap((index): Spot[] => {
				const at = vhdxLog + index * vhdxLogEntry;
				return [
					[at, 64],
					[at + 64, 96],
					[at + 4096, 16],
					[at + 8192 - 8, 8],
				];
			}),
		],
		mend(bytes) {
			mendVhdx(bytes);
			mendEntries(bytes, vhdxLog, vhdxLog + vhdxLogBytes);
		},
		async reached(image) {
			const bytes = new Uint8Array(8192);
			await readImage(image, 0, bytes);
			const found = replayed.filter((byte, index) => bytes[index * 4096] === byte);
			return `replayed: ${found.map((byte) => byte.toString(16)).join(' and ')}.`;
		},
		says: [
			/replayed: a1 and a2\./,
			/replayed: a1\./,
			/replayed: a2\./,
			/replayed: \./,
			/has nothing whole/,
			/is cut off: it had/,
			/its log has/,
		],
	},
	'vhdx over another': {
		format: 'vhdx',
		image: {
			sizeBytes: 3 * 2 ** 20,
			blockBytes: 2 ** 20,
			backing: {name: 'below', format: 'vhdx', identities: ['00000000-0000-0000-0000-000000000001']},
		},
		rounds: 150,
		spots(bytes) {
			const isThere = bytes.length >= vhdxBitmapEntry + 8;
			const bitmap = isThere ? Number(bytes.readBigUInt64LE(vhdxBitmapEntry) >> 20n) * 2 ** 20 : 0;
			return [
				...vhdxSpots,
				// The locator is behind the five items that each image has: its head, and its entries with their texts.
				[vhdxMetadata + 65_536 + 40, 44],
				[vhdxMetadata + 65_536 + 40, 300],
				[vhdxBitmapEntry, 8],
				[bitmap + 2 ** 10 <= bytes.length ? bitmap : 0, 2 ** 10],
			];
		},
		mend: mendVhdx,
		says: [/does not say what it lies over/, /has no bitmap/],
	},
};

/** All that may be done with an image. */
async function use(
	{format, reached}: Subject,
	bytes: Uint8Array,
	writable: boolean,
	below: DiskImage,
	said: Set<string>,
): Promise<void> {
	const begun = await formats[format].begin(MemoryFile.of(bytes, {writable}));
	const image: DiskImage = await begun.open(begun.backing === undefined ? undefined : below);
	image.facts();
	if (reached !== undefined) said.add(await reached(image));
	const end = image.sizeBytes - (image.sizeBytes % 512);
	const spots = [0, Math.floor(end / 1024) * 512, Math.max(0, end - 8192)];
	for (const offset of spots) {
		await image.map(offset, 2 ** 40);
		await readImage(image, offset, new Uint8Array(8192));
	}
	await image.check();
	if (!writable) return;
	for (const offset of spots) {
		const length = Math.min(4096, end - offset);
		await writeImage(image, offset, new Uint8Array(length).fill(1));
		await image.zero(offset, Math.min(512, length));
		await image.discard(offset, Math.min(2 ** 20, end - offset));
	}
	await image.flush();
	await image.check('all');
	await image.resize(Math.max(512, Math.min(end, 2 ** 20)));
	await image.resize(2 ** 21);
	await image.close();
}

/** What is done with an image whose file changes before each of its operations, and how each ends. */
async function useWhileItChanges(subject: Subject, seed: Uint8Array, below: DiskImage, random: SeededRandom) {
	const file = MemoryFile.of(seed, {writable: true});
	const begun = await formats[subject.format].begin(file);
	const image: DiskImage = await begun.open(begun.backing === undefined ? undefined : below);
	const endings: string[] = [];
	/** One may have holes of terabytes, where its tables lead now: no array holds that. */
	const mayChange = async () => {
		const bytes = await file.size();
		return bytes >= 4096 && bytes <= 2 ** 28;
	};
	for (let step = 0; step < 12 && (await mayChange()); step++) {
		const bytes = mutate(file.bytes(), subject.spots(Buffer.from(file.bytes())), random);
		if (random.below(4) > 0) subject.mend(bytes);
		file.put(0, bytes);
		file.cut(bytes.length);
		const offset = 512 * random.below((image.sizeBytes - 4096) / 512);
		const operations: readonly (() => Promise<unknown>)[] = [
			() => image.map(offset, 2 ** 40),
			() => readImage(image, offset, new Uint8Array(4096)),
			() => writeImage(image, offset, new Uint8Array(4096).fill(1)),
			() => image.zero(offset, 512),
			() => image.discard(offset, image.sizeBytes - offset),
			() => image.flush(),
			() => image.check('all'),
			() => image.resize(random.below(2) === 0 ? sizeBytes : 2 ** 22),
		];
		endings.push(await ending(operations[random.below(operations.length)] as () => Promise<unknown>));
	}
	endings.push(await ending(() => image.close()));
	return endings;
}

/** `used`, or the code of the error that says that it cannot be. */
const ending = (operation: () => Promise<unknown>, said?: Set<string>): Promise<string> =>
	operation().then(
		() => 'used',
		(error) => {
			if (!isVmmError(error)) throw error;
			said?.add(error.message);
			return error.code;
		},
	);

/** An image of the format with something on it. */
async function imageOf(subject: Subject, below: DiskImage): Promise<Uint8Array> {
	const file = new MemoryFile();
	await formats[subject.format].create(file, subject.image);
	const begun = await formats[subject.format].begin(file);
	const model = new ModelDisk(await begun.open(begun.backing && below), new SeededRandom(1));
	for (let step = 0; step < 12; step++) await model.step();
	await model.image.close();
	return (await subject.change?.(Buffer.from(file.bytes()))) ?? file.bytes();
}

const openBelow = () => openRaw(MemoryFile.of(new Uint8Array(2 ** 17).fill(9), {writable: false}));
const isExpected = (result: string) => /^(used|DISK_IMAGE_.*)$/.test(result);

for (const [name, subject] of Object.entries(subjects)) {
	test(`a mutated image is used or refused with a VmmError: ${name}`, async (t) => {
		t.timeout(900_000);
		const below = await openBelow();
		const seed = await imageOf(subject, below);
		const found = new Map<string, number>();
		const said = new Set<string>();
		for (let round = 1; round <= subject.rounds; round++) {
			const random = new SeededRandom(round);
			const bytes = mutate(seed, subject.spots(Buffer.from(seed)), random);
			if (random.below(4) > 0) subject.mend(bytes);
			const result = await ending(() => use(subject, bytes, random.below(2) === 0, below, said), said).catch(
				(cause) => {
					throw new Error(`round ${round}: ${cause}`, {cause});
				},
			);
			found.set(result, (found.get(result) ?? 0) + 1);
		}
		t.deepEqual(
			[...found.keys()].filter((result) => !isExpected(result)),
			[],
		);
		t.true((found.get('used') ?? 0) > 10 && (found.get('DISK_IMAGE_DAMAGED') ?? 0) > 10, JSON.stringify([...found]));
		for (const what of subject.says ?? [])
			t.true(
				[...said].some((message) => what.test(message)),
				`${what}`,
			);
	});

	test(`of an image whose file changes under it, what is asked is done or refused with a VmmError: ${name}`, async (t) => {
		t.timeout(900_000);
		const below = await openBelow();
		const seed = await imageOf(subject, below);
		const found = new Map<string, number>();
		for (let round = 1; round <= subject.rounds / 5; round++) {
			const endings = await useWhileItChanges(subject, seed, below, new SeededRandom(round)).catch((cause) => {
				throw new Error(`round ${round}: ${cause}`, {cause});
			});
			for (const each of endings) found.set(each, (found.get(each) ?? 0) + 1);
		}
		t.deepEqual(
			[...found.keys()].filter((result) => !isExpected(result)),
			[],
		);
		// Formats whose tables are in memory do not see it.
		t.true((found.get('used') ?? 0) > 10, JSON.stringify([...found]));
	});
}
