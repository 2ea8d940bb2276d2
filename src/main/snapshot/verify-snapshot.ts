import {availableParallelism} from 'node:os';
import {chunkBytes, createJobPool} from '#main/jobs';
import type {RamProgress} from '#main/memory';
import {snapshotError} from './errors.ts';
import {snapshotFiles} from './files.ts';
import type {OpenSnapshot} from './open-snapshot.ts';

const chunksPerJob = 32;

/** Compares all of a snapshot's memory with its checksums. @throws VmmError SNAPSHOT_DAMAGED naming the first place */
export async function verifySnapshot(snapshot: OpenSnapshot, progress: RamProgress = () => {}): Promise<void> {
	const {directory, manifest, memoryFd: fd} = snapshot;
	const {bytes} = manifest.memory;
	const checksums = new Uint32Array(new Uint8Array(Buffer.from(manifest.memory.checksums, 'base64')).buffer);
	const pool = await createJobPool(availableParallelism());
	try {
		let done = 0;
		const starts = Array.from({length: Math.ceil(checksums.length / chunksPerJob)}, (_, job) => job * chunksPerJob);
		const results = await Promise.all(
			starts.map(async (chunk) => {
				const fileOffset = chunk * chunkBytes;
				const length = Math.min(chunksPerJob * chunkBytes, bytes - fileOffset);
				const part = checksums.slice(chunk, chunk + chunksPerJob);
				const wrong = await pool.verifyMemory({fd, fileOffset, length, checksums: part});
				done += length;
				progress(done, bytes);
				return wrong;
			}),
		);
		const wrong = results.find((offset) => offset >= 0);
		if (wrong === undefined) return;
		const cause = `does not match its checksum in the 2 MiB from 0x${wrong.toString(16)}`;
		throw snapshotError('SNAPSHOT_DAMAGED', {directory, file: snapshotFiles.memory, cause});
	} finally {
		await pool.close();
	}
}
