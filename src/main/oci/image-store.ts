import {createHash} from 'node:crypto';
import {readdir, readFile, rm, stat, statfs, utimes} from 'node:fs/promises';
import {join} from 'node:path';
import type {ChecksumAlgorithm, FileFacts} from '#main/debian';
import {type CacheUse, FileCache, hashOfKey, ignoreMissing} from '#main/file-cache';
import {isVmmError} from '#support/errors';
import {checksumOf, digestForm, digestOfChecksum} from './digest.ts';
import {ociError} from './errors.ts';
import {JsonObject} from './json.ts';
import type {Descriptor} from './manifest.ts';

const use: CacheUse = {
	name: 'images',
	folders: ['sha512', 'names', 'roots'],
	unsafe: (folder, what) => ociError('OCI_CACHE_UNSAFE', {folder, what}),
};

/** A name of an image that is in the cache. */
export interface StoredName {
	readonly name: string;
	/** That of its manifest, which is no index; of a root file system in an archive, that of the archive, which is not in the cache. */
	readonly kind: 'image' | 'tar';
	readonly digest: string;
	/** What its file was when it was read, where it is one of the host: another one is read again. */
	readonly stamp?: string;
	/** Bytes of the image as it is transferred. */
	readonly size: number;
	/** When it was fetched, in seconds since 1970. */
	readonly time: number;
}

/** A file of the cache. */
export interface StoredFile {
	readonly path: string;
	readonly bytes: number;
	/** When it was used last, in milliseconds since 1970. */
	readonly used: number;
}

/** What a checksum's file has to be. */
export const factsOf = ({digest, size}: Pick<Descriptor, 'digest' | 'size'>): FileFacts => ({
	checksum: checksumOf(digest),
	bytes: size,
});

const rootEnding = '.img';

/** Images of this user: their parts by checksums, their names, and the roots that were made of them. */
export class ImageStore extends FileCache {
	/** @param folder - without it, one below the user's caches @throws VmmError OCI_CACHE_UNSAFE */
	static async open(folder?: string, environment: NodeJS.ProcessEnv = process.env): Promise<ImageStore> {
		return new ImageStore(await ImageStore.prepare(use, folder, environment));
	}

	/** Where a root is, or comes into being. @param key - what it is made of */
	rootOf(key: readonly string[], freeBytes: number): string {
		return join(this.folder, 'roots', `${hashOfKey(key)}-${freeBytes}${rootEnding}`);
	}

	/** The size of a root that is whole, which counts as used from now on; undefined where there is none. */
	async useRoot(path: string): Promise<number | undefined> {
		const found = await stat(path).catch(ignoreMissing);
		if (found === undefined) return undefined;
		const now = new Date();
		// It may be taken away at this moment; whoever opens it learns that.
		await utimes(path, now, now).catch(ignoreMissing);
		return found.size;
	}

	async roots(): Promise<StoredFile[]> {
		return this.#files('roots', (name) => name.endsWith(rootEnding));
	}

	async blobs(): Promise<StoredFile[]> {
		const found = await Promise.all(['sha256', 'sha512'].map((each) => this.#files(each, () => true)));
		return found.flat();
	}

	/** Reads a part that is small. @throws VmmError OCI_BLOB_MISSING */
	async read(descriptor: Descriptor): Promise<Uint8Array> {
		const path = await this.find(factsOf(descriptor));
		if (path === undefined)
			throw ociError('OCI_BLOB_MISSING', {digest: descriptor.digest, where: 'The cache of images'});
		return readFile(path);
	}

	/** Reads a part of which the checksum alone is known. @throws VmmError OCI_BLOB_MISSING, OCI_TOO_LARGE */
	async readAny(digest: string, most: number): Promise<Uint8Array> {
		const path = this.pathOf({checksum: checksumOf(digest)});
		const size = (await stat(path).catch(ignoreMissing))?.size ?? 0;
		if (size > most) throw ociError('OCI_TOO_LARGE', {of: digest, what: `${size} bytes`, most});
		return this.read({digest, size, mediaType: ''});
	}

	/** True where a part is there with its size: what it has is checked when it is read. */
	async has({digest, size}: Pick<Descriptor, 'digest' | 'size'>): Promise<boolean> {
		const found = await stat(this.pathOf({checksum: checksumOf(digest)})).catch(ignoreMissing);
		return found?.size === size;
	}

	/** Puts a part that is in memory into its place. @returns its digest */
	async add(bytes: Uint8Array, algorithm: ChecksumAlgorithm = 'sha256'): Promise<string> {
		const checksum = createHash(algorithm).update(bytes).digest('hex');
		await this.put(bytes, this.pathOf({checksum}));
		return digestOfChecksum(checksum);
	}

	/** What a name stands for; undefined where it is not known. */
	async name(name: string): Promise<StoredName | undefined> {
		const text = await readFile(this.#noteOf(name)).catch(ignoreMissing);
		return text === undefined ? undefined : readNote(text);
	}

	async setName(named: StoredName): Promise<void> {
		await this.put(`${JSON.stringify(named)}\n`, this.#noteOf(named.name));
	}

	async removeName(name: string): Promise<void> {
		await rm(this.#noteOf(name), {force: true});
	}

	/** All names, in their order. */
	async names(): Promise<StoredName[]> {
		const found: StoredName[] = [];
		for (const each of await readdir(join(this.folder, 'names'))) {
			const text = await readFile(join(this.folder, 'names', each)).catch(ignoreMissing);
			const named = text && readNote(text);
			if (named !== undefined) found.push(named);
		}
		return found.sort((a, b) => (a.name < b.name ? -1 : 1));
	}

	/** @throws VmmError OCI_ROOM_MISSING where the file system of the cache has fewer bytes left */
	async requireRoom(needed: number): Promise<void> {
		const free = await this.free();
		if (free < needed) throw ociError('OCI_ROOM_MISSING', {folder: this.folder, needed, free});
	}

	/** Bytes that the file system of the cache has left. */
	async free(): Promise<number> {
		const {bavail, bsize} = await statfs(this.folder);
		return bavail * bsize;
	}

	#noteOf(name: string): string {
		return join(this.folder, 'names', createHash('sha256').update(name).digest('hex'));
	}

	async #files(folder: string, isOne: (name: string) => boolean): Promise<StoredFile[]> {
		const path = join(this.folder, folder);
		return this.statAll(path, (await readdir(path)).filter(isOne));
	}

	/** Looks at files of a folder, of which some may be gone. */
	async statAll(folder: string, names: readonly string[]): Promise<StoredFile[]> {
		const found: StoredFile[] = [];
		for (const name of names) {
			const path = join(folder, name);
			const one = await stat(path).catch(ignoreMissing);
			// What is a hole takes nothing.
			if (one !== undefined) found.push({path, bytes: one.blocks * 512, used: one.mtimeMs});
		}
		return found;
	}
}

/** Undefined for a note that a host has lost the bytes of, or that is of another version: what it told is fetched again. */
function readNote(text: Uint8Array): StoredName | undefined {
	try {
		const json = JsonObject.parse('A name in the cache of images', text);
		const [name = '', digest = '', kind, stamp] = ['name', 'digest', 'kind', 'stamp'].map((each) => json.text(each));
		if (!digestForm.test(digest)) return undefined;
		const rest = {size: json.number('size'), time: json.number('time')};
		return {name, digest, kind: kind === 'tar' ? 'tar' : 'image', ...rest, ...(stamp !== undefined && {stamp})};
	} catch (error) {
		if (isVmmError(error, 'OCI_JSON_INVALID')) return undefined;
		throw error;
	}
}
