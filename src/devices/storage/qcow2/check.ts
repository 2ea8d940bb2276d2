import {type CheckResult, Faults, type ImageFile, imageError, type Repair} from '#devices/storage/image';
import {compressedPlace, copiedHigh, High, isSound, offsetOf} from './entries.ts';
import {format, type Header} from './header.ts';
import type {Refcounts} from './refcounts.ts';
import {ReferenceCounts} from './reference-counts.ts';
import {readSnapshots} from './snapshots.ts';

/** L2 tables that a check reads, at most: an image may have snapshots without end that share theirs. */
const mostTables = 2 ** 22;
/** Entries of their L1 tables, which may lie in each other: 256 snapshots of 64 TiB in clusters of 64 KiB. */
const mostEntries = 2 ** 25;
/** QEMU goes no further. */
const mostBitmaps = 65_535;

/** An image whose file has all that is in memory. */
export interface CheckedImage {
	readonly file: ImageFile;
	readonly header: Header;
	readonly counts: Refcounts;
	/** The L1 table. */
	readonly l1: Buffer;
	readonly l1Offset: number;
}

/** Compares the counts of an image with what its tables refer to (qcow2.txt, "Host cluster management"). */
export async function checkQcow2(
	image: CheckedImage,
	repair?: Repair,
	progress?: (done: number, total: number) => void,
): Promise<CheckResult> {
	const faults = new Faults();
	const references = await countReferences(image, faults, progress);
	// What could not be counted would be given away.
	const isComplete = faults.result.faultCount === 0;
	if (repair === 'all') addBlocks(image, references);
	await compareCounts(image, references, faults, {rises: repair === 'all', falls: repair !== undefined && isComplete});
	await checkMarks(image, references, faults, repair);
	return faults.result;
}

/** Makes all counts of an image what its tables say. @throws VmmError DISK_IMAGE_DAMAGED */
export async function replaceCounts(image: CheckedImage): Promise<void> {
	const {faultCount, faults} = await checkQcow2(image, 'all');
	if (faultCount === 0) return;
	const what = `its reference counts cannot be made anew: ${faults[0]}`;
	throw imageError('DISK_IMAGE_DAMAGED', {path: image.file.path, format, what});
}

/** Counts what everything in the image refers to. */
async function countReferences(
	image: CheckedImage,
	faults: Faults,
	progress?: (done: number, total: number) => void,
): Promise<ReferenceCounts> {
	const {file, header, counts, l1, l1Offset} = image;
	const {clusterBytes} = header;
	const references = new ReferenceCounts(clusterBytes, await file.size(), faults);
	references.add(0, clusterBytes, 'the header');
	references.add(counts.tableOffset, counts.tableClusters * clusterBytes, 'the refcount table');
	for (let range = 0; range < counts.tableEntries; range++) {
		const offset = counts.blockOffset(range);
		if (offset !== 0 && offset !== undefined) references.add(offset, clusterBytes, `refcount block ${range}`);
	}
	references.add(l1Offset, l1.length, 'the L1 table');
	const snapshots = await readSnapshots(file, header, faults);
	references.add(header.snapshotsOffset, snapshots.bytes, 'the snapshot table');
	await countBitmaps(image, references, faults);
	const unsupported = (what: string) => imageError('DISK_IMAGE_UNSUPPORTED', {path: file.path, format, what});
	const tables = [{name: 'the disk', offset: l1Offset, size: l1.length / 8}];
	const seen = new Set([l1Offset]);
	for (const table of snapshots.tables) {
		const {name, offset, size} = table;
		if (seen.has(offset)) faults.add(`${name} has its L1 table where another one has it`);
		else if (references.add(offset, size * 8, `the L1 table of ${name}`)) tables.push(table);
		seen.add(offset);
	}
	const total = tables.reduce((sum, {size}) => sum + size, 0);
	if (total > mostEntries)
		throw unsupported(`its snapshots have tables of more than ${mostEntries} entries to be checked`);
	let [done, visits] = [0, 0];
	for (const {name, offset, size} of tables) {
		const isActive = offset === l1Offset;
		const entries = isActive ? l1 : Buffer.alloc(size * 8);
		if (!isActive) await file.read(offset, entries);
		const own = new Set<number>();
		for (let index = 0; index < size; index++) {
			progress?.(done++, total);
			const at = offsetOf(entries.readUInt32BE(index * 8), entries.readUInt32BE(index * 8 + 4));
			if (at === 0) continue;
			const table = `L2 table ${index} of ${name}`;
			if (!references.add(at, clusterBytes, table)) continue;
			if (own.has(at)) faults.add(`${table} lies where another one does`);
			else await countTable(image, at, table, references, faults);
			own.add(at);
			if (++visits > mostTables) throw unsupported(`its snapshots have more than ${mostTables} tables to be checked`);
		}
	}
	progress?.(total, total);
	return references;
}

/** Counts what an L2 table refers to. */
async function countTable(
	{file, header}: CheckedImage,
	offset: number,
	name: string,
	references: ReferenceCounts,
	faults: Faults,
): Promise<void> {
	const {clusterBytes, clusterBits} = header;
	const entries = Buffer.alloc(clusterBytes);
	await file.read(offset, entries);
	for (let index = 0; index < clusterBytes / 8; index++) {
		const [high, low] = [entries.readUInt32BE(index * 8), entries.readUInt32BE(index * 8 + 4)];
		if (high === 0 && low === 0) continue;
		if (high & High.compressed) {
			const {offset: at, bytes} = compressedPlace(high, low, clusterBits);
			references.addWithin(at, bytes, `compressed cluster ${index} of ${name}`);
			if (high & High.copied) faults.add(`compressed cluster ${index} of ${name} is marked as written in place`);
			continue;
		}
		const at = offsetOf(high, low);
		if (at !== 0) references.add(at, clusterBytes, `cluster ${index} of ${name}`);
	}
}

