import {chunkBytes, handOut, type JobPool, type RamPages, type RamPiece} from '#main/jobs';
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
	{fd, start}: RamFile,
	{progress, signal}: LongOperation = {},
): Promise<Uint32Array> {
	const total = ranges.reduce((sum, {length}) => sum + length, 0);
	const checksums = new Uint32Array(populated.reduce((sum, {length}) => sum + length, 0));
	let done = 0;
	const write = async ({piece, firstByte, firstChunk}: PlacedPiece) => {
		const result = await pool.saveMemory({...piece, fd, fileOffset: start + firstByte});
		if ('errno' in result) throw Object.assign(new Error('write'), {code: result.errno});
		checksums.set(result.checksums, firstChunk);
		done += piece.length;
		progress?.(done, total);
	};
	await handOut(pool, ramPieces(ranges, populated), write, signal);
	return checksums;
}

/**
 * Writes chunks of RAM once more that have been written to since {@link writeRam}, and brings their checksums up to date.
 * @param written - those chunks, of each range
 */
export async function rewriteRam(
	pool: JobPool,
	{ranges}: Pick<RamPages, 'ranges'>,
	written: readonly (readonly boolean[])[],
	{fd, start}: RamFile,
	checksums: Uint32Array,
	signal: AbortSignal | undefined,
): Promise<void> {
	const write = async ({piece, firstByte, firstChunk}: PlacedPiece) => {
		if (!piece.populated.includes(true)) return;
		const result = await pool.saveMemory({...piece, fd, fileOffset: start + firstByte, again: true});
		if ('errno' in result) throw Object.assign(new Error('write'), {code: result.errno});
		for (const [index, wasWritten] of piece.populated.entries())
			if (wasWritten) checksums[firstChunk + index] = result.checksums[index] as number;
	};
	await handOut(pool, ramPieces(ranges, written), write, signal);
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
	ranges: RamPages['ranges'],
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
