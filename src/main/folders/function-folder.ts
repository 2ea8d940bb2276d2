import {constants} from 'node:fs';
import type {FolderEntry, FolderFile, FolderObject, FolderStat} from '#devices/folder/object';
import {fileError} from './folder-errors.ts';

/** What a function says is at a path: a file's content, a folder's names (with a slash behind those of folders), or nothing. */
export type FunctionAnswer = string | Uint8Array | readonly string[] | undefined;
/** @param path - absolute, `/` for the folder itself */
export type FolderFunction = (path: string) => Promise<FunctionAnswer> | FunctionAnswer;

/**
 * A folder that a function makes up, which the guest reads. The function is asked when the guest looks at a path, and what a file has is what was said
 * when it was opened.
 *
 * @example
 * const folder = functionFolder((path) => (path === '/' ? ['time'] : path === '/time' ? `${Date.now()}\n` : undefined));
 */
export function functionFolder(answer: FolderFunction): FolderObject {
	const ask = async (path: string) => {
		const answered = await answer(path);
		if (answered === undefined) throw fileError('ENOENT', path);
		return typeof answered === 'string' ? Buffer.from(answered) : answered;
	};
	return {
		// There are no links.
		async stat(path): Promise<FolderStat> {
			const answered = await ask(path);
			return answered instanceof Uint8Array
				? {mode: constants.S_IFREG | 0o444, size: answered.length, mtimeMs: Date.now()}
				: {mode: constants.S_IFDIR | 0o555, size: 0, nlink: 2};
		},
		async readdir(path): Promise<FolderEntry[]> {
			const answered = await ask(path);
			if (answered instanceof Uint8Array) throw fileError('ENOTDIR', path);
			return answered.map((name) => {
				const isFolder = name.endsWith('/');
				return {
					name: isFolder ? name.slice(0, -1) : name,
					isDirectory: () => isFolder,
					isFile: () => !isFolder,
				};
			});
		},
		async open(path, flags): Promise<FolderFile> {
			if ((flags & (constants.O_WRONLY | constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC)) !== 0)
				throw fileError('EROFS', path);
			const content = await ask(path);
			if (!(content instanceof Uint8Array)) throw fileError('EISDIR', path);
			return {
				read(buffer, offset, length, position) {
					const part = content.subarray(position, position + length);
					buffer.set(part, offset);
					return {bytesRead: part.length};
				},
				stat: () => ({mode: constants.S_IFREG | 0o444, size: content.length, mtimeMs: Date.now()}),
			};
		},
	};
}
