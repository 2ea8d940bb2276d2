import type {Disk} from '#devices/storage/disk';
import {mostClearedRanges, mostSegments} from './blk-request.ts';
import {BlkConfig, sectorBytes} from './layout.ts';
import {mostRequestBytes} from './requests.ts';

/** Whole pages, of which as many as a request has make no more than {@link mostRequestBytes}. */
const mostSegmentBytes = Math.floor(mostRequestBytes / mostSegments / 4096) * 4096;

/** Where the driver writes whether there is a cache. */
export const writebackOffset = BlkConfig.offset('writeback');

const constant = {sizeMost: mostSegmentBytes, segmentsMost: mostSegments, writeback: 1} as const;

/** Configuration space as it is at power-on, before the disk is there. */
export const emptyConfig = (queues: number): Uint8Array => BlkConfig.encode({...constant, queues});

/** What it says of a disk. */
export function diskConfig({bytes, geometry}: Disk, queues: number): Uint8Array {
	const {sectorBytes: block, physicalSectorBytes, discardBytes, mostClearedBytes} = geometry;
	const [sectors, segments] = [mostClearedBytes / sectorBytes, mostClearedRanges];
	return BlkConfig.encode({
		...constant,
		queues,
		capacity: bytes / sectorBytes,
		blockBytes: block,
		physicalExponent: Math.log2(physicalSectorBytes / block),
		transferLeast: physicalSectorBytes / block,
		discardSectorsMost: sectors,
		discardSegmentsMost: segments,
		discardAlignment: Math.max(discardBytes, block) / sectorBytes,
		zeroesSectorsMost: sectors,
		zeroesSegmentsMost: segments,
		zeroesMayUnmap: discardBytes > 0 ? 1 : 0,
	});
}

/** The disk that configuration space tells of: its length, 0 before there is one, and its blocks. */
export function toldDisk(config: Uint8Array): {readonly bytes: number; readonly block: number} {
	const {capacity, blockBytes} = BlkConfig.read(config);
	return {bytes: capacity * sectorBytes, block: blockBytes};
}
