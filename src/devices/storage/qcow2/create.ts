import {type BackingReference, type ImageFile, imageError} from '#devices/storage/image';
import {backingNameRoom, Compatible, encodeHeader, format, l1SizeFor, mostBytes} from './header.ts';
import {writeCount} from './refcounts.ts';

/** What a new image is to be. */
export interface Qcow2Options {
	readonly sizeBytes: number;
	/** A power of two from 512 to 2 MiB; 64 KiB without it. */
	readonly clusterBytes?: number | undefined;
	/** 3 without it. Version 2 is for QEMU before 1.1. */
	readonly version?: 2 | 3 | undefined;
	/** Lets QEMU postpone counts, which it counts anew after a crash. */
	readonly lazyRefcounts?: boolean | undefined;
	/** Width of a count in bits: a power of two from 1 to 64; 16 without it. */
	readonly refcountBits?: number | undefined;
	/** How clusters are compressed; zlib without it, which QEMU before 5.1 knows alone. */
	readonly compression?: 'zlib' | 'zstd' | undefined;
	readonly backing?: BackingReference | undefined;
}

/**
 * Writes an image without data into an empty file.
 * @throws VmmError DISK_IMAGE_SIZE_INVALID, DISK_IMAGE_OPTION_INVALID
 */
export async function createQcow2(file: ImageFile, options: Qcow2Options): Promise<void> {
	const {sizeBytes, clusterBytes = 65_536, version = 3, lazyRefcounts = false, refcountBits = 16} = options;
	const {compression = 'zlib', backing} = options;
	const {path} = file;
	const invalid = (what: string) => imageError('DISK_IMAGE_OPTION_INVALID', {path, format, what});
	const clusterBits = Math.log2(clusterBytes);
	const refcountOrder = Math.log2(refcountBits);
	if (!Number.isInteger(clusterBits) || clusterBits < 9 || clusterBits > 21)
		throw invalid('a cluster has a power of two of bytes, from 512 to 2M');
	if (!Number.isInteger(refcountOrder) || refcountOrder < 0 || refcountOrder > 6)
		throw invalid('a reference count has a power of two of bits, from 1 to 64');
	if (version === 2 && refcountBits !== 16) throw invalid('version 2 has counts of 16 bits');
	if (version === 2 && lazyRefcounts) throw invalid('version 2 has no lazy reference counts');
	if (version === 2 && compression !== 'zlib') throw invalid('version 2 compresses by zlib');
	if (sizeBytes % 512 !== 0 || sizeBytes > mostBytes(clusterBytes)) {
		const what = `it has a multiple of 512 bytes, and with clusters of ${clusterBytes} no more than ${mostBytes(clusterBytes)}`;
		throw imageError('DISK_IMAGE_SIZE_INVALID', {path, format, sizeBytes, what});
	}
	if (backing !== undefined && Buffer.byteLength(backing.name) > backingNameRoom(clusterBytes))
		throw invalid(`the path of the image below has more than ${backingNameRoom(clusterBytes)} bytes`);

	const perBlock = (clusterBytes * 8) / refcountBits;
	const l1Size = l1SizeFor(sizeBytes, clusterBytes);
	const l1Clusters = Math.ceil((l1Size * 8) / clusterBytes);
	// Header, refcount table, refcount blocks, L1 table: the blocks count all of them.
	let [tableClusters, blocks, total] = [1, 1, 0];
	for (;;) {
		total = 1 + tableClusters + blocks + l1Clusters;
		const [needed, neededTable] = [Math.ceil(total / perBlock), Math.ceil((blocks * 8) / clusterBytes)];
		if (needed <= blocks && neededTable <= tableClusters) break;
		[blocks, tableClusters] = [Math.max(blocks, needed), Math.max(tableClusters, neededTable)];
	}
	const blocksAt = (1 + tableClusters) * clusterBytes;
	const table = Buffer.alloc(blocks * 8);
	for (let block = 0; block < blocks; block++) {
		const at = blocksAt + block * clusterBytes;
		table.writeBigUInt64BE(BigInt(at), block * 8);
		const counts = Buffer.alloc(clusterBytes);
		for (let index = 0; index < Math.min(perBlock, total - block * perBlock); index++)
			writeCount(counts, index, refcountOrder, 1);
		await file.write(at, counts);
	}
	await file.write(clusterBytes, table);
	await file.truncate(total * clusterBytes);
	await file.flush();
	const header = encodeHeader({
		version,
		clusterBits,
		sizeBytes,
		l1Size,
		l1Offset: blocksAt + blocks * clusterBytes,
		refcountTableOffset: clusterBytes,
		refcountTableClusters: tableClusters,
		refcountOrder,
		compatible: lazyRefcounts ? Compatible.lazyRefcounts : 0,
		compression,
		backing,
	});
	await file.write(0, header);
	await file.flush();
}
