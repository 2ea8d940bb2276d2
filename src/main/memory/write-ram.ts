import {chunkBytes, handOut, type JobPool, type RamPages} from '#main/jobs';
import type {LongOperation} from '#support/abort';

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
 * @returns the CRC-32 of every chunk; rejects with the file's error, and with the signal's reason
 */
export async function writeRam(
	pool: JobPool,
	{ranges}: Pick<RamPages, 'ranges'>,
	populated: readonly (readonly boolean[])[],
	file: RamFile,
	{progress, signal}: LongOperation = {},
): Promise<Uint32Array> {
	const total = ranges.reduce((sum, {length}) => sum + length, 0);
	const checksums = new Uint32Array(populated.reduce((sum, {length}) => sum + length, 0));
	let done = 0;
	const write = async ({job, place}: RamJob) => {
		const result = await pool.saveMemory(job);
		if ('errno' in result) throw Object.assign(new Error('write'), {code: result.errno});
		checksums.set(result.checksums, place);
		done += job.length;
		progress?.(done, total);
	};
	await handOut(pool, jobsOf(ranges, populated, file), write, signal);
	return checksums;
}

/** What is to be done, and where the checksums of it go. */
interface RamJob {
	readonly job: Parameters<JobPool['saveMemory']>[0];
	readonly place: number;
}

function* jobsOf(
	ranges: RamPages['ranges'],
	populated: readonly (readonly boolean[])[],
	{fd, start}: RamFile,
): Generator<RamJob> {
	let [fileStart, chunkStart] = [start, 0];
	for (const [index, {memory, offset: rangeOffset, length}] of ranges.entries()) {
		const chunks = populated[index] ?? [];
		for (let chunk = 0; chunk < chunks.length; chunk += chunksPerJob) {
			const offset = chunk * chunkBytes;
			const job = {
				buffer: memory.buffer,
				offset: rangeOffset + offset,
				length: Math.min(chunksPerJob * chunkBytes, length - offset),
				populated: chunks.slice(chunk, chunk + chunksPerJob),
				fd,
				fileOffset: fileStart + offset,
			};
			yield {job, place: chunkStart + chunk};
		}
		fileStart += length;
		chunkStart += chunks.length;
	}
}
