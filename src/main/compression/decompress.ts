import {type ArchiveFault, archiveError, faultsOf} from './errors.ts';
import {type Compression, findCompression} from './formats.ts';
import {unlz4, unlz4Legacy} from './lz4.ts';
import {Output} from './output.ts';
import {unxz, xzChunks} from './xz.ts';
import {gunzip, unzstd, zlibChunks} from './zlib.ts';

const decoders = {gzip: gunzip, zstd: unzstd, xz: unxz, lz4: unlz4, 'lz4-legacy': unlz4Legacy} as const;

/** A compressed file, and how many bytes it may become. */
export interface DecompressJob {
	readonly bytes: Uint8Array;
	readonly limit: number;
}

/**
 * Decompresses an archive of one member with nothing behind it. Takes time for every byte: not for the main thread.
 * @returns bytes in shared memory
 * @throws VmmError KERNEL_ARCHIVE_TRUNCATED, KERNEL_ARCHIVE_DAMAGED, KERNEL_ARCHIVE_UNSUPPORTED, MEMORY_BELOW_ARCHIVE
 */
export async function decompress({bytes, limit}: DecompressJob, archive: Compression): Promise<Uint8Array> {
	const {found, tool} = archive;
	const output = new Output(limit, () => archiveError('MEMORY_BELOW_ARCHIVE', {found, tool, limit}));
	const fault = faultsOf(archive, bytes);
	await decoders[archive.format](bytes, output, fault);
	// A decompressor that is itself compressed is nobody's kernel.
	const inner = findCompression(output.bytes);
	if (inner !== undefined) throw fault.unsupported(`${inner.found} is inside, and only one layer is taken off`);
	return output.bytes;
}

const chunkDecoders = {...zlibChunks, xz: xzChunks} as const;

/** Formats that come piece by piece too. */
export type ChunkFormat = keyof typeof chunkDecoders;

/** Decompresses piece by piece, without a limit: whoever takes the pieces stops when it has enough. */
export const decompressChunks = (
	bytes: Uint8Array,
	format: ChunkFormat,
	fault: ArchiveFault,
): AsyncGenerator<Uint8Array, void> => chunkDecoders[format](bytes, fault);
