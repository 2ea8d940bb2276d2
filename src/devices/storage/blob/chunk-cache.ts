import {createHash, randomUUID} from 'node:crypto';
import {mkdir, open, rename, rm, stat, writeFile} from 'node:fs/promises';
import {homedir} from 'node:os';
import {join} from 'node:path';
import {errnoOf} from '#support/ffi';
import {blobError} from './errors.ts';
import type {FileMark} from './range-source.ts';

const digestBytes = 32;
const digest = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** The folder of caches that is the user's (XDG base directory specification), and in it this one. */
export const usualCacheFolder = (): string =>
	join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'openvmm', 'blobs');

/**
 * Parts of a file in a folder of its own, each in a file with its digest before it. Any number of processes use it at once: a file comes
 * into being whole, by one rename. What does not match its digest is as if it were not there.
 */
export class ChunkCache {
	readonly #folder: string;

	private constructor(folder: string) {
		this.#folder = folder;
	}

	/** @throws VmmError DISK_BLOB_CACHE where others can write to it too, or it cannot be made */
	static async open(
		folder: string,
		url: string,
		{bytes, validator}: FileMark,
		chunkBytes: number,
	): Promise<ChunkCache> {
		const name = digest(Buffer.from(JSON.stringify([url, bytes, validator, chunkBytes]))).toString('hex');
		const own = join(folder, name);
		try {
			await mkdir(own, {recursive: true, mode: 0o700});
			for (const each of [folder, own]) {
				const {uid, mode} = await stat(each);
				if (uid !== process.getuid?.() || (mode & 0o022) !== 0)
					throw blobError('DISK_BLOB_CACHE', {folder: each, what: 'others can write there'});
			}
		} catch (cause) {
			const errno = errnoOf(cause);
			if (errno === undefined) throw cause;
			throw blobError('DISK_BLOB_CACHE', {folder, what: errno}, {cause});
		}
		return new ChunkCache(own);
	}

	/** A part that is there, and as it was. */
	async find(index: number, length: number): Promise<Buffer | undefined> {
		try {
			await using file = await open(this.#pathOf(index));
			if ((await file.stat()).size !== digestBytes + length) return undefined;
			const all = await file.readFile();
			const bytes = all.subarray(digestBytes);
			return bytes.length === length && digest(bytes).equals(all.subarray(0, digestBytes)) ? bytes : undefined;
		} catch {
			// What cannot be read is fetched.
			return undefined;
		}
	}

	/** Keeps a part. One that cannot be kept, as on a full disk, is fetched again when it is wanted. */
	async keep(index: number, bytes: Buffer): Promise<void> {
		const path = join(this.#folder, `new-${randomUUID()}`);
		try {
			await writeFile(path, [digest(bytes), bytes], {mode: 0o600, flag: 'wx'});
			await rename(path, this.#pathOf(index));
		} catch {
			await rm(path, {force: true}).catch(() => {});
		}
	}

	#pathOf(index: number): string {
		return join(this.#folder, `${index}`);
	}
}
