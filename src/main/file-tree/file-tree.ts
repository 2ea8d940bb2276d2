import type {Content} from './content.ts';
import {treeError} from './errors.ts';

/** Who may do what with a file. */
export interface Attributes {
	/** 12 bits. */
	readonly permissions: number;
	readonly user: number;
	readonly group: number;
	/** Seconds since 1970. */
	readonly modified: number;
	readonly xattrs?: Xattrs | undefined;
}

/** Extended attributes by their names, such as `user.origin`, or `security.capability`, by which a program has capabilities (capabilities(7)). */
export type Xattrs = ReadonlyMap<string, Uint8Array>;

/** Files of a folder, by their names. */
export interface Directory extends Attributes {
	readonly kind: 'directory';
	readonly entries: Map<string, TreeNode>;
}

/** What is in a folder. A file that is in two is one file with two names. */
export type TreeNode =
	| Directory
	| (Attributes & {readonly kind: 'file'; readonly content: Content})
	| (Attributes & {readonly kind: 'link'; readonly target: string})
	| (Attributes & {readonly kind: 'character' | 'block'; readonly major: number; readonly minor: number})
	| (Attributes & {readonly kind: 'fifo'});

/** Linux's limits (NAME_MAX, PATH_MAX, MAXSYMLINKS); a link's target fits into a block with its end. */
const limits = {name: 255, path: 4095, links: 40} as const;
/** What paths are walked by lies within each other no deeper, whatever links are on the way. */
const maxDepth = 512;
/** What a tree may have, all of which is in memory: a hostile archive is to end before that does. */
export interface TreeLimits {
	/** Names, those that others have replaced among them. */
	readonly names: number;
	/** Bytes of names, of links' targets, and of extended attributes. */
	readonly textBytes: number;
}

/** Far more than a system has. */
const usualLimits: TreeLimits = {names: 2 ** 20, textBytes: 2 ** 28};

/**
 * The files that a guest gets, put together in memory without a right on the host. Paths are the guest's, with or without a
 * slash in front; folders on the way may be links, which lead nowhere but within the tree.
 */
export class FileTree {
	readonly root: Directory;
	/** What folders have that come without being asked for. */
	readonly #modified: number;
	readonly #limits: TreeLimits;
	#names = 0;
	#textBytes = 0;

	/** @param modified - time of folders that come without being asked for, in seconds since 1970 */
	constructor(modified: number, limits: TreeLimits = usualLimits) {
		this.#modified = modified;
		this.#limits = limits;
		this.root = {...this.attributes(0o755), kind: 'directory', entries: new Map()};
	}

	/** Attributes of a file of root's, of the tree's time. */
	attributes(permissions: number): Attributes {
		return {permissions, user: 0, group: 0, modified: this.#modified};
	}

	/** What is at the path, which is no other path where that is a link. @throws VmmError TREE_PATH_INVALID */
	find(path: string): TreeNode | undefined {
		const names = namesOf(path);
		const name = names.pop();
		if (name === undefined) return this.root;
		return this.#walk(path, names, false)?.entries.get(name);
	}

	/** The folder at the path, also where a link leads to it. @throws VmmError TREE_PATH_INVALID */
	findDirectory(path: string): Directory | undefined {
		return this.#walk(path, namesOf(path), false);
	}

	/** Takes away what is at the path, with all that is in it. @throws VmmError TREE_PATH_INVALID */
	remove(path: string): void {
		const names = namesOf(path);
		const name = names.pop();
		if (name !== undefined) this.#walk(path, names, false)?.entries.delete(name);
	}

	/** Makes a folder, or gives the one that is there these attributes. @throws VmmError TREE_PATH_INVALID, TREE_TOO_LARGE */
	addDirectory(path: string, attributes: Attributes = this.attributes(0o755)): void {
		const names = namesOf(path);
		const last = names.at(-1);
		if (last === undefined) {
			this.#change(this.root, attributes);
			return;
		}
		const parent = this.#walk(path, names.slice(0, -1), true) as Directory;
		const found = parent.entries.get(last);
		if (found?.kind === 'directory') this.#change(found, attributes);
		else if (found?.kind === 'link') this.#walk(path, names, true);
		else if (found !== undefined) throw treeError('TREE_PATH_INVALID', {path, what: 'a file is there already'});
		else this.#set(parent, last, {...attributes, kind: 'directory', entries: new Map()});
	}

	/**
	 * Puts what is no folder at the path, in place of what is no folder there.
	 * @throws VmmError TREE_PATH_INVALID, TREE_TOO_LARGE
	 */
	add(path: string, node: TreeNode): void {
		const names = namesOf(path);
		const name = names.pop();
		if (name === undefined) throw treeError('TREE_PATH_INVALID', {path, what: 'it is the folder of all files'});
		if (node.kind === 'link') requireTarget(path, node.target);
		const parent = this.#walk(path, names, true) as Directory;
		if (parent.entries.get(name)?.kind === 'directory')
			throw treeError('TREE_PATH_INVALID', {path, what: 'a folder is there already'});
		this.#set(parent, name, node);
	}

	/** Puts a file of these bytes at the path. @throws VmmError TREE_PATH_INVALID, TREE_TOO_LARGE */
	addFile(path: string, content: Content, permissions = 0o644): void {
		this.add(path, {...this.attributes(permissions), kind: 'file', content});
	}

	/** Puts a link at the path. @throws VmmError TREE_PATH_INVALID, TREE_TOO_LARGE */
	addLink(path: string, target: string): void {
		this.add(path, {...this.attributes(0o777), kind: 'link', target});
	}

	/** All there is below the root, each folder before what is in it, by name; paths have no slash in front. */
	*walk(): Generator<readonly [path: string, node: TreeNode], void> {
		const open: [string, TreeNode][] = [['', this.root]];
		for (let next = open.pop(); next !== undefined; next = open.pop()) {
			const [path, node] = next;
			if (path !== '') yield next;
			if (node.kind !== 'directory') continue;
			for (const [name, entry] of sortedEntries(node).reverse())
				open.push([path === '' ? name : `${path}/${name}`, entry]);
		}
	}

	/** What it had for attributes is not given back: a hostile archive may say them again and again. */
	#change(folder: Directory, attributes: Attributes): void {
		this.#count('', xattrBytesOf(attributes));
		Object.assign(folder, {xattrs: undefined}, attributes);
	}

