import {closeSync, constants, fstatSync, openSync} from 'node:fs';
import {join} from 'node:path';
import {chunkBytes, createJobPool, type JsonLimits, type ReadJsonResult, readJson} from '#main/jobs';
import {errnoOf} from '#support/ffi';
import {snapshotError} from './errors.ts';
import {type SnapshotFile, snapshotFiles} from './files.ts';
import {type Manifest, parseManifest, type ReadManifest} from './manifest.ts';

/** Every unit's state, as data. Whoever takes it checks it. */
export type SnapshotUnits = Readonly<Record<string, unknown>>;

/** A snapshot that is open: any number of machines can be made from it. */
export interface OpenSnapshot {
	/** Its folder, or a name for messages of one that is in memory. */
	readonly directory: string;
	readonly manifest: ReadManifest;
	/**
	 * Reads every unit's state, the first time that it is asked for.
	 * @param most - what the machine that it is for can have; see `stateLimits`
	 * @throws VmmError SNAPSHOT_DAMAGED, SNAPSHOT_UNREADABLE
	 */
	readUnits(most: JsonLimits): Promise<SnapshotUnits>;
	/** Descriptor of guest RAM, for reading and private mapping. */
	readonly memoryFd: number;
	/** The same of what disks have in memory. */
	readonly disksFd: number;
	/** Machines made from it live on. */
	close(): void;
}

/** A shorter text is parsed where it is wanted: whatever it holds takes some 25 MiB at most, and less time than another thread. */
const smallBytes = 2 ** 20;
/** Limits of a manifest, beside the checksums: a device takes some twenty values. */
const manifestLimits = {bytes: 2 ** 22, values: 2 ** 17} as const;
/** Limit of the checksums: those of some 20 TiB. A file of holes can claim to be any memory. */
const maxChecksumBytes = 2 ** 26;

/**
 * Opens a snapshot and checks everything but the units' state, which takes a machine to check it for, and the contents of
 * memory, which would take time that grows with it: see `verifySnapshot`. The folder may be anybody's: files are taken from
 * the folder itself only, and nothing is written.
 * @throws VmmError SNAPSHOT_UNREADABLE, SNAPSHOT_DAMAGED, SNAPSHOT_VERSION, SNAPSHOT_ARCHITECTURE
 */
export function openSnapshot(directory: string): OpenSnapshot {
	return openFiles(directory, (name) => openFile(directory, snapshotFiles[name]));
}

/**
 * Opens a snapshot by its files.
 * @param directory - its name in messages
 * @param take - gives the descriptor of a file, to be closed with the snapshot
 * @throws VmmError as {@link openSnapshot}
 */
export function openFiles(directory: string, take: (name: SnapshotFile) => number): OpenSnapshot {
	const fds: number[] = [];
	const close = () => {
		for (const fd of fds.splice(0)) closeSync(fd);
	};
	const open = (name: SnapshotFile) => {
		const fd = take(name);
		fds.push(fd);
		return {fd, size: fstatSync(fd).size};
	};
	try {
		const memory = open('memory');
		const description = open('manifest');
		const disks = open('disks');
		const most = {
			...manifestLimits,
			bytes: manifestLimits.bytes + checksumBytes(memory.size) + checksumBytes(disks.size),
		};
		const read = readJson({...description, limits: most});
		const manifest = parseManifest(checked(read, directory, snapshotFiles.manifest).value, directory);
		const {bytes} = manifest.memory;
		if (memory.size !== bytes || bytes !== manifest.asked.memoryBytes) {
			const cause = `has ${memory.size} bytes, and the machine ${manifest.asked.memoryBytes}`;
			throw snapshotError('SNAPSHOT_DAMAGED', {directory, file: snapshotFiles.memory, cause});
		}
		const state = open('state');
		for (const [file, {size}, wanted] of [
			[snapshotFiles.state, state, manifest.state.bytes],
			[snapshotFiles.disks, disks, manifest.disks.bytes],
		] as const) {
			const cause = `has ${size} bytes instead of ${wanted}`;
			if (size !== wanted) throw snapshotError('SNAPSHOT_DAMAGED', {directory, file, cause});
		}
		let units: Promise<SnapshotUnits> | undefined;
		const readUnits = (mostState: JsonLimits) => {
			units ??= readState(state, mostState, directory, manifest);
			return units;
		};
		return {directory, manifest, readUnits, memoryFd: memory.fd, disksFd: disks.fd, close};
	} catch (error) {
		close();
		throw error;
	}
}

/** Bounds the length of a manifest's checksums for so much memory: base64 of four bytes for every chunk. */
const checksumBytes = (memoryBytes: number) => Math.min(Math.ceil(memoryBytes / chunkBytes) * 6, maxChecksumBytes);

async function readState(
	file: {fd: number; size: number},
	most: JsonLimits,
	directory: string,
	{state}: Manifest,
): Promise<SnapshotUnits> {
	const damaged = (cause: string) => snapshotError('SNAPSHOT_DAMAGED', {directory, file: snapshotFiles.state, cause});
	const job = {...file, limits: most};
	const read = file.size <= Math.min(smallBytes, most.bytes) ? readJson(job) : await readElsewhere(job);
	const {value, sha256} = checked(read, directory, snapshotFiles.state);
	if (sha256 !== state.sha256) throw damaged('does not match its checksum');
	const {units} = (value ?? {}) as {units?: unknown};
	if (typeof units !== 'object' || units === null) throw damaged('has no units');
	return units as SnapshotUnits;
}

/** Reads on a thread of its own, so that other machines of the process go on meanwhile. */
async function readElsewhere(job: Parameters<typeof readJson>[0]): Promise<ReadJsonResult> {
	const pool = await createJobPool(1);
	try {
		return await pool.readJson(job);
	} finally {
		await pool.close();
	}
}

function checked(result: ReadJsonResult, directory: string, file: string): Exclude<ReadJsonResult, {wrong: string}> {
	if (!('wrong' in result)) return result;
	const {wrong: cause, errno} = result;
	if (errno !== undefined) throw snapshotError('SNAPSHOT_UNREADABLE', {directory, file, errno});
	throw snapshotError('SNAPSHOT_DAMAGED', {directory, file, cause});
}

/** A link could lead out of the folder, a pipe would never end. @returns a descriptor of a regular file */
function openFile(directory: string, file: string): number {
	try {
		const fd = openSync(join(directory, file), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
		if (fstatSync(fd).isFile()) return fd;
		closeSync(fd);
	} catch (cause) {
		const errno = errnoOf(cause);
		if (errno === undefined) throw cause;
		throw snapshotError('SNAPSHOT_UNREADABLE', {directory, file, errno}, {cause});
	}
	throw snapshotError('SNAPSHOT_DAMAGED', {directory, file, cause: 'is not a regular file'});
}
