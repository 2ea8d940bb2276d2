import {availableParallelism} from 'node:os';
import {chunkBytes, createJobPool, handOut} from '#main/jobs';
import {abortable, type LongOperation} from '#support/abort';
import {snapshotError} from './errors.ts';
import {snapshotFiles} from './files.ts';
import type {OpenSnapshot} from './open-snapshot.ts';

const chunksPerJob = 32;

/**
 * Compares all of a snapshot's memory with its checksums.
 * @throws VmmError SNAPSHOT_DAMAGED naming the first place, OPERATION_ABORTED
 */
export async function verifySnapshot(snapshot: OpenSnapshot, asked: LongOperation = {}): Promise<void> {
	const wrong = await abortable('verify-snapshot', asked.signal, () => firstWrong(snapshot, asked));
	if (wrong === undefined) return;
	const cause = `does not match its checksum in the 2 MiB from 0x${wrong.toString(16)}`;
	throw snapshotError('SNAPSHOT_DAMAGED', {directory: snapshot.directory, file: snapshotFiles.memory, cause});
}

/** Offset of the first chunk that does not match. */
async function firstWrong(
	{manifest, memoryFd: fd}: OpenSnapshot,
	{progress, signal}: LongOperation,
): Promise<number | undefined> {
	const {bytes} = manifest.memory;
	const checksums = new Uint32Array(new Uint8Array(Buffer.from(manifest.memory.checksums, 'base64')).buffer);
	const pool = await createJobPool(availableParallelism());
	try {
		const found: number[] = [];
		let done = 0;
		const verify = async (chunk: number) => {
			const fileOffset = chunk * chunkBytes;
			const length = Math.min(chunksPerJob * chunkBytes, bytes - fileOffset);
			const part = checksums.slice(chunk, chunk + chunksPerJob);
			const wrong = await pool.verifyMemory({fd, fileOffset, length, checksums: part});
			if (wrong >= 0) found.push(wrong);
			done += length;
			progress?.(done, bytes);
		};
		const starts = Array.from({length: Math.ceil(checksums.length / chunksPerJob)}, (_, job) => job * chunksPerJob);
		await handOut(pool, starts, verify, signal);
		return found.sort((a, b) => a - b)[0];
	} finally {
		await pool.close();
	}
}
