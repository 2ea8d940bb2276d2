import {HostMemory} from '#devices/guest-memory';
import type {BytesFromGuest, BytesToGuest} from '../guest-bytes.ts';

/** Memory that a test has in the place of a guest's. */
export function plainBytes(from: number | Uint8Array): BytesFromGuest & BytesToGuest & {readonly bytes: Uint8Array} {
	const length = typeof from === 'number' ? from : from.length;
	const memory = new HostMemory(Math.max(1, length));
	if (typeof from !== 'number') memory.bytes.set(from);
	const {bytes} = memory;
	const isWithin = (offset: number, count: number) => offset >= 0 && count >= 0 && offset + count <= length;
	return {
		length,
		bytes: bytes.subarray(0, length),
		read(offset, target, targetOffset = 0, count = target.length - targetOffset) {
			if (!isWithin(offset, count)) return false;
			target.set(bytes.subarray(offset, offset + count), targetOffset);
			return true;
		},
		write(offset, source, sourceOffset = 0, count = source.length - sourceOffset) {
			if (!isWithin(offset, count)) return false;
			bytes.set(source.subarray(sourceOffset, sourceOffset + count), offset);
			return true;
		},
		pin: (vectors, offset, count) => isWithin(offset, count) && vectors.addHost(memory, offset, count),
	};
}
