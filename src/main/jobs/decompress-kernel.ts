import {type DecompressJob, decompress, findCompression} from '#main/compression';
import {type ErrorData, isVmmError} from '#support/errors';

/** The bytes, in shared memory, or the data of the error: errors do not cross threads whole. */
export type DecompressResult = {readonly bytes: Uint8Array} | {readonly error: ErrorData};

/** Decompresses a kernel file; one that is not compressed comes back as it is. */
export async function decompressKernel(job: DecompressJob): Promise<DecompressResult> {
	const archive = findCompression(job.bytes);
	if (archive === undefined) return {bytes: job.bytes};
	try {
		return {bytes: await decompress(job, archive)};
	} catch (error) {
		if (isVmmError(error)) return {error: error.toData()};
		throw error;
	}
}
