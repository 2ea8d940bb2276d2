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
/** Jobs that a thread of the pool finds waiting. All at once would take the calling thread long for large memory. */
const jobsPerThread = 2;

/**
 * Writes RAM to a file on the pool's threads, leaving out pages of zeros.
 * @param populated - which chunks of each range may hold anything else
 * @returns the CRC-32 of every chunk; rejects with the file's error
 */
export async function writeRam(
	pool: JobPool,
	{ranges}: Pick<RamPages, 'ranges'>,
	populated: readonly (readonly boolean[])[],
	file: RamFile,
	progress: RamProgress = () => {},
): Promise<Uint32Array> {
	const total = ranges.reduce((sum, {length}) => sum + length, 0);
	const checksums = new Uint32Array(populated.reduce((sum, {length}) => sum + length, 0));
	let done = 0;
	const jobs = jobsOf(ranges, populated, file);
	const lane = async () => {
		for (const {job, place} of jobs) {
			const result = await pool.saveMemory(job);
			if ('errno' in result) throw Object.assign(new Error('write'), {code: result.errno});
			checksums.set(result.checksums, place);
			done += job.length;
			progress(done, total);
		}
	};
	const lanes = Array.from({length: pool.threads * jobsPerThread}, lane);
	try {
		await Promise.all(lanes);
		return checksums;
	} finally {
		// None writes to the file when it is closed.
		await Promise.allSettled(lanes);
	}
}

/** What is to be done, and where the checksums of it go. */
function* jobsOf(ranges: RamPages['ranges'], populated: readonly (readonly boolean[])[], {fd, start}: RamFile) {
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
