import type {FolderObject} from '#devices/folder/object';

/** Methods whose first argument is a path, and those in which the second one is. */
const byPath = [
	'lstat',
	'stat',
	'readdir',
	'open',
	'readFile',
	'writeFile',
	'mkdir',
	'rmdir',
	'unlink',
	'readlink',
	'chmod',
	'lchown',
	'chown',
	'lutimes',
	'utimes',
	'truncate',
	'statfs',
] as const;
const byTwoPaths = ['rename', 'link'] as const;

type Method = (...args: unknown[]) => unknown;

/**
 * A part of a file system of a program's: `node:fs/promises`, or that of `memfs`, from a path on. Its methods follow links, so that a guest stays in it as
 * {@link FolderObject} says: as long as nobody else puts links there. A folder of the host's is better shared by its path.
 *
 * @example
 * const folder = folderAt(memfs.fs.promises, '/data');
 */
export function folderAt(fileSystem: object, root: string): FolderObject {
	const methods = fileSystem as Readonly<Record<string, Method | undefined>>;
	const start = root.replace(/\/+$/, '');
	// The root has a slash behind, so that it may be a link.
	const place = (path: unknown) => `${start}${path}`;
	const folder: Record<string, Method> = {};
	for (const name of byPath)
		if (methods[name] !== undefined) folder[name] = (path, ...rest) => methods[name]?.(place(path), ...rest);
	for (const name of byTwoPaths)
		if (methods[name] !== undefined) folder[name] = (from, to) => methods[name]?.(place(from), place(to));
	if (methods['symlink'] !== undefined) folder['symlink'] = (target, path) => methods['symlink']?.(target, place(path));
	return folder as unknown as FolderObject;
}
