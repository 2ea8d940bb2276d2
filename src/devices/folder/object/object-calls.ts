import {constants} from 'node:fs';
import {FileType} from '#devices/folder';
import type {ProgramObject} from '#support/rpc';
import type {FolderEntry, FolderFile, FolderObject, FolderStat} from './folder-object.ts';
import {failed, WholeFile} from './whole-file.ts';

/** What an object is asked, by the names of its calls; the answers are plain data, which whoever asks has still to check. */
export interface CallArguments {
	readonly stat: {readonly path: string};
	readonly list: {readonly path: string};
	readonly open: {readonly path: string; readonly flags: number; readonly mode: number};
	readonly close: {readonly file: number};
	/** Fills `memory` from its first byte on. */
	readonly read: {readonly file: number; readonly position: number; readonly memory: Uint8Array};
	readonly write: {readonly file: number; readonly position: number; readonly memory: Uint8Array};
	readonly fileStat: {readonly file: number};
	readonly sync: {readonly file: number};
	/** Of an open file, or of one by its path. */
	readonly truncate: {readonly file: number | undefined; readonly path: string; readonly length: number};
	readonly mkdir: {readonly path: string; readonly mode: number};
	readonly rmdir: {readonly path: string};
	readonly unlink: {readonly path: string};
	readonly rename: {readonly path: string; readonly to: string};
	readonly symlink: {readonly path: string; readonly target: string};
	readonly readlink: {readonly path: string};
	readonly link: {readonly path: string; readonly to: string};
	readonly chmod: {readonly path: string; readonly mode: number};
	readonly chown: {readonly path: string; readonly uid: number; readonly gid: number};
	/** In seconds. */
	readonly utimes: {readonly path: string; readonly accessed: number; readonly modified: number};
	readonly statfs: {readonly path: string};
}
export type CallName = keyof CallArguments;

const readOnly = () => failed('EROFS');
const unsupported = () => failed('EOPNOTSUPP');

/** Makes of an object of a program's what a device's worker calls: each call has one argument, and open files have numbers. */
export function objectCalls(object: FolderObject): ProgramObject {
	const files = new Map<number, FolderFile>();
	let next = 1;
	/** A method of the object's that changes something. */
	const own = <K extends keyof FolderObject>(name: K): NonNullable<FolderObject[K]> => {
		const method = object[name];
		if (method === undefined) throw readOnly();
		return method.bind(object) as NonNullable<FolderObject[K]>;
	};
	const fileOf = (file: number): FolderFile => {
		const found = files.get(file);
		if (found === undefined) throw failed('EBADF');
		return found;
	};
	const stat = async (path: string): Promise<FolderStat> => {
		if (object.lstat !== undefined) return object.lstat(path);
		if (object.stat !== undefined) return object.stat(path);
		throw unsupported();
	};
	const isLink = async (path: string): Promise<boolean> =>
		(Number((await stat(path)).mode) & FileType.MASK) === FileType.LINK;
	const calls: {[K in CallName]: (argument: CallArguments[K]) => Promise<unknown>} = {
		stat: async ({path}) => plainStat(await stat(path)),
		list: async ({path}) => {
			const entries: unknown = await object.readdir(path, {withFileTypes: true});
			return Array.isArray(entries) ? entries.map(plainEntry) : undefined;
		},
		open: async ({path, flags, mode}) => {
			const file =
				object.open === undefined
					? await WholeFile.open(object, path, flags)
					: await object.open(path, flags | constants.O_NOFOLLOW, mode);
			if (typeof file?.read !== 'function') throw new TypeError(`open() of ${path} gives no file`);
			const number = next++;
			files.set(number, file);
			return number;
		},
		close: async ({file: number}) => {
			const file = files.get(number);
			files.delete(number);
			await file?.close?.();
		},
		read: async ({file, position, memory}) => {
			const {bytesRead} = await fileOf(file).read(memory, 0, memory.length, position);
			return bytesRead;
		},
		write: async ({file: number, position, memory}) => {
			const file = fileOf(number);
			if (file.write === undefined) throw readOnly();
			const {bytesWritten} = await file.write(memory, 0, memory.length, position);
			return bytesWritten;
		},
		fileStat: async ({file: number}) => {
			const file = fileOf(number);
			if (file.stat === undefined) throw unsupported();
			return plainStat(await file.stat());
		},
		sync: async ({file}) => {
			await fileOf(file).sync?.();
		},
		truncate: async ({file: number, path, length}) => {
			const file = number === undefined ? undefined : fileOf(number);
			if (file?.truncate !== undefined) await file.truncate(length);
			else if (object.truncate !== undefined) await object.truncate(path, length);
			else throw readOnly();
		},
		mkdir: async ({path, mode}) => done(own('mkdir')(path, {mode})),
		rmdir: async ({path}) => done(own('rmdir')(path)),
		unlink: async ({path}) => done(own('unlink')(path)),
		rename: async ({path, to}) => done(own('rename')(path, to)),
		symlink: async ({path, target}) => done(own('symlink')(target, path)),
		readlink: async ({path}) => {
			if (object.readlink === undefined) throw unsupported();
			const target = await object.readlink(path);
			return typeof target === 'string' ? target : Buffer.from(target).toString();
		},
		link: async ({path, to}) => done(own('link')(path, to)),
		chmod: async ({path, mode}) => done(own('chmod')(path, mode)),
		chown: async ({path, uid, gid}) => {
			if (object.lchown !== undefined) return done(object.lchown(path, uid, gid));
			if (object.chown === undefined) throw readOnly();
			if (!(await isLink(path))) await object.chown(path, uid, gid);
		},
		utimes: async ({path, accessed, modified}) => {
			if (object.lutimes !== undefined) return done(object.lutimes(path, accessed, modified));
			if (object.utimes === undefined) throw readOnly();
			if (!(await isLink(path))) await object.utimes(path, accessed, modified);
		},
		statfs: async ({path}) => {
			if (object.statfs === undefined) throw unsupported();
			const {bsize, blocks, bfree, bavail, files: all, ffree} = await object.statfs(path);
			return {bsize, blocks, bfree, bavail, files: all, ffree};
		},
	};
	return calls;
}

/** Waits for what gives nothing. Some give what no other thread can have. */
const done = async (answer: unknown): Promise<void> => {
	await answer;
};

const statNames = [
	...(['mode', 'size', 'ino', 'nlink', 'uid', 'gid', 'rdev', 'blocks'] as const),
	...(['atimeMs', 'mtimeMs', 'ctimeMs', 'birthtimeMs'] as const),
];
const plainStat = (stat: FolderStat) => Object.fromEntries(statNames.map((name) => [name, stat[name]]));

/** A name, and bits of a mode where its type is known. */
function plainEntry(entry: string | FolderEntry): {readonly name: string; readonly type: number} {
	if (typeof entry === 'string') return {name: entry, type: 0};
	const {name} = entry;
	if (entry.isDirectory?.() === true) return {name, type: FileType.DIRECTORY};
	if (entry.isSymbolicLink?.() === true) return {name, type: FileType.LINK};
	return {name, type: entry.isFile?.() === true ? FileType.REGULAR : 0};
}
