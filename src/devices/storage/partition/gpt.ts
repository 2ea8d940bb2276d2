import {crc32} from 'node:zlib';
import {bytes, packed, u32, u64} from '#support/wire';
import {partitionError} from './errors.ts';
import type {Partition, PartitionTable, ReadPart} from './table.ts';

/** Header of a GUID partition table (UEFI 2.10, 5.3.2). */
const GptHeader = packed('gpt-header', {
	signature: bytes(8),
	revision: u32,
	headerBytes: u32,
	headerChecksum: u32,
	reserved: u32,
	ownBlock: u64,
	otherBlock: u64,
	firstUsable: u64,
	lastUsable: u64,
	diskGuid: bytes(16),
	entriesBlock: u64,
	entryCount: u32,
	entryBytes: u32,
	entriesChecksum: u32,
});
const signature = 'EFI PART';
/** Field of the header that its checksum takes for zero. */
const checksumAt = 16;
const leastEntryBytes = 128;
/** Entries of all tables that tools make take 16 KiB. */
const mostEntriesBytes = 2 ** 20;
const blocks = [512, 4096] as const;

/**
 * Reads a GUID partition table: the first of its two copies, and where that is damaged the other.
 * @throws VmmError DISK_PARTITION_TABLE
 */
export async function readGpt(read: ReadPart, diskBytes: number): Promise<PartitionTable> {
	const causes: string[] = [];
	for (const offsetOf of [(block: number) => block, (block: number) => diskBytes - block])
		for (const block of blocks) {
			const at = offsetOf(block);
			if (at < block || at + block > diskBytes || at % block !== 0) continue;
			const header = await read(at, block);
			if (header.toString('latin1', 0, 8) !== signature) continue;
			const found = await readCopy(read, diskBytes, header, block, at);
			if (typeof found !== 'string') return found;
			causes.push(found);
		}
	throw partitionError('DISK_PARTITION_TABLE', {cause: causes[0] ?? 'its GPT is not where it should be'});
}

/** One of the copies, or what is wrong with it. */
async function readCopy(
	read: ReadPart,
	diskBytes: number,
	header: Buffer,
	block: number,
	at: number,
): Promise<PartitionTable | string> {
	const {headerBytes, headerChecksum, entryCount, entryBytes, entriesChecksum, ...told} = GptHeader.read(header);
	const ownBlock = Number(told.ownBlock);
	if (headerBytes < GptHeader.size || headerBytes > block) return `a header of ${headerBytes} bytes`;
	const checked = Buffer.from(header.subarray(0, headerBytes));
	checked.fill(0, checksumAt, checksumAt + 4);
	if (crc32(checked) !== headerChecksum) return 'a header that does not match its checksum';
	if (ownBlock * block !== at) return `a header that says that it is in block ${ownBlock}`;
	if (entryBytes < leastEntryBytes || entryBytes % leastEntryBytes !== 0) return `entries of ${entryBytes} bytes`;
	const length = entryCount * entryBytes;
	if (length > mostEntriesBytes) return `${entryCount} entries of ${entryBytes} bytes`;
	const start = Number(told.entriesBlock) * block;
	if (!(start >= block && start + length <= diskBytes)) return 'entries that lie beyond the disk';
	const entries = await read(start, length);
	if (crc32(entries) !== entriesChecksum) return 'entries that do not match their checksum';
	const [firstUsable, endUsable] = [Number(told.firstUsable) * block, (Number(told.lastUsable) + 1) * block];
	// Where partitions may not lie, the other copy is; and it is looked for in the last block, whatever this one says.
	const endOwn = Math.min(endUsable, diskBytes - Math.max(...blocks));
	const own = [
		{start: 0, length: Math.max(2 * block, firstUsable)},
		{start, length},
		{start: endOwn, length: diskBytes - endOwn},
	];
	return {partitions: partitionsIn(entries, entryBytes, block), own};
}

function partitionsIn(entries: Buffer, entryBytes: number, block: number): Partition[] {
	const partitions: Partition[] = [];
	for (let at = 0; at + entryBytes <= entries.length; at += entryBytes) {
		// No type: it is not used (UEFI 2.10, 5.3.3).
		if (entries.subarray(at, at + 16).every((byte) => byte === 0)) continue;
		const [first, last] = [entries.readBigUInt64LE(at + 32), entries.readBigUInt64LE(at + 40)].map(Number);
		partitions.push({
			number: at / entryBytes + 1,
			uuid: guidAt(entries, at + 16),
			label: entries.toString('utf16le', at + 56, at + 128).replace(/\0.*$/s, ''),
			start: (first as number) * block,
			length: ((last as number) - (first as number) + 1) * block,
		});
	}
	return partitions;
}

/** The first three parts of a GUID are little-endian. */
function guidAt(entries: Buffer, at: number): string {
	const part = (from: number, to: number) => entries.toString('hex', at + from, at + to);
	const numbers = [entries.readUInt32LE(at), entries.readUInt16LE(at + 4), entries.readUInt16LE(at + 6)];
	const texts = numbers.map((number, index) => number.toString(16).padStart(index === 0 ? 8 : 4, '0'));
	return [...texts, part(8, 10), part(10, 16)].join('-');
}
