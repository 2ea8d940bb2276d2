import {constants} from 'node:fs';
import {FileType} from '#devices/folder';
import type {OperationSignal} from '#support/abort';
import type {ProgramObject} from '#support/rpc';
import {failed} from './failed.ts';
import type {FolderEntry, FolderFile, FolderObject, FolderStat} from './folder-object.ts';
import {pathOrderOf} from './path-order.ts';
import {WholeFile, type WriteWhole} from './whole-file.ts';

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
	/** Of an open file, or of one by its path, which that may have no more. */
	readonly truncate: {readonly file: number | undefined; readonly path: string | undefined; readonly length: number};
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

/**
 * Makes of an object of a program's what a device's worker calls: each call has one argument, and open files have numbers. A guest asks for several at once, and
 * for each path in between puts whatever it can: {@link pathOrderOf}.
 */
export function objectCalls(object: FolderObject): ProgramObject {
	const files = new Map<number, FolderFile>();
	const order = pathOrderOf(object);
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
	/** Calls a method that follows no link at the end of its path. */
	const at = <T>(path: string, signal: OperationSignal, act: () => T | Promise<T>): Promise<T> =>
		order.together(signal, async () => {
			await order.checkWay(path);
			return act();
		});
	/** Calls one that may. @param check - throws for what it is not to be called with */
	const through = <T>(
		path: string,
		signal: OperationSignal,
		check: (type: number | undefined) => void,
		act: (type: number | undefined) => T | Promise<T>,
	): Promise<T> =>
		order.together(signal, async () => {
			const type = await order.typeAt(path);
			check(type);
			return act(type);
		});
	/** Calls one that would change what a link leads to; what is the link's own stays. */
	const ofNoLink = (path: string, signal: OperationSignal, act: () => unknown): Promise<void> =>
		through(path, signal, needsAny, async (type) => {
			if (type !== FileType.LINK) await act();
		});
	/** Calls one by which a link may come to be somewhere. */
	const placing = (paths: readonly string[], signal: OperationSignal, act: () => unknown): Promise<void> =>
		order.alone(signal, async () => {
			for (const path of paths) await order.checkWay(path);
			await act();
		});
	const writeWhole: WriteWhole = (place, bytes) =>
		order.together(undefined, async () => {
			const path = place();
			if (path === undefined) return;
			needsFile(await order.typeAt(path));
			await object.writeFile?.(path, bytes);
		});
	const calls: {[K in CallName]: (argument: CallArguments[K], signal: OperationSignal) => Promise<unknown>} = {
		stat: ({path}, signal) => at(path, signal, async () => plainStat(await order.stat(path))),
		list: ({path}, signal) =>
			through(path, signal, needsDirectory, async () => {
				const entries: unknown = await object.readdir(path, {withFileTypes: true});
				return Array.isArray(entries) ? entries.map(plainEntry) : undefined;
			}),
		open: ({path, flags, mode}, signal) =>
			through(path, signal, needsOf(flags), async () => {
				const file =
					object.open === undefined
						? await WholeFile.open(object, path, flags, writeWhole)
						: await object.open(path, flags | constants.O_NOFOLLOW, mode);
				if (typeof file?.read !== 'function') throw new TypeError(`open() of ${path} gives no file`);
				// Nobody would close it.
				if (signal.aborted) {
					await file.close?.();
					throw failed('ETIMEDOUT');
				}
				const number = next++;
				files.set(number, file);
				return number;
			}),
		close: async ({file: number}) => {
			try {
				await files.get(number)?.close?.();
			} finally {
				files.delete(number);
			}
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
		truncate: async ({file: number, path, length}, signal) => {
			const file = number === undefined ? undefined : fileOf(number);
			if (file?.truncate !== undefined) return done(file.truncate(length));
			const truncate = own('truncate');
			if (path === undefined) throw failed('ESTALE');
			return through(path, signal, needsFile, () => done(truncate(path, length)));
		},
		mkdir: ({path, mode}, signal) => at(path, signal, () => done(own('mkdir')(path, {mode}))),
		rmdir: ({path}, signal) => at(path, signal, () => done(own('rmdir')(path))),
		unlink: ({path}, signal) =>
			at(path, signal, async () => {
				await own('unlink')(path);
				for (const file of files.values()) if (file instanceof WholeFile) file.removed(path);
			}),
		rename: ({path, to}, signal) =>
			placing([path, to], signal, async () => {
				await own('rename')(path, to);
				for (const file of files.values()) if (file instanceof WholeFile) file.moved(path, to);
			}),
		symlink: ({path, target}, signal) =>
			placing([path], signal, () => {
				// It would not be known again.
				if (object.lstat === undefined) throw readOnly();
				return own('symlink')(target, path);
			}),
		readlink: ({path}, signal) =>
			at(path, signal, async () => {
				if (object.readlink === undefined) throw unsupported();
				const target = await object.readlink(path);
				return typeof target === 'string' ? target : Buffer.from(target).toString();
			}),
		link: ({path, to}, signal) => placing([path, to], signal, () => own('link')(path, to)),
		chmod: ({path, mode}, signal) => through(path, signal, needsNoLink, () => done(own('chmod')(path, mode))),
		chown: ({path, uid, gid}, signal) =>
			object.lchown === undefined
				? ofNoLink(path, signal, () => own('chown')(path, uid, gid))
				: at(path, signal, () => done(own('lchown')(path, uid, gid))),
		utimes: ({path, accessed, modified}, signal) =>
			object.lutimes === undefined
				? ofNoLink(path, signal, () => own('utimes')(path, accessed, modified))
				: at(path, signal, () => done(own('lutimes')(path, accessed, modified))),
		statfs: async ({path}) => {
			if (object.statfs === undefined) throw unsupported();
			const {bsize, blocks, bfree, bavail, files: all, ffree} = await object.statfs(path);
			return {bsize, blocks, bfree, bavail, files: all, ffree};
		},
	};
	return calls;
}

type Needs = (type: number | undefined) => void;

/** Errors of what is at the end of a path, or is not, as Linux has them. */
const needsAny: Needs = (type) => {
	if (type === undefined) throw failed('ENOENT');
};
const needsNothing: Needs = (type) => {
	if (type !== undefined) throw failed('EEXIST');
};
const needsDirectory: Needs = (type) => {
	needsAny(type);
	if (type !== FileType.DIRECTORY) throw failed('ENOTDIR');
};
const needsNoOther: Needs = (type) => {
	if (type === FileType.DIRECTORY) throw failed('EISDIR');
	if (type === FileType.LINK) throw failed('ELOOP');
	if (type !== undefined && type !== FileType.REGULAR) throw failed('ENXIO');
};
const needsFile: Needs = (type) => {
	needsAny(type);
	needsNoOther(type);
};
/** A link's mode means nothing, and Linux changes none. */
const needsNoLink: Needs = (type) => {
	needsAny(type);
	if (type === FileType.LINK) throw failed('EOPNOTSUPP');
};
/** What is opened may be made. */
const needsOf = (flags: number): Needs =>
	(flags & constants.O_CREAT) === 0 ? needsFile : (flags & constants.O_EXCL) === 0 ? needsNoOther : needsNothing;

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
