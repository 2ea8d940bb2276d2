import {open} from 'node:fs/promises';
import {availableParallelism} from 'node:os';
import {join} from 'node:path';
import type {WriteLog} from '#devices/guest-memory';
import {createJobPool, type JobPool, type RamPages} from '#main/jobs';
import {holdRam, writeRam} from '#main/memory';
import {packageVersion} from '#main/version';
import {type LongOperation, untilAborted} from '#support/abort';
import {isVmmError} from '#support/errors';
import {errnoOf} from '#support/ffi';
import type {CpuChoice} from '#vcpu-worker/cpuid';
import type {SavedBoot} from './asked-machine.ts';
import type {DiskPages} from './disk-memory.ts';
import {snapshotError} from './errors.ts';
import {type CreateFile, type SnapshotFile, snapshotFiles} from './files.ts';
import {makeFolder} from './folder.ts';
import {architecture, formatManifest, type Manifest, type SavedShape, sha256} from './manifest.ts';
import {checksumsText, MemoryCopy} from './memory-copy.ts';
import {MemoryFiles} from './memory-files.ts';
import {type OpenSnapshot, openFiles} from './open-snapshot.ts';
import type {SavedHypervisor} from './saved-hypervisor.ts';

/** A machine at rest, as a snapshot takes it. */
export interface MachineToSave {
	/** See `MachineShape`. */
	readonly shape: SavedShape;
	readonly hypervisor: SavedHypervisor;
	readonly boot: SavedBoot;
	/** The processor that was asked for when the machine began. */
	readonly cpu: CpuChoice;
	/** Every unit's state: data that survives JSON. */
	readonly units: Readonly<Record<string, unknown>>;
	readonly disks: DiskPages;
}

/** A machine that a snapshot is to be taken of. */
export interface SnapshotSource {
	readonly ram: RamPages;
	/** Tells whether its guest runs now: most of its memory is copied meanwhile then. */
	readonly isRunning: () => boolean;
	readonly writeLog: () => WriteLog;
	/** Does the work while the guest stands still. */
	readonly atRest: (work: (machine: MachineToSave) => Promise<void>) => Promise<void>;
}

/**
 * Writes a snapshot of the moment at which the machine came to rest. It takes its place in one step when it is whole: until
 * then, and after a failure, what was there before is there still.
 * @throws VmmError SNAPSHOT_TARGET_TAKEN, SNAPSHOT_WRITE_FAILED; the signal's reason
 */
export async function saveSnapshot(
	directory: string,
	source: SnapshotSource,
	asked: LongOperation = {},
): Promise<void> {
	await writing(directory, asked, async () => {
		const folder = makeFolder(directory);
		try {
			await writeFiles((name) => open(join(folder.path, snapshotFiles[name]), 'wx', 0o600), source, asked);
			await folder.commit(asked.signal);
		} finally {
			folder.close();
		}
	});
}

/**
 * Makes a snapshot that is in memory alone, and gone when it and all machines of it are.
 * @throws VmmError SNAPSHOT_WRITE_FAILED; the signal's reason
 */
export function snapshotInMemory(source: SnapshotSource, asked: LongOperation = {}): Promise<OpenSnapshot> {
	const place = 'in memory';
	return writing(place, asked, async () => {
		using files = new MemoryFiles();
		await writeFiles(files.create, source, asked);
		asked.signal?.throwIfAborted();
		return openFiles(place, files.take);
	});
}

/** Names the system's error by the snapshot that was to be. */
async function writing<T>(directory: string, {signal}: LongOperation, write: () => Promise<T>): Promise<T> {
	try {
		return await write();
	} catch (cause) {
		if (signal?.aborted && cause === signal.reason) throw cause;
		const errno = errnoOf(cause);
		if (isVmmError(cause) || errno === undefined) throw cause;
		throw snapshotError('SNAPSHOT_WRITE_FAILED', {directory, errno}, {cause});
	}
}

async function writeFiles(create: CreateFile, source: SnapshotSource, asked: LongOperation): Promise<void> {
	using hold = holdRam(source.ram);
	if (hold === undefined) throw asked.signal?.reason ?? new TypeError('There is no memory to save');
	await using file = await create('memory');
	const pool = await createJobPool(availableParallelism());
	let finishing: Promise<void> | undefined;
	try {
		const copy = new MemoryCopy(pool, source.ram, file.fd, asked);
		await file.truncate(copy.bytes);
		using log = source.isRunning() ? closedAtEnd(source.writeLog()) : undefined;
		if (log !== undefined) await copy.whileWritten(log.log);
		await source.atRest(async (machine) => {
			finishing = copy
				.finish()
				.then(() => writeDisks(create, machine.disks, pool, asked))
				.then((disks) => writeDescription(create, machine, copy, disks));
			// A file that hangs keeps its threads, and not the machine from its end.
			await untilAborted(finishing, asked.signal);
		});
	} finally {
		await finishing?.catch(() => {});
		await pool.close();
	}
}

const closedAtEnd = (log: WriteLog) => ({log, [Symbol.dispose]: () => log.close()});

async function writeDisks(
	create: CreateFile,
	{parts, pages}: DiskPages,
	pool: JobPool,
	{signal}: LongOperation,
): Promise<Manifest['disks']> {
	await using file = await create('disks');
	const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
	if (bytes === 0) return {bytes, checksums: '', parts};
	await file.truncate(bytes);
	const populated = await pool.populatedChunks(pages);
	const checksums = await writeRam(pool, pages, populated, {fd: file.fd, start: 0}, {signal});
	return {bytes, checksums: checksumsText(checksums), parts};
}

async function writeDescription(
	create: CreateFile,
	{units, shape, hypervisor, boot, cpu}: MachineToSave,
	copy: MemoryCopy,
	disks: Manifest['disks'],
): Promise<void> {
	const state = JSON.stringify({units}, null, '\t');
	await writeText(create, 'state', state);
	const manifest = formatManifest({
		createdAt: new Date().toISOString(),
		openvmmVersion: packageVersion(),
		architecture,
		machine: shape,
		hypervisor,
		boot,
		cpu,
		state: {bytes: Buffer.byteLength(state), sha256: sha256(state)},
		memory: {bytes: copy.bytes, checksums: copy.checksums},
		disks,
	});
	await writeText(create, 'manifest', manifest);
}

async function writeText(create: CreateFile, name: SnapshotFile, text: string): Promise<void> {
	await using file = await create(name);
	await file.writeFile(text);
}
