import type {Frame} from '#devices/network/endpoint';
import {addWords, checksumOf} from './checksum.ts';

/** Where a UDP header has its checksum: one that comes out as zero is written as all ones there (RFC 768), since zero says that there is none. */
const udpChecksumOffset = 6;

/** Gives a frame that is not to be cut the checksum that it needs, where it needs one. */
export function finishChecksum(frame: Frame): void {
	if (!frame.needsChecksum) return;
	const view = frame.view;
	const at = frame.checksumStart + frame.checksumOffset;
	const value = checksumOf(addWords(view, frame.checksumStart, frame.length, 0));
	view.setUint16(at, value === 0 && frame.checksumOffset === udpChecksumOffset ? 0xffff : value);
	frame.needsChecksum = false;
	frame.isChecked = true;
}
