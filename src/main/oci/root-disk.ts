import {randomUUID} from 'node:crypto';
import {open, rename, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {decompressStream, isBomb} from '#main/compression';
import {writeExt4} from '#main/ext4';
import {hashOfKey} from '#main/file-cache';
import {FileTree, Spool} from '#main/file-tree';
import {type TarMember, tarMembers} from '#main/tar';
import {isVmmError} from '#support/errors';
import {digestOfHash, hashFor} from './digest.ts';
import {ociError} from './errors.ts';
import {filePieces} from './file-pieces.ts';
import type {ImageStore} from './image-store.ts';
import {LayerUnpacker} from './layer.ts';
import type {Layer} from './manifest.ts';

/** What is asked of a root that is made. */
export interface RootWork {
	readonly freeBytes: number;
	readonly progress: (step: 'unpack' | 'write', done: number, total: number) => void;
	readonly signal: AbortSignal | undefined;
}

/** A layer in a file of this host. */
export interface LayerFile extends Pick<Layer, 'digest' | 'size' | 'compression'> {
	readonly path: string;
	/** Checksum that it has when it is not compressed; undefined where nobody tells it. */
	readonly diffId: string | undefined;
}

/** The form of roots: another number makes them anew. */
const form = 'ext4-2';

/** What a root of layers depends on. */
export const rootKey = (digests: readonly string[]): readonly string[] => [form, 'layers', ...digests];
/** More than this from one image is not taken, whatever room there is. */
const mostBytes = 2 ** 37;
const sizeStep = 2 ** 26;
const blockBytes = 4096;
const inodeBytes = 512;

/** A root that is made, or that was there. */
export interface RootDisk {
	readonly path: string;
	readonly sizeBytes: number;
}

/**
 * Gives the root that these layers make, from the cache or newly made.
 * @throws VmmError OCI_*, TREE_*, EXT4_*; the signal's reason
 */
export async function rootOfLayers(
	store: ImageStore,
	layers: () => Promise<readonly LayerFile[]>,
	key: readonly string[],
	work: RootWork,
): Promise<RootDisk> {
	return rootOfTree(store, key, work, async (spool) => {
		const tree = new FileTree(0);
		const files = await layers();
		const total = files.reduce((sum, {size}) => sum + size, 0);
		let before = 0;
		for (const file of files) {
			await unpackLayer(tree, spool, file, (done) => {
				work.signal?.throwIfAborted();
				work.progress('unpack', before + done, total);
			});
			before += file.size;
		}
		return tree;
	});
}

/**
 * Gives a root by its key, from the cache or made of a tree. The same tree and the same free space give the same bytes. Two that make it
 * at once make the same.
 */
export async function rootOfTree(
	store: ImageStore,
	key: readonly string[],
	{freeBytes, progress, signal}: RootWork,
	makeTree: (spool: Spool) => Promise<FileTree>,
): Promise<RootDisk> {
	const path = store.rootOf(key, freeBytes);
	const known = await store.useRoot(path);
	if (known !== undefined) return {path, sizeBytes: known};
	// All of it is there twice while it is made: in the spool and in the file system.
	const free = await store.free();
	const limit = Math.min(mostBytes, Math.floor(free / 2));
	await using spool = await Spool.open(join(store.folder, 'partial'), limit);
	const tree = await makeTree(spool).catch((error) => {
		if (limit === mostBytes || !isVmmError(error, 'TREE_TOO_LARGE')) throw error;
		throw ociError('OCI_ROOM_MISSING', {folder: store.folder, needed: undefined, free}, {cause: error});
	});
	const {content, sizeBytes} = sizeOf(tree, freeBytes);
	await store.requireRoom(content);
	const partial = join(store.folder, 'partial', `root.${randomUUID()}`);
	try {
		await using file = await open(partial, 'wx', 0o600);
		await file.truncate(sizeBytes);
		let done = 0;
		const write = async (bytes: Uint8Array, at: number) => {
			signal?.throwIfAborted();
			for (let written = 0; written < bytes.length; )
				written += (await file.write(bytes, written, bytes.length - written, at + written)).bytesWritten;
			// Tables of the file system are not in it.
			if (done === content) return;
			done = Math.min(done + bytes.length, content);
			progress('write', done, content);
		};
		const identity = {label: 'root', uuid: uuidOf(key), time: 0};
		await writeExt4({write: (bytes, at) => (isZero(bytes) ? hole() : write(bytes, at))}, tree, {
			...identity,
			sizeBytes,
		});
		await file.sync();
		await file.chmod(0o400);
		await rename(partial, path);
	} finally {
		await rm(partial, {force: true});
	}
	return {path, sizeBytes};
}

/** A file that was never written reads as zeros. */
const hole = async (): Promise<void> => {};
const zeros = Buffer.alloc(2 ** 16);
const isZero = (bytes: Uint8Array): boolean => {
	for (let at = 0; at < bytes.length; at += zeros.length) {
		const piece = bytes.subarray(at, at + zeros.length);
		if (Buffer.compare(piece, zeros.subarray(0, piece.length)) !== 0) return false;
	}
	return true;
};

/** Reads a layer into a tree. @param came - told how many bytes of its file are taken @throws VmmError OCI_LAYER_*, TREE_* */
export async function unpackLayer(
	tree: FileTree,
	spool: Spool,
	{path, digest, size, compression, diffId}: LayerFile,
	came: (bytes: number) => void,
): Promise<void> {
	const fault = (what: string) => ociError('OCI_LAYER_DAMAGED', {digest, what});
	const [packed, plain] = [hashFor(digest), hashFor(diffId ?? digest)];
	let read = 0;
	async function* file() {
		const counted = filePieces(path, (bytes) => {
			read = bytes;
			came(bytes);
		});
		for await (const piece of counted) {
			packed.update(piece);
			yield piece;
		}
	}
	const requireNoBomb = (bytes: number) => {
		if (isBomb(bytes, read)) throw ociError('OCI_LAYER_BOMB', {digest, bytes, from: read});
	};
	async function* counted(pieces: AsyncIterable<Uint8Array>) {
		let bytes = 0;
		for await (const piece of pieces) {
			bytes += piece.length;
			requireNoBomb(bytes);
			if (diffId !== undefined) plain.update(piece);
			yield piece;
		}
	}
	const faults = {truncated: () => fault('it is cut off'), damaged: fault, unsupported: fault};
	const pieces = compression === undefined ? file() : decompressStream(file(), compression, faults);
	const unpacker = new LayerUnpacker(tree, spool, fault);
	let unpacked = 0;
	/** What a file has of holes takes room, too. */
	async function* filled(content: AsyncIterable<Uint8Array>) {
		for await (const piece of content) {
			unpacked += piece.length;
			requireNoBomb(unpacked);
			yield piece;
		}
	}
	for await (const member of tarMembers(counted(pieces), fault, {sparse: true, looseEnd: true}))
		await added(unpacker, {...member, content: filled(member.content)}, digest);
	// The file may have changed since it was verified.
	if (read !== size || digestOfHash(packed) !== digest)
		throw ociError('OCI_BLOB_DAMAGED', {digest, where: 'The file of a layer', found: `${read} bytes, or other ones`});
	if (diffId !== undefined && digestOfHash(plain) !== diffId)
		throw fault(`decompressed it is not ${diffId}, as its image says`);
}

/** What is wrong with a path is told with the layer that has it. */
async function added(unpacker: LayerUnpacker, member: TarMember, digest: string): Promise<void> {
	try {
		await unpacker.add(member);
	} catch (error) {
		if (!isVmmError(error, 'TREE_PATH_INVALID')) throw error;
		throw ociError('OCI_LAYER_DAMAGED', {digest, what: error.message}, {cause: error});
	}
}

function sizeOf(tree: FileTree, freeBytes: number): {readonly content: number; readonly sizeBytes: number} {
	// A program that copied a whole ext4 has the folder of its checker, too.
	const lost = tree.root.entries.get('lost+found');
	if (lost?.kind === 'directory' && lost.entries.size === 0) tree.root.entries.delete('lost+found');
	const nodes = new Set([...tree.walk()].map(([, node]) => node));
	let content = 0;
	let blocks = 0;
	for (const node of nodes) {
		if (node.xattrs !== undefined) blocks++;
		if (node.kind === 'file') {
			content += node.content.length;
			blocks += Math.ceil(node.content.length / blockBytes);
		} else if (node.kind === 'directory') {
			// A name has 255 bytes at most, and most have far fewer.
			const names = [...node.entries.keys()].reduce((sum, name) => sum + Buffer.byteLength(name) + 12, 64);
			blocks += Math.ceil((names * 1.25) / blockBytes);
		} else blocks++;
	}
	const needed = blocks * blockBytes + nodes.size * inodeBytes;
	// Tables of a file system are a part of all of it: some two percent.
	const sizeBytes = Math.ceil(((needed + freeBytes) * 1.03) / sizeStep) * sizeStep;
	return {content, sizeBytes};
}

/** An identity that the same root has again (RFC 9562, version 8). */
function uuidOf(key: readonly string[]): string {
	const hash = hashOfKey(key);
	return [
		hash.slice(0, 8),
		hash.slice(8, 12),
		`8${hash.slice(13, 16)}`,
		`8${hash.slice(17, 20)}`,
		hash.slice(20, 32),
	].join('-');
}
