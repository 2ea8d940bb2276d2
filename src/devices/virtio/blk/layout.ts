import {packed, reserved, u8, u16, u32, u64} from '#support/wire';

/** Device configuration space (virtio 1.2, 5.2.4). Fields of features that are not offered are zero. */
export const BlkConfig = packed('virtio_blk_config', {
	capacity: u64.asNumber,
	sizeMost: u32,
	segmentsMost: u32,
	geometry: reserved(4),
	blockBytes: u32,
	topology: reserved(8),
	writeback: u8,
	padding: reserved(1),
	queues: u16,
}).sized(36, 'virtio 1.2, 5.2.4');

/** Header of a request (5.2.6). Data follow, and one byte of status is the last. */
export const RequestHeader = packed('virtio_blk_req', {
	type: u32,
	reserved: reserved(4),
	sector: u64.asNumber,
}).sized(16, 'virtio 1.2, 5.2.6');

export const RequestType = {IN: 0, OUT: 1, FLUSH: 4, GET_ID: 8} as const;
export const RequestStatus = {OK: 0, IO_ERROR: 1, UNSUPPORTED: 2} as const;
export const sectorBytes = 512;
export const idBytes = 20;
