import {writeSync} from 'node:fs';
import {crc32} from 'node:zlib';

/** Guest memory that a job is given at a time. */
export interface RamPiece {
	readonly buffer: SharedArrayBuffer;
	readonly offset: number;
	readonly length: number;
	/** True for chunks that may hold anything but zeros; the others are not touched. The last chunk may be shorter. */
	readonly populated: readonly boolean[];
}

/** Guest memory to write to a file, in chunks of which each has a checksum. */
export interface SaveMemoryJob extends RamPiece {
	readonly fd: number;
	readonly fileOffset: number;
	/** There may be older bytes in the file: of chunks that are populated zeros are written too, and the others are left alone. */
	readonly again?: boolean;
}

/** A CRC-32 for every chunk that was not left alone, or the name of the error that the file gave. */
export type SaveMemoryResult = {readonly checksums: Uint32Array} | {readonly errno: string};

const pageBytes = 4096;
const zeroPage = Buffer.alloc(pageBytes);
/** Bytes of guest memory that share one checksum. */
export const chunkBytes = 2 ** 21;
const zeroChunk = new Uint8Array(chunkBytes);

/** Writes what is not zero; `again`, all. */
export function saveMemory({
	buffer,
	offset,
	length,
	populated,
	fd,
	fileOffset,
	again,
}: SaveMemoryJob): SaveMemoryResult {
	const checksums = new Uint32Array(populated.length);
	const zeroChecksum = crc32(zeroChunk);
	try {
		for (const [index, mayHoldData] of populated.entries()) {
			const at = index * chunkBytes;
			const bytes = Math.min(chunkBytes, length - at);
			if (mayHoldData) {
				const chunk = Buffer.from(buffer, offset + at, bytes);
				if (again) writeAll(fd, chunk, fileOffset + at);
				else writePages(fd, chunk, fileOffset + at);
				checksums[index] = crc32(chunk);
			} else {
				checksums[index] = bytes === chunkBytes ? zeroChecksum : crc32(zeroChunk.subarray(0, bytes));
			}
		}
		return {checksums};
	} catch (error) {
		return {errno: (error as NodeJS.ErrnoException).code ?? String(error)};
	}
}

/** Writes the runs of pages that are not zero. */
function writePages(fd: number, chunk: Buffer, fileOffset: number): void {
	let start: number | undefined;
	for (let at = 0; at <= chunk.length; at += pageBytes) {
		const isData = at < chunk.length && !chunk.subarray(at, at + pageBytes).equals(zeroPage);
		if (isData) start ??= at;
		else if (start !== undefined) {
			writeAll(fd, chunk.subarray(start, at), fileOffset + start);
			start = undefined;
		}
	}
}

function writeAll(fd: number, bytes: Buffer, position: number): void {
	for (let done = 0; done < bytes.length; ) {
		done += writeSync(fd, bytes, done, bytes.length - done, position + done);
	}
}
