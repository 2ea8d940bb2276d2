import {readSync} from 'node:fs';
import {crc32} from 'node:zlib';
import {chunkBytes} from './save-memory.ts';

/** Part of a file of guest memory to compare with its checksums. */
export interface VerifyMemoryJob {
	readonly fd: number;
	readonly fileOffset: number;
	readonly length: number;
	/** CRC-32 of every chunk of the part. */
	readonly checksums: Uint32Array;
}

/** Returns the offset in the file of the first chunk that does not match, or -1. A file that cannot be read does not match. */
export function verifyMemory({fd, fileOffset, length, checksums}: VerifyMemoryJob): number {
	const chunk = Buffer.alloc(chunkBytes);
	for (const [index, checksum] of checksums.entries()) {
		const at = index * chunkBytes;
		const bytes = Math.min(chunkBytes, length - at);
		if (!readAll(fd, chunk.subarray(0, bytes), fileOffset + at)) return fileOffset + at;
		if (crc32(chunk.subarray(0, bytes)) !== checksum) return fileOffset + at;
	}
	return -1;
}

function readAll(fd: number, target: Buffer, position: number): boolean {
	try {
		for (let done = 0; done < target.length; ) {
			const read = readSync(fd, target, done, target.length - done, position + done);
			if (read === 0) return false;
			done += read;
		}
		return true;
	} catch {
		return false;
	}
}
