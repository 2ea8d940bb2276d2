import {chunkBytes, type JobPool, type RamPages} from '#main/jobs';

/** Called with the bytes of RAM that have been dealt with. */
export type RamProgress = (doneBytes: number, totalBytes: number) => void;

/** An open file that RAM is written to, range after range. */
export interface RamFile {
	readonly fd: number;
	/** Where the first range begins. */
	readonly start: number;
}

const chunksPerJob = 32;

/**
 * Writes RAM to a file on the pool's threads, leaving out pages of zeros.
 * @param populated - which chunks of each range may hold anything else
 * @returns the CRC-32 of every chunk; rejects with the file's error
 */
export async function writeRam(
	pool: JobPool,
	{ranges}: Pick<RamPages, 'ranges'>,
	populated: readonly (readonly boolean[])[],
	{fd, start}: RamFile,
	progress: RamProgress = () => {},
): Promise<Uint32Array> {
	const total = ranges.reduce((sum, {length}) => sum + length, 0);
	const checksums = new Uint32Array(populated.flat().length);
	let done = 0;
	let [fileStart, chunkStart] = [start, 0];
	const jobs: Promise<void>[] = [];
	for (const [index, {buffer, bufferOffset, length}] of ranges.entries()) {
		const chunks = populated[index] ?? [];
		for (let chunk = 0; chunk < chunks.length; chunk += chunksPerJob) {
			const offset = chunk * chunkBytes;
			const bytes = Math.min(chunksPerJob * chunkBytes, length - offset);
			const job = {
				buffer,
				offset: bufferOffset + offset,
				length: bytes,
				populated: chunks.slice(chunk, chunk + chunksPerJob),
				fd,
				fileOffset: fileStart + offset,
			};
			const place = chunkStart + chunk;
			jobs.push(
				pool.saveMemory(job).then((result) => {
					if ('errno' in result) throw Object.assign(new Error('write'), {code: result.errno});
					checksums.set(result.checksums, place);
					done += bytes;
					progress(done, total);
				}),
			);
		}
		fileStart += length;
		chunkStart += chunks.length;
	}
	try {
		await Promise.all(jobs);
		return checksums;
	} finally {
		// None writes to the file when it is closed.
		await Promise.allSettled(jobs);
	}
}
