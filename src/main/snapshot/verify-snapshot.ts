import {availableParallelism} from 'node:os';
import {chunkBytes, createJobPool, handOut, type JobPool} from '#main/jobs';
import {abortable, type LongOperation} from '#support/abort';
import {snapshotError} from './errors.ts';
import {snapshotFiles} from './files.ts';
import type {SavedMemoryFile} from './manifest.ts';
import type {OpenSnapshot} from './open-snapshot.ts';

const chunksPerJob = 32;

/**
 * Compares all of a snapshot's memory, and of what its disks have in memory, with its checksums.
 * @throws VmmError SNAPSHOT_DAMAGED naming the first place, OPERATION_ABORTED
 */
export async function verifySnapshot(snapshot: OpenSnapshot, asked: LongOperation = {}): Promise<void> {
	const {directory, manifest, memoryFd, disksFd} = snapshot;
	const {memory, disks} = manifest;
	const total = memory.bytes + disks.bytes;
	const files: readonly CheckedFile[] = [
		{file: snapshotFiles.memory, fd: memoryFd, saved: memory, parts: [memory.bytes]},
		{file: snapshotFiles.disks, fd: disksFd, saved: disks, parts: disks.parts.map(({bytes}) => bytes)},
	];
	const pool = await createJobPool(availableParallelism());
	try {
		let done = 0;
		for (const each of files) {
			const before = done;
			const progress = (bytes: number) => asked.progress?.(before + bytes, total);
			const wrong = await abortable('verify-snapshot', asked.signal, () =>
				firstWrong(pool, each, {...asked, progress}),
			);
			done += each.saved.bytes;
			if (wrong === undefined) continue;
			const cause = `does not match its checksum in the 2 MiB from 0x${wrong.toString(16)}`;
			throw snapshotError('SNAPSHOT_DAMAGED', {directory, file: each.file, cause});
		}
	} finally {
		await pool.close();
	}
}

interface CheckedFile {
	readonly file: string;
	readonly fd: number;
	readonly saved: SavedMemoryFile;
	/** Lengths of its parts, of which each begins with a chunk of its own. */
	readonly parts: readonly number[];
}

/** Offset of the first chunk that does not match. */
async function firstWrong(
	pool: JobPool,
	{fd, saved, parts}: CheckedFile,
	{progress, signal}: LongOperation,
): Promise<number | undefined> {
	const checksums = new Uint32Array(new Uint8Array(Buffer.from(saved.checksums, 'base64')).buffer);
	const found: number[] = [];
	let done = 0;
	const verify = async ({fileOffset, length, chunk}: Piece) => {
		const part = checksums.slice(chunk, chunk + Math.ceil(length / chunkBytes));
		const wrong = await pool.verifyMemory({fd, fileOffset, length, checksums: part});
		if (wrong >= 0) found.push(wrong);
		done += length;
		progress?.(done, saved.bytes);
	};
	await handOut(pool, piecesOf(parts), verify, signal);
	return found.sort((a, b) => a - b)[0];
}

interface Piece {
	readonly fileOffset: number;
	readonly length: number;
	/** The first among all chunks. */
	readonly chunk: number;
}

function* piecesOf(parts: readonly number[]): Generator<Piece> {
	const most = chunksPerJob * chunkBytes;
	let [start, chunk] = [0, 0];
	for (const bytes of parts) {
		for (let at = 0; at < bytes; at += most)
			yield {fileOffset: start + at, length: Math.min(most, bytes - at), chunk: chunk + at / chunkBytes};
		start += bytes;
		chunk += Math.ceil(bytes / chunkBytes);
	}
}
