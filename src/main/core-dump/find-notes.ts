import {createJobPool, type JobPool, maxCandidates, type RamPages} from '#main/jobs';
import {ramPieces} from '#main/memory';
import type {LongOperation} from '#support/abort';

/** What a Linux kernel says of itself in its memory, which is looked through by a thread of its own. @throws the signal's reason */
export async function findNotes(ram: RamPages, asked: LongOperation = {}): Promise<Uint8Array | undefined> {
	const pool = await createJobPool(1);
	try {
		return await notesIn(pool, ramPieces(ram.ranges, await pool.populatedChunks(ram)), asked);
	} finally {
		await pool.close();
	}
}

/** The same of pieces, one after another: they share the number of pages that a guest may have looked into. */
export async function notesIn(
	pool: JobPool,
	pieces: ReturnType<typeof ramPieces>,
	{signal}: LongOperation,
): Promise<Uint8Array | undefined> {
	let left = maxCandidates;
	for (const {piece} of pieces) {
		signal?.throwIfAborted();
		const {text, candidates} = await pool.findVmcoreinfo({...piece, most: left});
		left -= candidates;
		if (text !== undefined || left === 0) return text;
	}
	return undefined;
}
