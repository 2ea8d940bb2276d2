import test from 'ava';
import {MemoryFile} from '#devices/storage/image/testing';
import {crc32c} from './crc32c.ts';
import {ReplayedFile, readLog, replayLog} from './log.ts';
import {type Header, MiB} from './structures.ts';
import {type EntrySpec, encodeEntry, logSectorBytes as sector} from './testing/index.ts';

const logGuid = '01234567-89ab-cdef-0123-456789abcdef';
const header: Header = {
	slot: 0,
	sequence: 1n,
	fileWriteGuid: logGuid,
	dataWriteGuid: logGuid,
	logGuid,
	logOffset: MiB,
	logBytes: MiB,
};

/** An entry in whose sectors each is of one byte again and again. */
const entryOf = (
	spec: Omit<EntrySpec, 'writes'> & {
		readonly writes: readonly {readonly offset: number; readonly fill?: number; readonly length?: number}[];
	},
	guid = logGuid,
): Buffer =>
	encodeEntry(guid, {
		...spec,
		writes: spec.writes.map(({fill, ...write}) =>
			fill === undefined ? write : {...write, sector: new Uint8Array(sector).fill(fill)},
		),
	});

/** A file of 4 MiB of 0xee with these entries in its log, which goes on at its beginning. */
function fileWith(entries: readonly (readonly [at: number, bytes: Buffer])[]): MemoryFile {
	const bytes = Buffer.alloc(4 * MiB, 0xee);
	for (const [at, entry] of entries)
		for (let i = 0; i < entry.length; i += sector) entry.copy(bytes, MiB + ((at + i) % MiB), i, i + sector);
	return MemoryFile.of(bytes);
}

const end = MiB - sector;
/** Two entries that count, the first over the end of the log, and an older one that does not. */
const sound = [
	[4 * sector, entryOf({sequence: 3, tail: 4 * sector, writes: [{offset: 3 * MiB, fill: 9}]})],
	[
		end,
		entryOf({
			sequence: 5,
			tail: end,
			writes: [
				{offset: 3 * MiB, fill: 1},
				{offset: 2 * MiB, fill: 2},
			],
		}),
	],
	[
		2 * sector,
		entryOf({
			sequence: 6,
			tail: end,
			writes: [
				{offset: 3 * MiB, fill: 3},
				{offset: 3 * MiB + sector, length: 2 * sector},
			],
		}),
	],
] as const;

test('the newest sequence of entries is replayed, over the end of the log', async (t) => {
	const file = fileWith(sound);
	const replay = await readLog(file, header);
	if (replay === undefined) throw new TypeError('there is a log');
	const inMemory = new ReplayedFile(file.copy({writable: false}), replay);
	await replayLog(file, replay);
	for (const [offset, byte] of [
		[2 * MiB, 2],
		[2 * MiB + sector, 0xee],
		[3 * MiB, 3],
		[3 * MiB + sector, 0],
		[3 * MiB + 2 * sector, 0],
		[3 * MiB + 3 * sector, 0xee],
		[5 * MiB, 0],
	] as const)
		for (const one of [file, inMemory]) {
			const bytes = new Uint8Array(sector);
			await one.read(offset, bytes);
			t.deepEqual(bytes, new Uint8Array(sector).fill(byte), `${offset}`);
		}
	t.deepEqual([await file.size(), await inMemory.size()], [8 * MiB, 8 * MiB]);
});

test('an entry that is torn ends the sequence before it; without any that is whole the log is damaged', async (t) => {
	const torn = Buffer.from(sound[2][1]);
	torn[5000] = 7;
	// The sequence goes on from its first entry's tail.
	const replay = await readLog(fileWith([sound[1], [2 * sector, torn]]), header);
	t.deepEqual(
		replay?.writes.map(({offset, bytes}) => [offset, bytes?.[100]]),
		[
			[3 * MiB, 1],
			[2 * MiB, 2],
		],
	);
	const wrong: readonly (readonly [string, Buffer])[] = [
		['torn', torn],
		['another log', entryOf({sequence: 1, tail: 0, writes: []}, 'ffffffff-89ab-cdef-0123-456789abcdef')],
		['a tail that is not there', entryOf({sequence: 1, tail: 64 * sector, writes: []})],
		['a write to the header', entryOf({sequence: 1, tail: 0, writes: [{offset: 65_536, fill: 1}]})],
		['a write to the log', entryOf({sequence: 1, tail: 0, writes: [{offset: MiB + sector, fill: 1}]})],
		['a write behind all', entryOf({sequence: 1, tail: 0, writes: [{offset: 2 ** 60, length: 2 ** 62}]})],
	];
	for (const [name, entry] of wrong)
		await t.throwsAsync(
			readLog(fileWith([[0, entry]]), header),
			{code: 'DISK_IMAGE_DAMAGED', message: /nothing whole/},
			name,
		);
	t.is(await readLog(fileWith([]), {...header, logGuid: '00000000-0000-0000-0000-000000000000'}), undefined);
});

test('entries in each other are not looked at without end', async (t) => {
	const bytes = Buffer.alloc(4 * MiB);
	for (let at = MiB; at < 2 * MiB; at += sector) entryOf({sequence: 1, tail: 0, writes: []}).copy(bytes, at);
	// Each says that it is as long as the log.
	for (let at = MiB; at < 2 * MiB; at += sector) bytes.writeUInt32LE(MiB, at + 8);
	await t.throwsAsync(readLog(MemoryFile.of(bytes), header), {code: 'DISK_IMAGE_DAMAGED', message: /without end/});
});

test('a sequence that begins within one of its entries is none', async (t) => {
	// The first one holds the second; the third goes on over the end of the log, to the second: they lead to each other.
	const inner = entryOf({sequence: 1, tail: 0, writes: []});
	const outer = entryOf({sequence: 10, tail: sector, writes: [], bytes: 2 * sector});
	inner.copy(outer, sector);
	outer.writeUInt32LE(0, 4);
	outer.writeUInt32LE(crc32c(outer), 4);
	const last = entryOf({sequence: 7, tail: 0, writes: [], bytes: MiB - sector});
	outer.copy(last, MiB - 2 * sector, 0, sector);
	last.writeUInt32LE(0, 4);
	last.writeUInt32LE(crc32c(last), 4);
	const file = fileWith([
		[0, outer],
		[2 * sector, last],
	]);
	await t.throwsAsync(readLog(file, header), {code: 'DISK_IMAGE_DAMAGED', message: /nothing whole/});
});

test('an entry may have as many writes as it has room for', async (t) => {
	const logBytes = 8 * MiB;
	const count = 200_000;
	const bytes = Buffer.alloc(16 * MiB);
	const writes = Array.from({length: count}, () => ({offset: 12 * MiB, length: sector}));
	entryOf({sequence: 1, tail: 0, writes}).copy(bytes, MiB);
	const replay = await readLog(MemoryFile.of(bytes), {...header, logBytes});
	t.is(replay?.writes.length, count);
});

test('a file that has lost its end since the log was written is not taken for whole', async (t) => {
	const entry = entryOf({sequence: 1, tail: 0, writes: [{offset: 3 * MiB, fill: 9}], flushed: 5 * MiB});
	await t.throwsAsync(readLog(fileWith([[0, entry]]), header), {code: 'DISK_IMAGE_DAMAGED', message: /cut off/});
});
