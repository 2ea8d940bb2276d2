import {constants, createReadStream, createWriteStream, type Stats} from 'node:fs';
import {chmod, lstat, mkdir, open, readdir, readlink, stat, symlink} from 'node:fs/promises';
import type {GuestFileStatus, GuestFiles} from '#main/agent';
import {isVmmError} from '#support/errors';
import {Errno} from '#support/ffi';
import type {CopiedFile, CopiedKind, FileSide} from './copy-tree.ts';

const fileOf = (status: Stats): CopiedFile => {
	const kind: CopiedKind = status.isFile()
		? 'file'
		: status.isDirectory()
			? 'directory'
			: status.isSymbolicLink()
				? 'symlink'
				: 'other';
	return {kind, mode: status.mode & 0o7777, size: status.size};
};

const missing = (error: NodeJS.ErrnoException): undefined => {
	if (error.code === 'ENOENT') return undefined;
	throw error;
};

/** A file as such, which is not opened for reading or writing (open(2); asm-generic/fcntl.h). */
const O_PATH = 0o10000000;

/** The host's files, as this process may see them. */
export const hostSide: FileSide = {
	look: (path) => lstat(path).then(fileOf, missing),
	lookThrough: (path) => stat(path).then(fileOf, missing),
	list: (path) => readdir(path),
	target: (path) => readlink(path),
	read: (path) => createReadStream(path, {flags: constants.O_RDONLY | constants.O_NOFOLLOW} as never),
	write: (path, mode) =>
		createWriteStream(path, {
			flags: constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW,
			mode,
		} as never),
	makeFolder: async (path, mode) => void (await mkdir(path, {mode})),
	link: (target, path) => symlink(target, path),
	async chmod(path, mode) {
		// Not by its path, at which somebody else may have put a link meanwhile.
		const file = await open(path, O_PATH | constants.O_NOFOLLOW);
		try {
			await chmod(`/proc/self/fd/${file.fd}`, mode);
		} finally {
			await file.close();
		}
	},
};

/** A guest's files. */
export function guestSide(files: GuestFiles): FileSide {
	const look = async (path: string, follow: boolean): Promise<CopiedFile | undefined> => {
		try {
			return copied(await files.stat(path, {follow}));
		} catch (error) {
			if (isVmmError(error, 'AGENT_FAILED') && Math.abs(Number(error.context['errno'])) === Errno.ENOENT)
				return undefined;
			throw error;
		}
	};
	return {
		look: (path) => look(path, false),
		lookThrough: (path) => look(path, true),
		list: async (path) => (await files.readdir(path)).map(({name}) => name),
		target: (path) => files.readlink(path),
		read: (path) => files.readStream(path),
		// By another name first, which replaces a link rather than follow it.
		write: (path, mode) => files.writeStream(path, {mode, atomic: true}),
		makeFolder: (path, mode) => files.mkdir(path, {mode}),
		link: (target, path) => files.symlink(target, path),
		chmod: (path, mode) => files.chmod(path, mode),
	};
}

function copied({kind, mode, size}: GuestFileStatus): CopiedFile {
	const known = kind === 'file' || kind === 'directory' || kind === 'symlink';
	return {kind: known ? kind : 'other', mode, size};
}
