import {constants, readFileSync, type Stats} from 'node:fs';
import {type FileHandle, open, rm} from 'node:fs/promises';
import {Errno, errnoName, errnoOf, lockFile, Seek, seek} from '#support/ffi';
import {allocateSharedPages, sharedPageSize} from '#support/shared-memory';
import {fileDiskError} from './errors.ts';
import type {FileDiskConfig} from './file-config.ts';

/** An open file with what has to be known of it. */
export interface OpenFile {
	readonly handle: FileHandle;
	readonly bytes: number;
	readonly sectorBytes: number;
	readonly physicalSectorBytes: number;
}

const [smallSector, largeSector] = [512, 4096];

/**
 * Opens the file of a disk, makes it where that is wanted, and keeps others from writing to it.
 * @throws VmmError DISK_ for what it cannot be
 */
export async function openFile(config: FileDiskConfig, isReadOnly: boolean): Promise<OpenFile> {
	const {path} = config;
	const handle = await openHandle(config, isReadOnly);
	try {
		const locked = lockFile(handle.fd, isReadOnly);
		if (locked === -Errno.EWOULDBLOCK) throw fileDiskError('DISK_FILE_LOCKED', {path});
		if (locked < 0) throw fileDiskError('DISK_FILE_UNUSABLE', {path, doing: 'locked', errno: errnoName(locked)});
		if (config.create !== undefined) await handle.truncate(config.create);
		const stats = await handle.stat();
		if (!stats.isFile() && !stats.isBlockDevice()) throw fileDiskError('DISK_FILE_KIND', {path});
		const bytes = lengthOf(handle.fd, stats);
		const sectorBytes = await sectorOf(handle, stats, config);
		if (bytes === 0 || bytes % sectorBytes !== 0)
			throw fileDiskError('DISK_FILE_LENGTH', {path, bytes, sector: sectorBytes});
		return {handle, bytes, sectorBytes, physicalSectorBytes: Math.max(sectorBytes, largeSector)};
	} catch (cause) {
		await handle.close();
		// It was made for nothing.
		if (config.create !== undefined) await rm(path, {force: true});
		throw unusable(cause, path, 'used');
	}
}

/** Length of a file or of a block device. */
export const lengthOf = (fd: number, stats: Stats): number => (stats.isFile() ? stats.size : seek(fd, 0, Seek.END));

async function openHandle({path, direct, create}: FileDiskConfig, isReadOnly: boolean): Promise<FileHandle> {
	const {O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_DIRECT} = constants;
	const flags =
		(isReadOnly && create === undefined ? O_RDONLY : O_RDWR) |
		(direct ? O_DIRECT : 0) |
		(create === undefined ? 0 : O_CREAT | O_EXCL);
	try {
		return await open(path, flags, 0o644);
	} catch (cause) {
		if (create !== undefined && errnoOf(cause) === 'EEXIST') throw fileDiskError('DISK_FILE_EXISTS', {path});
		if (direct && errnoOf(cause) === 'EINVAL') throw fileDiskError('DISK_DIRECT_UNSUPPORTED', {path});
		throw unusable(cause, path, 'opened');
	}
}

/** Opens a file that is open already a second time: a file of its own to the host, which tells each once of what it has lost. */
export function reopen(
	fd: number,
	{direct, isReadOnly}: {readonly direct: boolean; readonly isReadOnly: boolean},
): Promise<FileHandle> {
	const {O_RDONLY, O_RDWR, O_DIRECT} = constants;
	return open(`/proc/self/fd/${fd}`, (isReadOnly ? O_RDONLY : O_RDWR) | (direct ? O_DIRECT : 0));
}

/** A file that is open past the host's page cache. */
export interface DirectFile {
	readonly handle: FileHandle;
	/** What offsets, lengths and addresses of memory have to be multiples of. */
	readonly alignment: number;
}

/**
 * Opens a file that is open already a second time, past the host's page cache.
 * @throws VmmError DISK_DIRECT_UNSUPPORTED
 */
export async function reopenDirect(fd: number, path: string, isReadOnly: boolean): Promise<DirectFile> {
	let handle: FileHandle | undefined;
	try {
		handle = await reopen(fd, {direct: true, isReadOnly});
		return {handle, alignment: await sectorOf(handle, await handle.stat(), {path, direct: true})};
	} catch (cause) {
		await handle?.close();
		if (errnoOf(cause) === 'EINVAL') throw fileDiskError('DISK_DIRECT_UNSUPPORTED', {path});
		throw unusable(cause, path, 'opened');
	}
}

function unusable(cause: unknown, path: string, doing: string): unknown {
	const errno = errnoOf(cause);
	return errno === undefined ? cause : fileDiskError('DISK_FILE_UNUSABLE', {path, doing, errno}, {cause});
}

/** What offsets and lengths have to be multiples of. */
async function sectorOf(handle: FileHandle, stats: Stats, {path, direct}: FileDiskConfig): Promise<number> {
	if (stats.isBlockDevice()) return blockSector(stats.rdev);
	if (!direct) return smallSector;
	const page = new Uint8Array(allocateSharedPages(sharedPageSize));
	for (const sector of [smallSector, largeSector]) {
		try {
			await handle.read(page, 0, sector, sector);
			return sector;
		} catch (cause) {
			if (errnoOf(cause) !== 'EINVAL') throw cause;
		}
	}
	throw fileDiskError('DISK_DIRECT_UNSUPPORTED', {path});
}

/** Reads the sector of a block device; a partition has it from its disk (sysfs). */
function blockSector(device: number): number {
	// As in makedev(3): numbers up to 2^32.
	const [major, minor] = [(device >>> 8) & 0xfff, (device & 0xff) | ((device >>> 12) & 0xfff00)];
	for (const up of ['', '/..']) {
		try {
			const text = readFileSync(`/sys/dev/block/${major}:${minor}${up}/queue/logical_block_size`, 'latin1');
			return Number(text) || smallSector;
		} catch {}
	}
	return smallSector;
}
