import {partitionError} from './errors.ts';
import type {DiskRange, Partition, PartitionTable, ReadPart} from './table.ts';

const blockBytes = 512;
/** Where the four entries are, each of 16 bytes: a type, first block and number of blocks in it. */
const entriesAt = 446;
const [entryBytes, entries] = [16, 4];
const signatureAt = 510;
const diskSignatureAt = 440;
const protectiveType = 0xee;
const extendedTypes: readonly number[] = [0x05, 0x0f, 0x85];
const firstLogical = 5;
/** Linux has no more either. */
const mostLogical = 256;

interface Entry {
	readonly type: number;
	readonly start: number;
	readonly length: number;
}

/** True for the first block of a disk with any table. */
export const isMbr = (block: Buffer): boolean => block.readUInt16LE(signatureAt) === 0xaa55;

/** True where the table is there so that programs that know no other take the disk for full. */
export const isProtective = (block: Buffer): boolean => entriesOf(block, 0).some(({type}) => type === protectiveType);

/**
 * Reads a master boot record, with the logical partitions of an extended one.
 * @throws VmmError DISK_PARTITION_TABLE
 */
export async function readMbr(block: Buffer, read: ReadPart, diskBytes: number): Promise<PartitionTable> {
	const signature = block.readUInt32LE(diskSignatureAt).toString(16).padStart(8, '0');
	const partition = ({start, length}: Entry, number: number): Partition => ({
		number,
		uuid: `${signature}-${number.toString(16).padStart(2, '0')}`,
		label: '',
		start,
		length,
	});
	const partitions: Partition[] = [];
	const own: DiskRange[] = [{start: 0, length: blockBytes}];
	for (const [index, entry] of entriesOf(block, 0).entries()) {
		if (entry.type === 0 || entry.length === 0) continue;
		if (extendedTypes.includes(entry.type)) {
			const logical = await readLogical(entry, read, diskBytes);
			partitions.push(...logical.entries.map((each, at) => partition(each, firstLogical + at)));
			own.push(...logical.own);
		} else partitions.push(partition(entry, index + 1));
	}
	return {partitions, own};
}

/** Follows the list of blocks that an extended partition has: each tells of one logical partition and of the next block. */
async function readLogical(
	extended: Entry,
	read: ReadPart,
	diskBytes: number,
): Promise<{entries: readonly Entry[]; own: readonly DiskRange[]}> {
	const [found, own] = [[] as Entry[], [] as DiskRange[]];
	const end = Math.min(diskBytes, extended.start + extended.length);
	for (let at = extended.start; own.length <= mostLogical; ) {
		if (at + blockBytes > end) throw tableError('its list of logical partitions leaves the extended one');
		if (own.some(({start}) => start === at)) throw tableError('its list of logical partitions runs in a circle');
		const block = await read(at, blockBytes);
		if (!isMbr(block)) throw tableError('a block of its list of logical partitions is none');
		own.push({start: at, length: blockBytes});
		const all = entriesOf(block, at);
		const logical = all.find(({type, length}) => type !== 0 && length > 0 && !extendedTypes.includes(type));
		if (logical !== undefined) found.push(logical);
		// Where the next block is goes by the extended partition's beginning.
		const next = entriesOf(block, extended.start).find(({type, length}) => extendedTypes.includes(type) && length > 0);
		if (next === undefined) return {entries: found, own};
		at = next.start;
	}
	throw tableError(`it has more than ${mostLogical} logical partitions`);
}

const tableError = (cause: string) => partitionError('DISK_PARTITION_TABLE', {cause});

function entriesOf(block: Buffer, base: number): Entry[] {
	return Array.from({length: entries}, (_, index) => {
		const at = entriesAt + index * entryBytes;
		return {
			type: block.readUInt8(at + 4),
			start: base + block.readUInt32LE(at + 8) * blockBytes,
			length: block.readUInt32LE(at + 12) * blockBytes,
		};
	});
}
