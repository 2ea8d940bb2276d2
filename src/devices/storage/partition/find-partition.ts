import type {Disk} from '#devices/storage/disk';
import {partitionError} from './errors.ts';
import {readGpt} from './gpt.ts';
import {isMbr, isProtective, readMbr} from './mbr.ts';
import {readDisk} from './read-disk.ts';
import type {DiskRange, Partition, ReadPart} from './table.ts';

/** A partition that is looked for: one of these. */
export interface WantedPartition {
	readonly number?: number;
	readonly uuid?: string;
	readonly label?: string;
}

const firstBytes = 512;
/** So many are named where another was wanted. */
const mostNamed = 16;

/**
 * Finds a partition by a disk's table, which may be anybody's. One that lies in another or over the table is refused: its guest could write
 * the table, and have another partition the next time.
 * @throws VmmError DISK_PARTITION_
 */
export async function findPartition(disk: Disk, wanted: WantedPartition): Promise<DiskRange> {
	const text = tellWanted(wanted);
	const {partitions, own} = await readTable(disk);
	const found = partitions.filter((each) => isWanted(each, wanted));
	const [partition] = found;
	if (partition === undefined)
		throw partitionError('DISK_PARTITION_MISSING', {wanted: text, found: tellNumbers(partitions) || 'none'});
	if (found.length > 1) throw partitionError('DISK_PARTITION_AMBIGUOUS', {wanted: text, found: tellNumbers(found)});
	const refused = (cause: string) => partitionError('DISK_PARTITION_PLACE', {wanted: text, cause});
	const {start, length} = partition;
	if (!(length > 0 && start + length <= disk.bytes))
		throw refused(`it has ${length} bytes from ${start} on, and the disk ${disk.bytes}`);
	const {sectorBytes} = disk.geometry;
	if (start % sectorBytes !== 0 || length % sectorBytes !== 0)
		throw refused(`its ${length} bytes from ${start} on are no whole sectors of ${sectorBytes}`);
	if (own.some((range) => areOver(range, partition))) throw refused('it lies over the partition table');
	const other = partitions.find((each) => each !== partition && areOver(each, partition));
	if (other !== undefined) throw refused(`it and number ${other.number} lie over each other`);
	return {start, length};
}

async function readTable(disk: Disk) {
	const read: ReadPart = (offset, length) => readDisk(disk, offset, length);
	const first = disk.bytes < firstBytes ? undefined : await read(0, firstBytes);
	if (first === undefined || !isMbr(first))
		throw partitionError('DISK_PARTITION_TABLE', {cause: 'it has neither GPT nor MBR'});
	return isProtective(first) ? readGpt(read, disk.bytes) : readMbr(first, read, disk.bytes);
}

const isWanted = (partition: Partition, {number, uuid, label}: WantedPartition): boolean =>
	(number === undefined || partition.number === number) &&
	(uuid === undefined || partition.uuid === uuid.toLowerCase()) &&
	(label === undefined || partition.label === label);

const areOver = (one: DiskRange, other: DiskRange): boolean =>
	one.start < other.start + other.length && other.start < one.start + one.length;

function tellNumbers(partitions: readonly Partition[]): string {
	const named = partitions.slice(0, mostNamed).map(({number}) => number);
	return named.join(', ') + (partitions.length > mostNamed ? ', …' : '');
}

const tellWanted = ({number, uuid, label}: WantedPartition): string =>
	number !== undefined ? `${number}` : uuid !== undefined ? `of the UUID ${uuid}` : `of the label ${label}`;
