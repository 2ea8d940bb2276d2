import {constants} from 'node:fs';
import type {FolderEntry, FolderFile, FolderObject, FolderSpace, FolderStat} from '#devices/folder/object';
import {fileError} from './folder-errors.ts';
import {type Budget, MemoryBytes} from './memory-file.ts';

/** Files by their paths, as text or bytes; a path with a slash behind is an empty folder. */
export type MemoryFiles = Readonly<Record<string, string | Uint8Array>>;

export interface MemoryFolderOptions {
	/** Bytes that its files may have together: 64 MiB without this. */
	readonly mostBytes?: number;
	/** Files and folders: 65536 without this. */
	readonly mostFiles?: number;
}

type Content =
	| {readonly kind: 'file'; readonly bytes: MemoryBytes}
	| {readonly kind: 'directory'; readonly entries: Map<string, MemoryNode>}
	| {readonly kind: 'link'; readonly bytes: MemoryBytes};

interface MemoryNode {
	readonly content: Content;
	readonly ino: number;
	permissions: number;
	uid: number;
	gid: number;
	links: number;
	/** How many have it open. */
	open: number;
	/** Milliseconds. */
	accessed: number;
	modified: number;
	changed: number;
}

const {S_IFREG, S_IFDIR, S_IFLNK} = constants;
const typeBits = {file: S_IFREG, directory: S_IFDIR, link: S_IFLNK} as const;
const linkPermissions = 0o777;
const blockBytes = 4096;

/**
 * A folder in memory, which the guest may change. It is the program's as well, by the same methods.
 *
 * @example
 * const folder = memoryFolder({'etc/motd': 'hello\n', 'work/': ''});
 */
export function memoryFolder(files: MemoryFiles = {}, options: MemoryFolderOptions = {}): MemoryFolder {
	const folder = new MemoryFolder(options);
	for (const [path, content] of Object.entries(files)) folder.put(path, content);
	return folder;
}

/** What {@link memoryFolder} gives. */
export class MemoryFolder implements FolderObject {
	readonly #budget: Budget;
	readonly #mostBytes: number;
	readonly #mostFiles: number;
	readonly #root: MemoryNode;
	#next = 1;
	#files = 0;

	constructor({mostBytes = 64 * 2 ** 20, mostFiles = 65536}: MemoryFolderOptions = {}) {
		this.#mostBytes = mostBytes;
		this.#budget = {bytes: mostBytes};
		this.#mostFiles = mostFiles;
		this.#root = this.#node({kind: 'directory', entries: new Map()}, 0o755);
		this.#root.links = 1;
	}

