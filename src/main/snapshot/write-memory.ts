import {availableParallelism} from 'node:os';
import {chunkBytes, createJobPool} from '#main/jobs';
import {populatedChunks, type RamPages} from './populated.ts';

/** Called with the bytes of RAM that have been dealt with. */
export type Progress = (doneBytes: number, totalBytes: number) => void;

const chunksPerJob = 32;

/** Writes RAM to an open file, leaving out pages of zeros. @returns the CRC-32 of every chunk; rejects with the file's error */
export async function writeMemory(ram: RamPages, fd: number, progress: Progress = () => {}): Promise<Uint32Array> {
	const marks = populatedChunks(ram);
	const total = ram.ranges.reduce((sum, {length}) => sum + length, 0);
	const checksums = new Uint32Array(marks.flat().length);
	const pool = await createJobPool(availableParallelism());
	let done = 0;
	let [fileStart, chunkStart] = [0, 0];
	const jobs: Promise<void>[] = [];
	try {
		for (const [index, {buffer, bufferOffset, length}] of ram.ranges.entries()) {
			const populated = marks[index] as boolean[];
			for (let chunk = 0; chunk < populated.length; chunk += chunksPerJob) {
				const offset = chunk * chunkBytes;
				const bytes = Math.min(chunksPerJob * chunkBytes, length - offset);
				const job = {
					buffer,
					offset: bufferOffset + offset,
					length: bytes,
					populated: populated.slice(chunk, chunk + chunksPerJob),
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
			chunkStart += populated.length;
		}
		await Promise.all(jobs);
		return checksums;
	} finally {
		await Promise.allSettled(jobs);
		await pool.close();
	}
}
