import {createHash, randomUUID} from 'node:crypto';
import {mkdir, open, readdir, rename, rm, stat, writeFile} from 'node:fs/promises';
import {homedir} from 'node:os';
import {dirname, join} from 'node:path';
import {algorithmOf, type FileFacts, readFileFacts} from '#main/debian';
import {isVmmError} from '#support/errors';

/** A file that is being fetched, of which a part may be there already. Nobody else writes to it. */
export interface PartialFile {
	readonly path: string;
	/** Bytes that it has. */
	readonly length: number;
}

/** What a cache is for. */
export interface CacheUse {
	/** Its folder below the user's caches, and those that it has beside `sha256` and `partial`. */
	readonly name: string;
	readonly folders: readonly string[];
	/** Makes what is thrown where it cannot be kept safely. */
	readonly unsafe: (folder: string, what: string) => Error;
}

/** Files and folders that nobody writes any more: their processes were ended by force. */
const abandonedMs = 24 * 3600 * 1000;

/**
 * Files by their checksums, below one folder. Any number of processes use it at once: a file comes into being whole, by one rename,
 * and each is checked whenever it is found.
 */
export class FileCache {
	readonly folder: string;

	protected constructor(folder: string) {
		this.folder = folder;
	}

	/**
	 * Makes the folders of a cache and checks that nobody else writes there.
	 * @param folder - without it, one below the folder of caches (XDG base directory specification)
	 * @returns its folder
	 * @throws what `use` makes
	 */
	protected static async prepare(use: CacheUse, folder?: string, environment = process.env): Promise<string> {
		const base = environment['XDG_CACHE_HOME'] || join(homedir(), '.cache');
		const own = folder ?? join(base, 'openvmm', use.name);
		const folders = folder === undefined ? [base, dirname(own), own] : [own];
		try {
			for (const name of ['sha256', 'partial', ...use.folders])
				await mkdir(join(own, name), {recursive: true, mode: 0o700});
		} catch (error) {
			throw use.unsafe(own, `it cannot be made (${(error as NodeJS.ErrnoException).code})`);
		}
		// Whoever else can write there decides what a machine runs, between the check of a file and its use.
		for (const each of folders) await requireOwn(each, use);
		await dropAbandoned(join(own, 'partial'));
		return own;
	}

	/** Gives a file that is there, with the bytes that it has to have. */
	async find(facts: FileFacts): Promise<string | undefined> {
		const path = this.pathOf(facts);
		const found = await readFileFacts(path, algorithmOf(facts.checksum));
		return found?.bytes === facts.bytes && found.checksum === facts.checksum ? path : undefined;
	}

	/** Where a file is, if it is there. */
	pathOf({checksum}: Pick<FileFacts, 'checksum'>): string {
		return join(this.folder, algorithmOf(checksum), checksum);
	}

	/** Begins a file, or goes on with one that somebody has given up. */
	async begin({checksum}: Pick<FileFacts, 'checksum'>): Promise<PartialFile> {
		const path = join(this.folder, 'partial', `${checksum}.${randomUUID()}`);
		// One process gets it.
		await rename(this.#givenUp(checksum), path).catch(ignoreMissing);
		const file = await open(path, 'a', 0o600);
		const {size} = await file.stat();
		await file.close();
		return {path, length: size};
	}

	/** Leaves a file for whoever begins it next. */
	async giveUp({path}: PartialFile, {checksum}: Pick<FileFacts, 'checksum'>): Promise<void> {
		await rename(path, this.#givenUp(checksum)).catch(ignoreMissing);
	}

	/** Drops a file of which nothing can be used. */
	async drop({path}: PartialFile): Promise<void> {
		await rm(path, {force: true});
	}

	/** Puts a file in its place, if it is what it has to be; else tells its checksum. */
	async finish(
		{path}: PartialFile,
		facts: FileFacts,
	): Promise<{readonly path: string} | {readonly path: undefined; readonly checksum: string}> {
		const found = await readFileFacts(path, algorithmOf(facts.checksum));
		if (found?.checksum !== facts.checksum) return {path: undefined, checksum: found?.checksum ?? 'none'};
		const place = this.pathOf(facts);
		await rename(path, place);
		return {path: place};
	}

	/** Puts what is in memory in its place, whole or not at all. */
	protected async put(bytes: Uint8Array | string, place: string): Promise<void> {
		const partial = join(this.folder, 'partial', `put.${randomUUID()}`);
		try {
			await writeFile(partial, bytes, {mode: 0o600, flag: 'wx'});
			await rename(partial, place);
		} finally {
			await rm(partial, {force: true});
		}
	}

	#givenUp(checksum: string): string {
		return join(this.folder, 'partial', checksum);
	}
}

/** Names what is made of these, and of nothing else. */
export const hashOfKey = (key: readonly unknown[]): string =>
	createHash('sha256').update(JSON.stringify(key)).digest('hex');

/** True for what a call of the host's file system fails with. */
export const isHostError = (error: unknown): error is NodeJS.ErrnoException =>
	error instanceof Error && !isVmmError(error) && 'errno' in error && 'syscall' in error;

/** Of a file that may be gone there is nothing to say. */
export function ignoreMissing(error: NodeJS.ErrnoException): undefined {
	if (error.code !== 'ENOENT') throw error;
	return undefined;
}

async function dropAbandoned(folder: string): Promise<void> {
	for (const name of await readdir(folder)) {
		const path = join(folder, name);
		const found = await stat(path).catch(ignoreMissing);
		if (found !== undefined && Date.now() - found.mtimeMs > abandonedMs) await rm(path, {recursive: true, force: true});
	}
}

async function requireOwn(folder: string, {unsafe}: CacheUse): Promise<void> {
	const {uid, mode} = await stat(folder);
	if (uid !== process.geteuid?.()) throw unsafe(folder, `it belongs to user ${uid}`);
	if ((mode & 0o022) !== 0) throw unsafe(folder, 'others may write to it');
}