	#set(parent: Directory, name: string, node: TreeNode): void {
		const {names} = this.#limits;
		if (!parent.entries.has(name) && ++this.#names > names)
			throw treeError('TREE_PATH_INVALID', {path: name, what: `it is one of more than ${names}`});
		const targetBytes = node.kind === 'link' ? Buffer.byteLength(node.target) : 0;
		this.#count(name, Buffer.byteLength(name) + targetBytes + xattrBytesOf(node));
		parent.entries.set(ownText(name), node);
	}

	#count(path: string, bytes: number): void {
		const {textBytes} = this.#limits;
		this.#textBytes += bytes;
		if (this.#textBytes > textBytes)
			throw treeError('TREE_PATH_INVALID', {path, what: `names and links before it have ${textBytes} bytes`});
	}

	/** Goes to a folder through links. Where there is none, makes it or returns undefined. */
	#walk(path: string, names: readonly string[], make: boolean): Directory | undefined {
		const way = [this.root];
		const open = names.toReversed();
		let links = 0;
		for (let name = open.pop(); name !== undefined; name = open.pop()) {
			if (name === '..') {
				if (way.length > 1) way.pop();
				continue;
			}
			const here = way.at(-1) as Directory;
			let next = here.entries.get(name);
			if (next === undefined) {
				if (!make) return undefined;
				next = {...this.attributes(0o755), kind: 'directory', entries: new Map()};
				this.#set(here, name, next);
			}
			if (next.kind === 'directory') {
				if (way.push(next) > maxDepth)
					throw treeError('TREE_PATH_INVALID', {
						path: path.slice(0, 200),
						what: `it is more than ${maxDepth} folders deep`,
					});
			} else if (next.kind === 'link') {
				if (++links > limits.links)
					throw treeError('TREE_PATH_INVALID', {path, what: 'links on its way lead on and on'});
				if (next.target.startsWith('/')) way.length = 1;
				open.push(
					...next.target
						.split('/')
						.filter((each) => each !== '' && each !== '.')
						.reverse(),
				);
			} else {
				throw treeError('TREE_PATH_INVALID', {path, what: 'a file on its way is no folder'});
			}
		}
		return way.at(-1);
	}
}

/** Entries of a folder by their names, in an order that depends on nothing else. */
export const sortedEntries = ({entries}: Directory): [name: string, node: TreeNode][] =>
	[...entries].sort(([a], [b]) => (a < b ? -1 : 1));

/** What an attribute takes of memory beside its name and value. */
const xattrBytes = 128;

function xattrBytesOf({xattrs = new Map()}: Attributes): number {
	let bytes = 0;
	for (const [name, value] of xattrs) bytes += name.length + value.length + xattrBytes;
	return bytes;
}

/** A text that is no part of another one: the engine would keep all of a path in memory for each name that was taken out of it. */
export const ownText = (text: string): string => Buffer.from(text).toString();

function requireTarget(path: string, target: string): void {
	const wrong = (what: string) => treeError('TREE_PATH_INVALID', {path: path.slice(0, 200), what});
	if (target === '' || Buffer.byteLength(target) > limits.path)
		throw wrong(`its target has to have 1 to ${limits.path} bytes`);
	if (target.includes('\0')) throw wrong('its target has a zero in it');
	if (target.includes('\u{FFFD}')) throw wrong('its target is not UTF-8');
}

/** Names of a path that somebody gives: what would lead out of its folder is none. */
function namesOf(path: string): string[] {
	const names = path.split('/').filter((name) => name !== '' && name !== '.');
	const wrong = (what: string) => treeError('TREE_PATH_INVALID', {path: path.slice(0, 200), what});
	if (names.includes('..')) throw wrong("it has '..' in it");
	if (path.includes('\0')) throw wrong('it has a zero in it');
	if (path.includes('\u{FFFD}')) throw wrong('it is not UTF-8');
	if (Buffer.byteLength(path) > limits.path) throw wrong(`it has more than ${limits.path} bytes`);
	if (names.some((name) => Buffer.byteLength(name) > limits.name))
		throw wrong(`a name in it has more than ${limits.name} bytes`);
	return names;
}
