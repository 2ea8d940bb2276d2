import {type Frame, leastFrameBytes, Segmentation} from '#devices/network/endpoint';
import {packed, u8, u16, type ViewOf} from '#support/wire';

/** What stands before a frame and says what is still to be done to it: on virtio's queues (virtio 1.2, 5.1.6), and on a tap interface. */
export const VnetHeader = packed('virtio_net_hdr_v1', {
	flags: u8,
	segmentation: u8,
	headerBytes: u16,
	segmentBytes: u16,
	checksumStart: u16,
	checksumOffset: u16,
	/** Of frames to a driver: buffers that this one lies in. */
	buffers: u16,
}).sized(12, 'virtio 1.2, 5.1.6');
export type VnetHeaderView = ViewOf<typeof VnetHeader>;

export const HeaderFlag = {NEEDS_CHECKSUM: 1, IS_CHECKED: 2} as const;
/** The frame's sender has seen congestion: with a kind of segmentation of TCP. */
const congestionBit = 0x80;
const kinds: readonly number[] = Object.values(Segmentation);

/** Makes a header say what a frame says of itself. @param headerBytes - before the payload of one that is to be cut */
export function writeHeader(header: VnetHeaderView, frame: Frame, headerBytes: number): void {
	header.flags =
		(frame.needsChecksum ? HeaderFlag.NEEDS_CHECKSUM : 0) |
		(frame.isChecked && !frame.needsChecksum ? HeaderFlag.IS_CHECKED : 0);
	header.segmentation = frame.segmentation;
	header.segmentBytes = frame.segmentBytes;
	header.headerBytes = frame.segmentation === Segmentation.NONE ? 0 : headerBytes;
	header.checksumStart = frame.needsChecksum ? frame.checksumStart : 0;
	header.checksumOffset = frame.needsChecksum ? frame.checksumOffset : 0;
	header.buffers = 0;
}

/**
 * Makes a frame, which has its bytes and its length, say of itself what a header does.
 * @returns false for what lies outside the frame, or is not known; how it is to be cut has still to be looked at
 */
export function readHeader(header: VnetHeaderView, frame: Frame): boolean {
	const segmentation = header.segmentation & ~congestionBit;
	if ((header.flags & HeaderFlag.NEEDS_CHECKSUM) === 0) {
		frame.isChecked = (header.flags & HeaderFlag.IS_CHECKED) !== 0;
		return segmentation === Segmentation.NONE;
	}
	const {checksumStart, checksumOffset} = header;
	if (checksumStart < leastFrameBytes || checksumStart + checksumOffset + 2 > frame.length) return false;
	if (!kinds.includes(segmentation)) return false;
	frame.needsChecksum = true;
	frame.checksumStart = checksumStart;
	frame.checksumOffset = checksumOffset;
	frame.segmentation = segmentation as Segmentation;
	frame.segmentBytes = segmentation === Segmentation.NONE ? 0 : header.segmentBytes;
	return true;
}
