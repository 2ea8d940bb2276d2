import {randomUUID} from 'node:crypto';
import {createWriteStream} from 'node:fs';
import {open, rename, rm} from 'node:fs/promises';
import {Readable, type Transform} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {createGzip, createZstdCompress} from 'node:zlib';
import {type Ext4Options, writeExt4} from '#main/ext4';
import type {FileTree} from '#main/file-tree';
import {packCpio} from './cpio.ts';

/** Told of bytes that are being written; what it throws ends the writing. */
export type OnBytes = (bytes: number) => void;

/** Files that come into being together: each lies beside its place until all are whole. */
export class OutputFiles implements AsyncDisposable {
	readonly #unfinished = new Map<string, string>();
	readonly #onBytes: OnBytes;

	constructor(onBytes: OnBytes = () => {}) {
		this.#onBytes = onBytes;
	}

	/** Writes bytes as they come. */
	async pieces(path: string, pieces: AsyncIterable<Uint8Array>, ...through: readonly Transform[]): Promise<void> {
		await pipeline([
			Readable.from(this.#counted(pieces)),
			...through,
			createWriteStream(this.#begin(path), {flags: 'wx'}),
		]);
	}

	/** Writes a tree as an initial file system, compressed as its name ends: `.gz` or `.zst`. */
	async initrd(path: string, tree: FileTree): Promise<void> {
		const compressor = compressors.find(([ending]) => path.endsWith(ending))?.[1];
		await this.pieces(path, packCpio(tree), ...(compressor === undefined ? [] : [compressor()]));
	}

	/** Writes a tree as a disk: an ext4 file system, with holes where nothing is. @throws VmmError as {@link writeExt4} does */
	async disk(path: string, tree: FileTree, options: Ext4Options): Promise<void> {
		await using file = await open(this.#begin(path), 'wx');
		await file.truncate(options.sizeBytes);
		const write = async (bytes: Uint8Array, at: number) => {
			this.#onBytes(bytes.length);
			for (let done = 0; done < bytes.length; ) {
				done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
			}
		};
		await writeExt4({write}, tree, options);
	}

	/** Puts all into their places. */
	async finish(): Promise<void> {
		for (const [path, unfinished] of this.#unfinished) {
			await rename(unfinished, path);
			this.#unfinished.delete(path);
		}
	}

	/** Removes what is not finished. */
	async [Symbol.asyncDispose](): Promise<void> {
		for (const unfinished of this.#unfinished.values()) await rm(unfinished, {force: true});
	}

	/** Names a file that is to be made, never one that is there: in a folder of many it may be a link of somebody else's. */
	#begin(path: string): string {
		const unfinished = `${path}.${randomUUID()}.new`;
		this.#unfinished.set(path, unfinished);
		return unfinished;
	}

	async *#counted(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
		for await (const piece of pieces) {
			this.#onBytes(piece.length);
			yield piece;
		}
	}
}

/** Compressions of initial file systems, by the ends of their files' names; without one of them it is not compressed. */
const compressors: readonly (readonly [ending: string, make: () => Transform])[] = [
	['.gz', () => createGzip({level: 6})],
	['.zst', () => createZstdCompress()],
];

/** Writes a tree as a disk. @throws VmmError as {@link OutputFiles.disk} does */
export async function writeDisk(tree: FileTree, path: string, options: Ext4Options): Promise<void> {
	await using files = new OutputFiles();
	await files.disk(path, tree, options);
	await files.finish();
}

/** Writes a tree as an initial file system, as {@link OutputFiles.initrd} does. */
export async function writeInitrd(tree: FileTree, path: string): Promise<void> {
	await using files = new OutputFiles();
	await files.initrd(path, tree);
	await files.finish();
}
