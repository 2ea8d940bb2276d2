/** Copies a folder of the host into a tree. */

import {createHash} from 'node:crypto';
import {type BigIntStats, constants} from 'node:fs';
import {type FileHandle, lstat, open, readdir, readlink} from 'node:fs/promises';
import {posix} from 'node:path';
import {isVmmError} from '#support/errors';
import type {Content} from './content.ts';
import {treeError} from './errors.ts';
import type {Attributes, FileTree, TreeNode} from './file-tree.ts';

/** Where the work is: what it throws ends it. */
type Came = (bytes: number) => void;

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const fileFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const pieceBytes = 2 ** 20;
/** Folders are open while what is in them is read; a process has 1024 descriptors where nobody raised that. */
const maxDepth = 256;

/** A folder whose names are taken below an open descriptor: nobody can put a link in its way meanwhile. */
interface OpenFolder {
	readonly handle: FileHandle;
	/** Path in the tree, empty for the root. */
	readonly path: string;
	readonly depth: number;
}

/**
 * Puts a folder's files into a tree, as they are: links are links, and what is the user's own belongs to root. Files are read again when
 * the tree is written.
 * @param came - told of bytes that are read @param at - the folder of the tree that it becomes
 * @returns a checksum of all of it
 * @throws VmmError TREE_FOLDER_CHANGED, TREE_FOLDER_UNUSABLE, TREE_PATH_INVALID
 */
export async function addHostFolder(tree: FileTree, folder: string, came: Came = () => {}, at = ''): Promise<string> {
	const digest = createHash('sha256');
	const known = new Map<string, {readonly node: TreeNode; readonly first: string}>();
	const root = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY).catch((error) => {
		throw failure(folder, error);
	});
	const visit = async ({handle, path, depth}: OpenFolder): Promise<void> => {
		if (depth > maxDepth)
			throw treeError('TREE_FOLDER_UNUSABLE', {
				path: `${folder}/${path}`,
				what: `it is more than ${maxDepth} folders deep`,
			});
		const below = `/proc/self/fd/${handle.fd}`;
		tree.addDirectory(posix.join(at, path), attributesOf(await handle.stat({bigint: true})));
		for (const name of (await readdir(below)).sort()) {
			const inner = path === '' ? name : `${path}/${name}`;
			await enter(`${below}/${name}`, inner, depth).catch((error) => {
				throw failure(`${folder}/${inner}`, error);
			});
		}
	};
	const enter = async (place: string, inner: string, depth: number): Promise<void> => {
		const found = await lstat(place, {bigint: true});
		note(inner, found);
		if (found.isDirectory()) {
			await using next = await open(place, directoryFlags);
			await visit({handle: next, path: inner, depth: depth + 1});
			return;
		}
		const node = await nodeOf(place, inner, found);
		if (node !== undefined) tree.add(posix.join(at, inner), node);
	};
	const note = (path: string, {mode, uid, gid, rdev, mtimeMs}: BigIntStats) =>
		digest.update(`${JSON.stringify(path)} ${mode} ${uid} ${gid} ${rdev} ${mtimeMs}\n`);
	const nodeOf = async (path: string, inner: string, found: BigIntStats): Promise<TreeNode | undefined> => {
		const attributes = attributesOf(found);
		const device = {
			major: Number((found.rdev >> 8n) & 0xfffn),
			minor: Number((found.rdev & 0xffn) | ((found.rdev >> 12n) & 0xfff00n)),
		};
		if (found.isSymbolicLink()) {
			const target = await readlink(path);
			digest.update(JSON.stringify(target));
			return {...attributes, kind: 'link', target};
		}
		if (found.isCharacterDevice()) return {...attributes, kind: 'character', ...device};
		if (found.isBlockDevice()) return {...attributes, kind: 'block', ...device};
		if (found.isFIFO()) return {...attributes, kind: 'fifo'};
		// Sockets are of programs that run.
		if (!found.isFile()) return undefined;
		const name = `${found.dev}:${found.ino}`;
		const same = known.get(name);
		if (same !== undefined) {
			digest.update(`the same as ${JSON.stringify(same.first)}`);
			return same.node;
		}
		const {content, sha256} = await fileContent(path, `${folder}/${inner}`, found, came);
		digest.update(sha256);
		const node = {...attributes, kind: 'file', content} as const;
		known.set(name, {node, first: inner});
		return node;
	};
	try {
		await visit({handle: root, path: '', depth: 0});
	} finally {
		await root.close();
	}
	return `sha256:${digest.digest('hex')}`;
}

/** What the host says of a file, by the file's own name: it was reached by a descriptor. */
function failure(path: string, error: unknown): unknown {
	if (isVmmError(error) || !(error instanceof Error && 'syscall' in error)) return error;
	const {code} = error as NodeJS.ErrnoException;
	if (code === 'ENOENT') return treeError('TREE_FOLDER_CHANGED', {path}, {cause: error});
	return treeError('TREE_FOLDER_UNUSABLE', {path, what: `${code}`}, {cause: error});
}

function attributesOf({mode, uid, gid, mtimeMs}: BigIntStats): Attributes {
	const own = (id: bigint, mine: number | undefined) => (Number(id) === mine ? 0 : Number(id));
	return {
		permissions: Number(mode & 0o7777n),
		user: own(uid, process.getuid?.()),
		group: own(gid, process.getgid?.()),
		modified: Number(mtimeMs / 1000n),
	};
}

/** A file's bytes, by its path on the host when they are read again: what has changed since is found by its checksum. */
async function fileContent(path: string, shown: string, found: BigIntStats, came: Came) {
	const length = Number(found.size);
	const read = async function* (from: string): AsyncGenerator<Uint8Array, string> {
		await using file = await open(from, fileFlags).catch((error) => {
			throw failure(shown, error);
		});
		if (!(await file.stat()).isFile()) throw treeError('TREE_FOLDER_CHANGED', {path: shown});
		const hash = createHash('sha256');
		for (let at = 0; at < length; ) {
			const piece = Buffer.allocUnsafe(Math.min(pieceBytes, length - at));
			const {bytesRead} = await file.read(piece, 0, piece.length, at);
			if (bytesRead === 0) throw treeError('TREE_FOLDER_CHANGED', {path: shown});
			hash.update(piece.subarray(0, bytesRead));
			came(bytesRead);
			yield piece.subarray(0, bytesRead);
			at += bytesRead;
		}
		return hash.digest('hex');
	};
	const pieces = read(path);
	let next = await pieces.next();
	while (!next.done) next = await pieces.next();
	const sha256 = next.value;
	const content: Content = {
		length,
		async *pieces() {
			if ((yield* read(shown)) !== sha256) throw treeError('TREE_FOLDER_CHANGED', {path: shown});
		},
	};
	return {content, sha256};
}
