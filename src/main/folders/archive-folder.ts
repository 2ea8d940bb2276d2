import {constants, createReadStream} from 'node:fs';
import type {FolderObject} from '#devices/folder/object';
import type {TarMember} from '#main/tar';
import {errorTable, isVmmError} from '#support/errors';
import {fileError} from './folder-errors.ts';
import {MemoryFolder} from './memory-folder.ts';

export interface ArchiveFolderOptions {
	/** Bytes of its files together, which are in memory: 256 MiB without this. */
	readonly mostBytes?: number;
}

const archiveError = errorTable({
	FOLDER_ARCHIVE_INVALID: ({cause}: {cause: string}) => ({
		message: `The archive cannot be shared as a folder: ${cause}`,
		remedy:
			'Give a .tar (ustar, pax or GNU), as it is or compressed by gzip or zstd, whose names stay in it; mostBytes says how much may be in it',
	}),
});
const fault = (cause: string) => archiveError('FOLDER_ARCHIVE_INVALID', {cause});

/**
 * Files of a `tar`, as it is or compressed by gzip or zstd, as a folder that the guest reads. They are unpacked in memory: devices and pipes are left out, and names that lead out of the archive
 * are refused.
 *
 * @param archive - its path, or its bytes as they come
 * @throws VmmError FOLDER_ARCHIVE_INVALID
 */
export async function archiveFolder(
	archive: string | AsyncIterable<Uint8Array>,
	{mostBytes = 256 * 2 ** 20}: ArchiveFolderOptions = {},
): Promise<FolderObject> {
	// Nobody else who shares a folder needs it.
	const {tarMembers} = await import('#main/tar');
	const folder = new MemoryFolder({mostBytes, mostFiles: 2 ** 20});
	try {
		const pieces = typeof archive === 'string' ? createReadStream(archive) : archive;
		for await (const member of tarMembers(plain(pieces), fault)) await add(folder, member);
	} catch (error) {
		throw isVmmError(error) ? error : fault((error as Error).message);
	}
	return readOnlyFolder(folder);
}

const pieceBytes = 2 ** 18;
/** Bytes by which the longest magic number is known. */
const magicBytes = 6;

/** The archive without its compression, which its first bytes tell. */
async function* plain(archive: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
	const [{ByteStream}, {decompressStream, findCompression, isBomb}] = await Promise.all([
		import('#main/tar'),
		import('#main/compression'),
	]);
	const stream = new ByteStream(archive);
	let [read, made] = [0, 0];
	async function* whole(start: Uint8Array) {
		for (let piece = start; piece.length > 0; piece = await stream.some(pieceBytes)) {
			read += piece.length;
			yield piece;
		}
	}
	try {
		const start = await stream.all(magicBytes);
		const {format, found} = findCompression(start) ?? {};
		if (format === undefined) yield* whole(start);
		else if (format !== 'gzip' && format !== 'zstd') throw fault(`it is ${found}`);
		else {
			const faults = {truncated: () => fault('it is cut off'), damaged: fault, unsupported: fault};
			for await (const piece of decompressStream(whole(start), format, faults)) {
				made += piece.length;
				if (isBomb(made, read)) throw fault(`${read} bytes of it are more than ${made}, decompressed`);
				yield piece;
			}
		}
	} finally {
		await stream.close();
	}
}

/** What is left of a folder for whoever may only read it. */
const readOnlyFolder = (folder: MemoryFolder): FolderObject => ({
	lstat: (path) => folder.lstat(path),
	readdir: (path) => folder.readdir(path),
	readlink: (path) => folder.readlink(path),
	statfs: () => ({...folder.statfs(), bfree: 0, bavail: 0, ffree: 0}),
	open(path, flags) {
		if ((flags & changes) !== 0) throw fileError('EROFS', path);
		const {read, stat, close} = folder.open(path, flags);
		return {read, ...(stat && {stat}), ...(close && {close})};
	},
});
const changes = constants.O_WRONLY | constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC;

async function add(folder: MemoryFolder, member: TarMember): Promise<void> {
	const path = pathOf(member.path);
	const {kind, permissions, user, group, modified, target} = member;
	if (kind === 'directory') folder.put(`${path}/`, '');
	else if (kind === 'file') folder.put(path, await whole(member, folder.statfs()));
	else if (kind === 'symbolic-link' || kind === 'hard-link') {
		folder.put(path.slice(0, path.lastIndexOf('/') + 1), '');
		if (kind === 'hard-link') folder.link(pathOf(target), path);
		else folder.symlink(target, path);
		return;
	} else return;
	folder.chmod(path, permissions);
	folder.lchown(path, user, group);
	folder.lutimes(path, modified, modified);
}

function pathOf(given: string): string {
	const names = given.split('/').filter((name) => name !== '' && name !== '.');
	if (names.includes('..')) throw fault(`${JSON.stringify(given)} has '..' in it`);
	return `/${names.join('/')}`;
}

async function whole(
	{path, length, content}: TarMember,
	{bfree, bsize}: {bfree: number | bigint; bsize: number | bigint},
): Promise<Uint8Array> {
	if (length > (Number(bfree) + 1) * Number(bsize))
		throw fault(`${path} has ${length} bytes, for which there is no room`);
	const bytes = new Uint8Array(length);
	let at = 0;
	for await (const piece of content) {
		bytes.set(piece, at);
		at += piece.length;
	}
	return bytes;
}
