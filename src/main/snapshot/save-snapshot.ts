import {writeFileSync} from 'node:fs';
import {open} from 'node:fs/promises';
import {availableParallelism} from 'node:os';
import {join} from 'node:path';
import {createJobPool, type RamPages} from '#main/jobs';
import {writeRam} from '#main/memory';
import {packageVersion} from '#main/version';
import type {LongOperation} from '#support/abort';
import {isVmmError} from '#support/errors';
import {errnoOf} from '#support/ffi';
import type {SavedBoot} from './asked-machine.ts';
import {snapshotError} from './errors.ts';
import {snapshotFiles} from './files.ts';
import {makeFolder} from './folder.ts';
import {architecture, formatManifest, type SavedShape, sha256} from './manifest.ts';
import type {SavedHypervisor} from './saved-hypervisor.ts';

/** A machine at rest, as a snapshot takes it. */
export interface MachineToSave {
	/** See `MachineShape`. */
	readonly shape: SavedShape;
	readonly hypervisor: SavedHypervisor;
	readonly boot: SavedBoot;
	/** Every unit's state: data that survives JSON. */
	readonly units: Readonly<Record<string, unknown>>;
	readonly ram: RamPages;
}

/**
 * Writes a snapshot. It takes its place in one step when it is whole: until then, and after a failure, what was there
 * before is there still.
 * @throws VmmError SNAPSHOT_TARGET_TAKEN, SNAPSHOT_WRITE_FAILED; the signal's reason
 */
export async function saveSnapshot(
	directory: string,
	machine: MachineToSave,
	asked: LongOperation = {},
): Promise<void> {
	const {signal} = asked;
	try {
		const folder = makeFolder(directory);
		try {
			await writeFiles(folder.path, machine, asked);
			await folder.commit(signal);
		} catch (error) {
			folder.discard();
			throw error;
		}
	} catch (cause) {
		if (signal?.aborted && cause === signal.reason) throw cause;
		const errno = errnoOf(cause);
		if (isVmmError(cause) || errno === undefined) throw cause;
		throw snapshotError('SNAPSHOT_WRITE_FAILED', {directory, errno}, {cause});
	}
}

async function writeFiles(path: string, machine: MachineToSave, asked: LongOperation): Promise<void> {
	const {shape, units, ram} = machine;
	const checksums = await writeMemoryFile(join(path, snapshotFiles.memory), shape.memoryBytes, ram, asked);
	const state = JSON.stringify({units}, null, '\t');
	writeFileSync(join(path, snapshotFiles.state), state);
	const manifest = formatManifest({
		createdAt: new Date().toISOString(),
		openvmmVersion: packageVersion(),
		architecture,
		machine: shape,
		hypervisor: machine.hypervisor,
		boot: machine.boot,
		state: {bytes: Buffer.byteLength(state), sha256: sha256(state)},
		memory: {bytes: shape.memoryBytes, checksums},
	});
	writeFileSync(join(path, snapshotFiles.manifest), manifest);
}

/** @returns the checksums, as the manifest has them */
async function writeMemoryFile(path: string, sizeBytes: number, ram: RamPages, asked: LongOperation): Promise<string> {
	await using file = await open(path, 'wx', 0o600);
	await file.truncate(sizeBytes);
	const pool = await createJobPool(availableParallelism());
	try {
		const {buffer} = await writeRam(pool, ram, await pool.populatedChunks(ram), {fd: file.fd, start: 0}, asked);
		return Buffer.from(buffer).toString('base64');
	} finally {
		await pool.close();
	}
}
