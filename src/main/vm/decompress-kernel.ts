import {createJobPool} from '#main/jobs';
import {VmmError} from '#support/errors';

/** No kernel is larger, and what is decompressed is in this process's memory. */
const mostBytes = 2 ** 30;

/**
 * Decompresses a kernel file in a thread, since it takes its time, and to no more bytes than the machine has memory.
 * @returns bytes in shared memory, from its beginning
 * @throws VmmError of the kinds in `#main/compression`
 */
export async function decompressKernel(bytes: Uint8Array, memoryBytes: number): Promise<Uint8Array> {
	const pool = await createJobPool(1);
	try {
		const result = await pool.decompressKernel({bytes, limit: Math.min(memoryBytes, mostBytes)});
		if ('error' in result) throw new VmmError(result.error);
		return result.bytes;
	} finally {
		await pool.close();
	}
}
