import {packed, reserved, u8, u16, u32, u64, wire} from '#support/wire';

/** Device configuration space (virtio 1.2, 5.2.4). Fields of features that are not offered are zero. */
export const BlkConfig = packed('virtio_blk_config', {
	capacity: u64.asNumber,
	sizeMost: u32,
	segmentsMost: u32,
	geometry: reserved(4),
	blockBytes: u32,
	/** How often 2 a block goes into a physical one; the first block that begins one; both sizes in blocks. */
	physicalExponent: u8,
	alignmentOffset: u8,
	transferLeast: u16,
	transferBest: u32,
	/** Written by the driver: 1 for a cache that a flush writes back, 0 for none. */
	writeback: u8,
	padding: reserved(1),
	queues: u16,
	discardSectorsMost: u32,
	discardSegmentsMost: u32,
	discardAlignment: u32,
	zeroesSectorsMost: u32,
	zeroesSegmentsMost: u32,
	zeroesMayUnmap: u8,
	end: reserved(3),
}).sized(60, 'virtio 1.2, 5.2.4');

/** Header of a request (5.2.6). Data follow, and one byte of status is the last. */
export const RequestHeader = wire('virtio_blk_req', {
	type: u32,
	reserved: reserved(4),
	sector: u64.asNumber,
}).sized(16, 'virtio 1.2, 5.2.6');

/** One range of a request to discard or to write zeroes (5.2.6). */
export const ClearedRange = packed('virtio_blk_discard_write_zeroes', {
	sector: u64.asNumber,
	sectors: u32,
	flags: u32,
}).sized(16, 'virtio 1.2, 5.2.6');

/** How much of a medium's life is over, in steps as JESD84-B50 has them; 0 where that is not known (5.2.6). */
export const Lifetime = packed('virtio_blk_lifetime', {
	/** Of the blocks in reserve. */
	reserve: u16,
	/** Of cells with one bit, and of those with more. */
	singleLevel: u16,
	multiLevel: u16,
}).sized(6, 'virtio 1.2, 5.2.6');

export const RequestType = {
	IN: 0,
	OUT: 1,
	FLUSH: 4,
	GET_ID: 8,
	GET_LIFETIME: 10,
	DISCARD: 11,
	WRITE_ZEROES: 13,
} as const;
export const RequestStatus = {OK: 0, IO_ERROR: 1, UNSUPPORTED: 2} as const;
/** Of {@link ClearedRange}: the room may be given up. */
export const unmapFlag = 1;
/** Unit of sectors in all fields, whatever blocks the disk has. */
export const sectorBytes = 512;
export const idBytes = 20;
