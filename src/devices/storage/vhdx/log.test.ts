import test from 'ava';
import {MemoryFile} from '#devices/storage/image/testing';
import {crc32c} from './crc32c.ts';
import {ReplayedFile, readLog, replayLog} from './log.ts';
import {guidBytes, type Header, MiB} from './structures.ts';

const sector = 4096;
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

interface EntrySpec {
	readonly sequence: number;
	/** Where in the log the oldest entry is that still counts. */
	readonly tail: number;
	/** Sectors that are written, each of one byte again and again; of a length they are zeros. */
	readonly writes: readonly {readonly offset: number; readonly fill?: number; readonly length?: number}[];
	readonly guid?: string;
	/** Bytes that it has, with what lies in it behind its own. */
	readonly bytes?: number;
	/** Size of the file that was on stable storage. */
	readonly flushed?: number;
}

/** An entry as [MS-VHDX] 2.3.1 has it. */
function encodeEntry({sequence, tail, writes, guid = logGuid, bytes, flushed = 4 * MiB}: EntrySpec): Buffer {
	const head = Buffer.alloc(Math.ceil((64 + writes.length * 32) / sector) * sector);
	const sectors: Buffer[] = [];
	for (const [index, {offset, fill, length}] of writes.entries()) {
		const at = 64 + index * 32;
		head.write(fill === undefined ? 'zero' : 'desc', at, 'latin1');
		head.writeBigUInt64LE(BigInt(offset), at + 16);
		head.writeBigUInt64LE(BigInt(sequence), at + 24);
		if (fill === undefined) {
			head.writeBigUInt64LE(BigInt(length ?? 0), at + 8);
			continue;
		}
		head.fill(fill, at + 4, at + 16);
		const data = Buffer.alloc(sector, fill);
		data.write('data', 0, 'latin1');
		data.writeUInt32LE(0, 4);
		data.writeUInt32LE(sequence, sector - 4);
		sectors.push(data);
	}
	const own = Buffer.concat([head, ...sectors]);
	const entry = Buffer.concat([own, Buffer.alloc(Math.max(0, (bytes ?? 0) - own.length))]);
	entry.write('loge', 0, 'latin1');
	entry.writeUInt32LE(entry.length, 8);
	entry.writeUInt32LE(tail, 12);
	entry.writeBigUInt64LE(BigInt(sequence), 16);
	entry.writeUInt32LE(writes.length, 24);
	guidBytes(guid).copy(entry, 32);
	entry.writeBigUInt64LE(BigInt(flushed), 48);
	entry.writeBigUInt64LE(BigInt(8 * MiB), 56);
	entry.writeUInt32LE(crc32c(entry), 4);
	return entry;
}

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
	[4 * sector, encodeEntry({sequence: 3, tail: 4 * sector, writes: [{offset: 3 * MiB, fill: 9}]})],
	[
		end,
		encodeEntry({
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
		encodeEntry({
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
		['another log', encodeEntry({sequence: 1, tail: 0, writes: [], guid: 'ffffffff-89ab-cdef-0123-456789abcdef'})],
		['a tail that is not there', encodeEntry({sequence: 1, tail: 64 * sector, writes: []})],
		['a write to the header', encodeEntry({sequence: 1, tail: 0, writes: [{offset: 65_536, fill: 1}]})],
		['a write to the log', encodeEntry({sequence: 1, tail: 0, writes: [{offset: MiB + sector, fill: 1}]})],
		['a write behind all', encodeEntry({sequence: 1, tail: 0, writes: [{offset: 2 ** 60, length: 2 ** 62}]})],
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
	for (let at = MiB; at < 2 * MiB; at += sector) encodeEntry({sequence: 1, tail: 0, writes: []}).copy(bytes, at);
	// Each says that it is as long as the log.
	for (let at = MiB; at < 2 * MiB; at += sector) bytes.writeUInt32LE(MiB, at + 8);
	await t.throwsAsync(readLog(MemoryFile.of(bytes), header), {code: 'DISK_IMAGE_DAMAGED', message: /without end/});
});

test('a sequence that begins within one of its entries is none', async (t) => {
	// The first one holds the second; the third goes on over the end of the log, to the second: they lead to each other.
	const inner = encodeEntry({sequence: 1, tail: 0, writes: []});
	const outer = encodeEntry({sequence: 10, tail: sector, writes: [], bytes: 2 * sector});
	inner.copy(outer, sector);
	outer.writeUInt32LE(0, 4);
	outer.writeUInt32LE(crc32c(outer), 4);
	const last = encodeEntry({sequence: 7, tail: 0, writes: [], bytes: MiB - sector});
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
	encodeEntry({sequence: 1, tail: 0, writes}).copy(bytes, MiB);
	const replay = await readLog(MemoryFile.of(bytes), {...header, logBytes});
	t.is(replay?.writes.length, count);
});

test('a file that has lost its end since the log was written is not taken for whole', async (t) => {
	const entry = encodeEntry({sequence: 1, tail: 0, writes: [{offset: 3 * MiB, fill: 9}], flushed: 5 * MiB});
	await t.throwsAsync(readLog(fileWith([[0, entry]]), header), {code: 'DISK_IMAGE_DAMAGED', message: /cut off/});
});
