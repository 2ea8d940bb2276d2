import {mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {DiskError} from '#devices/storage/disk';
import {SeededRandom} from '#devices/storage/image/testing';
import {gptDisk, signGptHeader} from '#devices/storage/partition/testing';
import type {DiskSource} from '#devices/storage/source';
import {diskStack, randomLoad} from '#devices/storage/source/testing';
import type {VmmError} from '#support/errors';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-partition-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const diskBytes = 8 * 2 ** 20;
let files = 0;

function newDisk(content: Uint8Array = new Uint8Array(diskBytes)): string {
	const path = join(folder, `disk-${files++}`);
	writeFileSync(path, content);
	return path;
}

/** A disk with an MBR; each entry a type, first block and number of blocks. */
function mbrDisk(entries: readonly (readonly [number, number, number])[]): Buffer {
	const disk = Buffer.alloc(diskBytes);
	disk.writeUInt32LE(0xab12_00cd, 440);
	putEntries(disk, 0, entries);
	return disk;
}

function putEntries(disk: Buffer, at: number, entries: readonly (readonly [number, number, number])[]): void {
	disk.writeUInt16LE(0xaa55, at + 510);
	for (const [index, [type, first, count]] of entries.entries()) {
		disk.writeUInt8(type, at + 450 + index * 16);
		disk.writeUInt32LE(first, at + 454 + index * 16);
		disk.writeUInt32LE(count, at + 458 + index * 16);
	}
}

let marks = 100;

/** First block and blocks of a partition, or the code and text of the error. */
async function place(path: string, which: Partial<DiskSource> & object): Promise<string> {
	const disk = {kind: 'file', path} as const;
	try {
		return await diskStack({kind: 'partition', disk, ...which} as DiskSource, async (stack) => {
			const mark = new SeededRandom(marks++).bytes(512);
			if ((await stack.write(0, mark)) !== DiskError.NONE) return 'cannot be written';
			return `${readFileSync(path).indexOf(mark) / 512}+${stack.disk.bytes / 512}`;
		});
	} catch (error) {
		return `${(error as VmmError).code}: ${(error as Error).message}`;
	}
}

const number = (value: number) => ({number: value});

test('partitions of a GPT are found by number, UUID and label', async (t) => {
	const uuid = '00112233445566778899aabbccddeeff';
	const path = newDisk(
		gptDisk(diskBytes, [{first: 64, last: 127}, undefined, {first: 2048, last: 4095, label: 'root é', uuid}]),
	);
	t.is(await place(path, number(1)), '64+64');
	t.is(await place(path, number(3)), '2048+2048');
	t.is(await place(path, {label: 'root é'} as object), '2048+2048');
	t.is(await place(path, {uuid: '33221100-5544-7766-8899-AABBCCDDEEFF'} as object), '2048+2048');
	t.regex(await place(path, number(2)), /^DISK_PARTITION_MISSING.*no partition 2; it has 1, 3$/);
	t.regex(await place(path, {label: ''.padEnd(5, 'x')} as object), /^DISK_PARTITION_MISSING.*of the label xxxxx/);
});

test('blocks of 4096 bytes, long entries, and the second copy where the first is damaged', async (t) => {
	const entries = [{first: 64, last: 64, label: 'a'}];
	t.is(await place(newDisk(gptDisk(diskBytes, entries, {block: 4096})), number(1)), '512+8');
	t.is(await place(newDisk(gptDisk(diskBytes, entries, {entryBytes: 512, count: 8})), number(1)), '64+1');
	const damaged = gptDisk(diskBytes, entries);
	damaged[512 + 50] = 1;
	t.is(await place(newDisk(damaged), number(1)), '64+1');
	const other = gptDisk(diskBytes, entries);
	other[1024 + 200] = 1;
	t.is(await place(newDisk(other), {label: 'a'} as object), '64+1');
	damaged[diskBytes - 512 + 50] = 1;
	t.regex(await place(newDisk(damaged), number(1)), /^DISK_PARTITION_TABLE.*checksum/);
});

test('partitions of an MBR, with logical ones', async (t) => {
	const disk = mbrDisk([
		[0x83, 2048, 1024],
		[0x05, 4096, 8192],
	]);
	putEntries(disk, 4096 * 512, [
		[0x83, 8, 100],
		[0x05, 1000, 2000],
	]);
	putEntries(disk, 5096 * 512, [[0x82, 16, 50]]);
	const path = newDisk(disk);
	t.is(await place(path, number(1)), '2048+1024');
	t.is(await place(path, {uuid: 'ab1200cd-06'} as object), '5112+50');
	t.is(await place(path, number(5)), '4104+100');
	t.is(await place(path, number(6)), '5112+50');
	t.regex(await place(path, number(2)), /^DISK_PARTITION_MISSING.*it has 1, 5, 6$/);
});

/** What is to be refused, and how. */
const refused = (title: string, disk: () => Buffer, which: object, message: RegExp) =>
	test(`refused: ${title}`, async (t: ExecutionContext) => {
		const content = disk();
		const path = newDisk(content);
		t.regex(await place(path, which), message);
		t.true(readFileSync(path).equals(content), 'nothing is written');
	});

const plain = (first: number, last: number) => () => gptDisk(diskBytes, [{first, last}]);
const blocks = diskBytes / 512;
refused('no table', () => Buffer.alloc(diskBytes), number(1), /^DISK_PARTITION_TABLE.*neither/);
refused('beyond the disk', plain(2048, blocks), number(1), /^DISK_PARTITION_PLACE/);
refused('far beyond the disk', plain(2 ** 52, 2 ** 52 + 7), number(1), /^DISK_PARTITION_PLACE/);
refused('an end before its beginning', plain(2048, 2000), number(1), /^DISK_PARTITION_PLACE/);
refused('over the first copy', plain(1, 2048), number(1), /^DISK_PARTITION_PLACE.*over the partition table/);
refused('over the entries', plain(10, 2048), number(1), /^DISK_PARTITION_PLACE.*over the partition table/);
refused('over the second copy', plain(2048, blocks - 2), number(1), /^DISK_PARTITION_PLACE.*over the partition table/);
refused(
	'over where the second copy would be, with a table that says it is for partitions',
	() => {
		const disk = plain(2048, blocks - 2)();
		disk.writeBigUInt64LE(BigInt(blocks - 1), 512 + 48);
		signGptHeader(disk, 512);
		return disk;
	},
	number(1),
	/^DISK_PARTITION_PLACE.*over the partition table/,
);
refused(
	'one in another',
	() =>
		gptDisk(diskBytes, [
			{first: 2048, last: 4095},
			{first: 3000, last: 3000},
		]),
	number(2),
	/^DISK_PARTITION_PLACE.*number 1 lie over each other/,
);
refused(
	'two of one label',
	() =>
		gptDisk(diskBytes, [
			{first: 64, last: 64, label: 'a'},
			{first: 65, last: 65, label: 'a'},
		]),
	{label: 'a'},
	/^DISK_PARTITION_AMBIGUOUS.*numbers 1, 2$/,
);
for (const [title, at, value, message] of [
	['a giant number of entries', 80, 0xffff_ffff, /entries of 128 bytes/],
	['entries of no length', 84, 0, /entries of 0 bytes/],
	['entries of a giant length', 84, 0xffff_ff80, /entries of/],
	['entries beyond the disk', 72, blocks, /beyond the disk/],
	['a long header', 12, 0xffff, /header of 65535/],
	['a short header', 12, 20, /header of 20/],
	['a header of another place', 24, 5, /block 5/],
] as const)
	refused(
		title,
		() => {
			const disk = gptDisk(diskBytes, [{first: 64, last: 64}]);
			for (const own of [512, diskBytes - 512]) {
				disk.writeUInt32LE(value, own + at);
				signGptHeader(disk, own);
			}
			return disk;
		},
		number(1),
		new RegExp(`^DISK_PARTITION_TABLE.*${message.source}`),
	);
refused(
	'a protective MBR without GPT',
	() => mbrDisk([[0xee, 1, 100]]),
	number(1),
	/^DISK_PARTITION_TABLE.*not where it should be/,
);
refused(
	'logical partitions in a circle',
	() => {
		const disk = mbrDisk([[0x05, 4096, 8192]]);
		putEntries(disk, 4096 * 512, [
			[0x83, 8, 8],
			[0x05, 100, 100],
		]);
		putEntries(disk, 4196 * 512, [
			[0x83, 8, 8],
			[0x05, 0, 100],
		]);
		return disk;
	},
	number(5),
	/^DISK_PARTITION_TABLE.*circle/,
);
refused(
	'more logical partitions than can be',
	() => {
		const disk = mbrDisk([[0x05, 4096, 8192]]);
		for (let index = 0; index < 1000; index++)
			putEntries(disk, (4096 + index * 4) * 512, [
				[0x83, 1, 1],
				[0x05, (index + 1) * 4, 4],
			]);
		return disk;
	},
	number(5),
	/^DISK_PARTITION_TABLE.*more than 256/,
);
refused(
	'an extended partition beyond the disk',
	() => mbrDisk([[0x05, 0xffff_0000, 8192]]),
	number(5),
	/^DISK_PARTITION_TABLE.*leaves/,
);
refused(
	'a partition over the list of logical ones',
	() => {
		const disk = mbrDisk([
			[0x83, 2048, 4096],
			[0x05, 4096, 8192],
		]);
		putEntries(disk, 4096 * 512, [[0x83, 4000, 8]]);
		return disk;
	},
	number(1),
	/^DISK_PARTITION_PLACE.*over the partition table/,
);

test('a window is a disk of its own, and nothing beside it changes', async (t) => {
	const content = new SeededRandom(4).bytes(diskBytes);
	const path = newDisk(content);
	const [start, length] = [2 ** 20 + 512, 2 ** 20];
	await diskStack(`part;offset=${start};length=1M:${path}`, async (stack) => {
		const disks = [stack.disk, await stack.another()];
		const part = content.slice(start, start + length);
		content.set(await randomLoad(t, stack, {seed: 5, steps: 100, content: part, disks}), start);
		t.is(await stack.read(length, 512), DiskError.OUT_OF_RANGE);
		t.is(await stack.write(length - 512, new Uint8Array(1024)), DiskError.OUT_OF_RANGE);
	});
	t.true(readFileSync(path).equals(content));
	await diskStack('memdiff:part;offset=0;length=1M:mem:2M', (stack) =>
		randomLoad(t, stack, {seed: 6, steps: 60, content: new Uint8Array(2 ** 20), discarded: new Uint8Array(2 ** 20)}),
	);
});

test('a window that is not within the disk, or not whole sectors, is refused; of a shorter disk reads fail', async (t) => {
	const path = newDisk();
	const code = {code: 'DISK_PARTITION_PLACE'};
	await t.throwsAsync(
		diskStack(`part;offset=8M;length=512:${path}`, async () => {}),
		code,
	);
	await t.throwsAsync(
		diskStack(`part;offset=1M;length=8M:${path}`, async () => {}),
		code,
	);
	await diskStack(`part;offset=4M;length=4M:${path}`, async ({read}) => {
		truncateSync(path, 5 * 2 ** 20);
		t.true(Buffer.isBuffer(await read(0, 4096)));
		t.is(await read(2 ** 20, 4096), DiskError.IO);
	});
});

test('any damage of a table is an error or a partition within the disk', async (t) => {
	const random = new SeededRandom(11);
	const good = gptDisk(diskBytes, [
		{first: 64, last: 127},
		{first: 2048, last: 4095},
	]);
	const dos = mbrDisk([
		[0x83, 2048, 1024],
		[0x05, 4096, 8192],
	]);
	putEntries(dos, 4096 * 512, [
		[0x83, 8, 100],
		[0x05, 1000, 2000],
	]);
	putEntries(dos, 5096 * 512, [[0x82, 16, 50]]);
	for (const [base, spots] of [
		[good, [446, 512, 1024, diskBytes - 512]],
		[dos, [446, 4096 * 512 + 446, 5096 * 512 + 446]],
	] as const) {
		const path = newDisk(base);
		const fd = openSync(path, 'r+');
		for (let round = 0; round < 80; round++) {
			const disk = Buffer.from(base);
			for (let change = 0; change <= random.below(4); change++) {
				const at = (spots[random.below(spots.length)] as number) + random.below(64);
				disk[at] = random.below(3) === 0 ? 0xff : random.below(256);
			}
			if (random.below(2) === 0 && base === good) for (const own of [512, diskBytes - 512]) signGptHeader(disk, own);
			for (const at of spots) writeSync(fd, disk, at - (at % 512), 512, at - (at % 512));
			const disks = {kind: 'file', path} as const;
			try {
				await diskStack(
					{kind: 'partition', disk: disks, number: 1 + random.below(6)},
					async (stack) => {
						t.true(stack.disk.bytes > 0 && stack.disk.bytes < diskBytes);
						t.true(Buffer.isBuffer(await stack.read(stack.disk.bytes - 512, 512)));
					},
					true,
				);
			} catch (error) {
				t.regex((error as VmmError).code, /^DISK_PARTITION_/);
			}
		}
	}
});