	/** Puts a file there, and the folders on the way. */
	put(path: string, content: string | Uint8Array): void {
		const names = path.split('/').filter((name) => name !== '');
		const last = path.endsWith('/') ? undefined : names.pop();
		let at = this.#root;
		for (const name of names) {
			at = entriesOf(at, path).get(name) ?? this.#add(at, name, {kind: 'directory', entries: new Map()}, 0o755);
		}
		if (last === undefined) return void entriesOf(at, path);
		const bytes = new MemoryBytes(this.#budget, typeof content === 'string' ? Buffer.from(content) : content);
		entriesOf(at, path);
		this.#remove(at, last);
		this.#add(at, last, {kind: 'file', bytes}, 0o644);
	}

	lstat(path: string): FolderStat {
		return statOf(this.#find(path));
	}

	readdir(path: string): FolderEntry[] {
		return [...entriesOf(this.#find(path), path)].map(([name, {content}]) => ({
			name,
			isDirectory: () => content.kind === 'directory',
			isSymbolicLink: () => content.kind === 'link',
			isFile: () => content.kind === 'file',
		}));
	}

	open(path: string, flags: number, mode = 0o666): FolderFile {
		const {directory, entries, name} = this.#place(path);
		let node = entries.get(name);
		if (node !== undefined && (flags & constants.O_CREAT) !== 0 && (flags & constants.O_EXCL) !== 0)
			throw fileError('EEXIST', path);
		if (node === undefined) {
			if ((flags & constants.O_CREAT) === 0) throw fileError('ENOENT', path);
			node = this.#add(directory, name, {kind: 'file', bytes: new MemoryBytes(this.#budget)}, mode & 0o7777);
		}
		const {content} = node;
		if (content.kind === 'directory') throw fileError('EISDIR', path);
		if (content.kind === 'link') throw fileError('ELOOP', path);
		if ((flags & constants.O_TRUNC) !== 0) {
			content.bytes.truncate(0);
			touch(node);
		}
		return this.#opened(node, content.bytes, flags);
	}

	readFile(path: string): Uint8Array {
		const {content} = this.#find(path);
		if (content.kind !== 'file') throw fileError('EISDIR', path);
		const bytes = new Uint8Array(content.bytes.length);
		content.bytes.read(bytes, 0);
		return bytes;
	}

	writeFile(path: string, bytes: Uint8Array | string): void {
		const file = this.open(path, constants.O_CREAT | constants.O_TRUNC | constants.O_WRONLY);
		const content = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
		file.write?.(content, 0, content.length, 0);
		file.close?.();
	}

	mkdir(path: string, {mode = 0o777}: {readonly mode?: number} = {}): void {
		const {directory, entries, name} = this.#place(path);
		if (entries.has(name)) throw fileError('EEXIST', path);
		this.#add(directory, name, {kind: 'directory', entries: new Map()}, mode & 0o7777);
	}

	rmdir(path: string): void {
		const {directory, name} = this.#place(path);
		const node = this.#find(path);
		if (node.content.kind !== 'directory') throw fileError('ENOTDIR', path);
		if (node.content.entries.size > 0) throw fileError('ENOTEMPTY', path);
		this.#remove(directory, name);
	}

	unlink(path: string): void {
		const {directory, name} = this.#place(path);
		if (this.#find(path).content.kind === 'directory') throw fileError('EISDIR', path);
		this.#remove(directory, name);
	}

	rename(from: string, to: string): void {
		const node = this.#find(from);
		const [source, target] = [this.#place(from), this.#place(to)];
		const there = target.entries.get(target.name);
		if (there === node) return;
		const isDirectory = node.content.kind === 'directory';
		if (isDirectory && to.startsWith(`${from}/`)) throw fileError('EINVAL', to);
		if (there?.content.kind === 'directory') {
			if (!isDirectory) throw fileError('EISDIR', to);
			if (there.content.entries.size > 0) throw fileError('ENOTEMPTY', to);
		} else if (there !== undefined && isDirectory) throw fileError('ENOTDIR', to);
		this.#remove(target.directory, target.name);
		source.entries.delete(source.name);
		target.entries.set(target.name, node);
		for (const {directory} of [source, target]) touch(directory);
		node.changed = Date.now();
	}

	symlink(target: string, path: string): void {
		const {directory, entries, name} = this.#place(path);
		if (entries.has(name)) throw fileError('EEXIST', path);
		const bytes = new MemoryBytes(this.#budget, Buffer.from(target));
		this.#add(directory, name, {kind: 'link', bytes}, linkPermissions);
	}

	readlink(path: string): string {
		const {content} = this.#find(path);
		if (content.kind !== 'link') throw fileError('EINVAL', path);
		return textOf(content.bytes);
	}

	link(existing: string, path: string): void {
		const node = this.#find(existing);
		const {directory, entries, name} = this.#place(path);
		if (node.content.kind === 'directory') throw fileError('EPERM', existing);
		if (entries.has(name)) throw fileError('EEXIST', path);
		entries.set(name, node);
		touch(directory);
		node.links++;
		node.changed = Date.now();
	}

	chmod(path: string, mode: number): void {
		this.#change(path, {permissions: mode & 0o7777});
	}

	lchown(path: string, uid: number, gid: number): void {
		this.#change(path, {uid, gid});
	}

	lutimes(path: string, atime: number, mtime: number): void {
		this.#change(path, {accessed: atime * 1000, modified: mtime * 1000});
	}

	truncate(path: string, length: number): void {
		const node = this.#find(path);
		if (node.content.kind !== 'file') throw fileError('EISDIR', path);
		node.content.bytes.truncate(length);
		touch(node);
	}

	statfs(): FolderSpace {
		const free = Math.floor(this.#budget.bytes / blockBytes);
		return {
			bsize: blockBytes,
			blocks: Math.floor(this.#mostBytes / blockBytes),
			bfree: free,
			bavail: free,
			files: this.#mostFiles,
			ffree: this.#mostFiles - this.#files,
		};
	}

	#opened(node: MemoryNode, bytes: MemoryBytes, flags: number): FolderFile {
		const appends = (flags & constants.O_APPEND) !== 0;
		node.open++;
		return {
			read: (buffer, offset, length, position) => ({
				bytesRead: bytes.read(buffer.subarray(offset, offset + length), position),
			}),
			write: (buffer, offset, length, position) => {
				bytes.write(buffer.subarray(offset, offset + length), appends ? bytes.length : position);
				touch(node);
				return {bytesWritten: length};
			},
			stat: () => statOf(node),
			truncate: (length) => {
				bytes.truncate(length);
				touch(node);
			},
			sync: () => {},
			close: () => {
				node.open--;
				this.#freeUnused(node);
			},
		};
	}

	#find(path: string): MemoryNode {
		let node = this.#root;
		for (const name of path.split('/')) {
			if (name === '') continue;
			const found = entriesOf(node, path).get(name);
			if (found === undefined) throw fileError('ENOENT', path);
			node = found;
		}
		return node;
	}

	/** The folder that a path's last name is in. */
	#place(path: string): {
		readonly directory: MemoryNode;
		readonly entries: Map<string, MemoryNode>;
		readonly name: string;
	} {
		const end = path.lastIndexOf('/');
		const name = path.slice(end + 1);
		if (name === '') throw fileError('EBUSY', path);
		const directory = this.#find(path.slice(0, Math.max(0, end)));
		return {directory, entries: entriesOf(directory, path), name};
	}

	#add(directory: MemoryNode, name: string, content: Content, permissions: number): MemoryNode {
		const node = this.#node(content, permissions);
		entriesOf(directory, name).set(name, node);
		touch(directory);
		node.links = 1;
		return node;
	}

	#node(content: Content, permissions: number): MemoryNode {
		if (this.#files >= this.#mostFiles) throw fileError('ENOSPC', `${this.#files} files`);
		this.#files++;
		const now = Date.now();
		const times = {accessed: now, modified: now, changed: now};
		return {content, ino: this.#next++, permissions, uid: 0, gid: 0, links: 0, open: 0, ...times};
	}

	#remove(directory: MemoryNode, name: string): void {
		const entries = entriesOf(directory, name);
		const node = entries.get(name);
		if (node === undefined) return;
		entries.delete(name);
		touch(directory);
		node.links--;
		node.changed = Date.now();
		if (node.links === 0) this.#files--;
		this.#freeUnused(node);
	}

	#freeUnused({content, links, open}: MemoryNode): void {
		if (links === 0 && open === 0 && content.kind !== 'directory') content.bytes.free();
	}

	#change(
		path: string,
		changes: Partial<Pick<MemoryNode, 'permissions' | 'uid' | 'gid' | 'accessed' | 'modified'>>,
	): void {
		Object.assign(this.#find(path), changes, {changed: Date.now()});
	}
}

function entriesOf({content}: MemoryNode, path: string): Map<string, MemoryNode> {
	if (content.kind !== 'directory') throw fileError('ENOTDIR', path);
	return content.entries;
}

function textOf(bytes: MemoryBytes): string {
	const target = Buffer.alloc(bytes.length);
	bytes.read(target, 0);
	return target.toString();
}

function touch(node: MemoryNode): void {
	node.modified = node.changed = Date.now();
}

function statOf({content, ino, permissions, uid, gid, links, accessed, modified, changed}: MemoryNode): FolderStat {
	const isDirectory = content.kind === 'directory';
	const size = content.kind === 'directory' ? 0 : content.bytes.length;
	return {
		mode: typeBits[content.kind] | permissions,
		size,
		ino,
		nlink: isDirectory ? 2 : links,
		uid,
		gid,
		atimeMs: accessed,
		mtimeMs: modified,
		ctimeMs: changed,
	};
}