/** The clusters of persistent bitmaps (qcow2.txt, "Bitmaps"), as far as they count as consistent. */
async function countBitmaps({file, header}: CheckedImage, references: ReferenceCounts, faults: Faults): Promise<void> {
	const {bitmaps, clusterBytes} = header;
	if (bitmaps === undefined) return;
	if (!(bitmaps.bytes <= 64 * 2 ** 20)) return faults.add(`the directory of its bitmaps has ${bitmaps.bytes} bytes`);
	if (!references.add(bitmaps.offset, bitmaps.bytes, 'the directory of bitmaps')) return;
	const directory = Buffer.alloc(bitmaps.bytes);
	await file.read(bitmaps.offset, directory);
	for (let [at, count, total] = [0, 0, 0]; at + 24 <= directory.length; count++) {
		const offset = Number(directory.readBigUInt64BE(at));
		const size = directory.readUInt32BE(at + 8);
		total += size;
		if (size > 2 ** 22 || total > mostEntries || count === mostBitmaps)
			return faults.add('its bitmaps have more clusters than can be counted');
		if (references.add(offset, size * 8, 'the table of a bitmap')) {
			const table = Buffer.alloc(size * 8);
			await file.read(offset, table);
			for (let index = 0; index < size; index++) {
				const host = offsetOf(table.readUInt32BE(index * 8), table.readUInt32BE(index * 8 + 4));
				if (host !== 0) references.add(host, clusterBytes, 'a cluster of a bitmap');
			}
		}
		at += 24 + Math.ceil((directory.readUInt16BE(at + 18) + directory.readUInt32BE(at + 20)) / 8) * 8;
	}
}

/** Makes blocks for clusters in use that have no count, behind the end of the file. */
function addBlocks({counts, header}: CheckedImage, references: ReferenceCounts): void {
	const isMissing = (range: number) => counts.blockOffset(range) === 0;
	const wanted = references.ranges(counts.perBlock).filter(isMissing);
	for (let range = wanted.pop(); range !== undefined; range = wanted.pop()) {
		const cluster = references.end;
		if (!isMissing(range) || !counts.coverAt(range, cluster)) continue;
		references.extend();
		references.add(cluster * header.clusterBytes, header.clusterBytes, `refcount block ${range}`);
		wanted.push(Math.floor(cluster / counts.perBlock));
	}
}

async function compareCounts(
	{counts, header}: CheckedImage,
	references: ReferenceCounts,
	faults: Faults,
	{rises, falls}: {readonly rises: boolean; readonly falls: boolean},
): Promise<void> {
	const ranges = new Set(references.ranges(counts.perBlock));
	for (let range = 0; range < counts.tableEntries; range++) if (await counts.hasCounts(range)) ranges.add(range);
	for (const range of ranges) {
		const countOf = await counts.ofRange(range);
		for (let index = 0; index < counts.perBlock; index++) {
			const cluster = range * counts.perBlock + index;
			const count = countOf(index);
			const wanted = references.get(cluster);
			if (count === wanted) continue;
			const isLeak = count > wanted;
			if ((isLeak ? falls : rises) && (await counts.set(cluster, wanted))) faults.repair();
			else if (isLeak) faults.leak();
			else faults.add(`the cluster at ${cluster * header.clusterBytes} has ${wanted} uses and counts ${count}`);
		}
	}
}

/** The marks of what may be written in place: only those of the disk itself count, not those of its snapshots. */
async function checkMarks(
	{file, header, l1, l1Offset}: CheckedImage,
	references: ReferenceCounts,
	faults: Faults,
	repair: Repair | undefined,
): Promise<void> {
	const {clusterBytes} = header;
	const entries = Buffer.alloc(clusterBytes);
	/** Returns true where a mark was put right in `table`. */
	const check = (table: Buffer, index: number, name: string): boolean => {
		const [high, low] = [table.readUInt32BE(index * 8), table.readUInt32BE(index * 8 + 4)];
		const offset = offsetOf(high, low);
		if ((high & High.compressed) !== 0 || offset === 0 || !isSound(offset, clusterBytes)) return false;
		const isSingle = references.get(offset / clusterBytes) === 1;
		if (((high & High.copied) !== 0) === isSingle) return false;
		if (repair !== 'all') {
			faults.add(`${name} is marked as ${isSingle ? 'shared, and is not' : 'written in place, and is shared'}`);
			return false;
		}
		faults.repair();
		table.writeUInt32BE(isSingle ? copiedHigh(offset) : Math.floor(offset / 2 ** 32), index * 8);
		return true;
	};
	for (let index = 0; index < l1.length / 8; index++) {
		const offset = offsetOf(l1.readUInt32BE(index * 8), l1.readUInt32BE(index * 8 + 4));
		if (offset === 0 || !isSound(offset, clusterBytes) || !references.isInside(offset)) continue;
		if (check(l1, index, `L2 table ${index}`))
			await file.write(l1Offset + index * 8, l1.subarray(index * 8, index * 8 + 8));
		await file.read(offset, entries);
		let changed = false;
		for (let i = 0; i < clusterBytes / 8; i++)
			if (check(entries, i, `cluster ${i} of L2 table ${index}`)) changed = true;
		if (changed) await file.write(offset, entries);
	}
}
