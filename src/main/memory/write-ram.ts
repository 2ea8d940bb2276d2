import {chunkBytes, type HostPages, handOut, type JobPool, type RamPiece} from '#main/jobs';
import type {LongOperation} from '#support/abort';

/** An open file that RAM is written to, range after range. */
export interface RamFile {
	readonly fd: number;
	/** Beginning of the first range. */
	readonly start: number;
}

const chunksPerJob = 32;

/**
 * Writes RAM to a file on the pool's threads, leaving out pages of zeros, or brings a file up to date.
 * @param chunks - which chunks of each range may hold anything but zeros, or have been written to since
 * @param checksums - of the file that is brought up to date, which follow it; that reports no progress
 * @returns the CRC-32 of every chunk; rejects with the file's error, and with the signal's reason
 */
export async function writeRam(
	pool: JobPool,
	{ranges}: Pick<HostPages, 'ranges'>,
	chunks: readonly (readonly boolean[])[],
	{fd, start}: RamFile,
	{progress, signal}: LongOperation = {},
	checksums?: Uint32Array,
): Promise<Uint32Array> {
	const again = checksums !== undefined;
	const sums = checksums ?? new Uint32Array(chunks.reduce((sum, {length}) => sum + length, 0));
	const total = ranges.reduce((sum, {length}) => sum + length, 0);
	let done = 0;
	const write = async ({piece, firstByte, firstChunk}: PlacedPiece) => {
		if (again && !piece.populated.includes(true)) return;
		const result = await pool.saveMemory({...piece, fd, fileOffset: start + firstByte, again});
		if ('errno' in result) throw Object.assign(new Error('write'), {code: result.errno});
		for (const [index, sum] of result.checksums.entries())
			if (!again || piece.populated[index]) sums[firstChunk + index] = sum;
		done += piece.length;
		if (!again) progress?.(done, total);
	};
	await handOut(pool, ramPieces(ranges, chunks), write, signal);
	return sums;
}

/** A piece of RAM, and where it lies in all of it. */
interface PlacedPiece {
	readonly piece: RamPiece;
	readonly firstByte: number;
	readonly firstChunk: number;
}

/**
 * RAM in pieces for the jobs of a pool.
 * @param populated - which chunks of each range may hold anything but zeros
 */
export function* ramPieces(
	ranges: HostPages['ranges'],
	populated: readonly (readonly boolean[])[],
): Generator<PlacedPiece> {
	let [rangeByte, rangeChunk] = [0, 0];
	for (const [index, {memory, offset: rangeOffset, length}] of ranges.entries()) {
		const chunks = populated[index] ?? [];
		for (let chunk = 0; chunk < chunks.length; chunk += chunksPerJob) {
			const offset = chunk * chunkBytes;
			const piece = {
				buffer: memory.buffer,
				offset: rangeOffset + offset,
				length: Math.min(chunksPerJob * chunkBytes, length - offset),
				populated: chunks.slice(chunk, chunk + chunksPerJob),
			};
			yield {piece, firstByte: rangeByte + offset, firstChunk: rangeChunk + chunk};
		}
		rangeByte += length;
		rangeChunk += chunks.length;
	}
}
