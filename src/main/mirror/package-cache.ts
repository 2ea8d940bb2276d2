import {createHash, randomUUID} from 'node:crypto';
import {mkdir, open, readdir, readFile, rename, rm, stat, writeFile} from 'node:fs/promises';
import {homedir} from 'node:os';
import {dirname, join} from 'node:path';
import {type FileFacts, readFileFacts} from '#main/debian';
import {mirrorError} from './errors.ts';

/** A file that is being fetched, of which a part may be there already. Nobody else writes to it. */
export interface PartialFile {
	readonly path: string;
	/** Bytes that it has. */
	readonly length: number;
}

/** Files that nobody writes any more: their processes were ended by force. */
const abandonedMs = 24 * 3600 * 1000;

/**
 * Files of mirrors, by their checksums, below one folder. Any number of processes use it at once: a file comes into being whole,
 * by one rename, and each is checked whenever it is used.
 */
export class PackageCache {
	readonly folder: string;

	private constructor(folder: string) {
		this.folder = folder;
	}

	/**
	 * @param folder - without it, one below the folder of caches (XDG base directory specification)
	 * @throws VmmError MIRROR_CACHE_UNSAFE
	 */
	static async open(folder?: string, environment: NodeJS.ProcessEnv = process.env): Promise<PackageCache> {
		const base = environment['XDG_CACHE_HOME'] || join(homedir(), '.cache');
		const own = folder ?? join(base, 'openvmm', 'packages');
		const cache = new PackageCache(own);
		const folders = folder === undefined ? [base, dirname(own), own] : [own];
		try {
			for (const name of ['sha256', 'partial', 'releases'])
				await mkdir(join(own, name), {recursive: true, mode: 0o700});
		} catch (error) {
			const what = `it cannot be made (${(error as NodeJS.ErrnoException).code})`;
			throw mirrorError('MIRROR_CACHE_UNSAFE', {folder: own, what});
		}
		// Whoever else can write there decides what an image has in it, between the check of a package and its use.
		for (const each of folders) await requireOwn(each);
		await cache.#dropAbandoned();
		return cache;
	}

	/** Gives a file that is there, with the bytes that it has to have. */
	async find(facts: FileFacts): Promise<string | undefined> {
		const path = this.#pathOf(facts);
		const found = await readFileFacts(path);
		return found?.bytes === facts.bytes && found.sha256 === facts.sha256 ? path : undefined;
	}

	/** Begins a file, or goes on with one that somebody has given up. */
	async begin({sha256}: FileFacts): Promise<PartialFile> {
		const path = join(this.folder, 'partial', `${sha256}.${randomUUID()}`);
		// One process gets it.
		await rename(this.#givenUp(sha256), path).catch(ignoreMissing);
		const file = await open(path, 'a', 0o600);
		const {size} = await file.stat();
		await file.close();
		return {path, length: size};
	}

	/** Leaves a file for whoever begins it next. */
	async giveUp({path}: PartialFile, {sha256}: FileFacts): Promise<void> {
		await rename(path, this.#givenUp(sha256)).catch(ignoreMissing);
	}

	/** Drops a file of which nothing can be used. */
	async drop({path}: PartialFile): Promise<void> {
		await rm(path, {force: true});
	}

	/** Puts a file in its place, if it is what it has to be; else tells its checksum. */
	async finish(
		{path}: PartialFile,
		facts: FileFacts,
	): Promise<{readonly path: string} | {readonly path: undefined; readonly sha256: string}> {
		const found = await readFileFacts(path);
		if (found?.sha256 !== facts.sha256) return {path: undefined, sha256: found?.sha256 ?? 'none'};
		const place = this.#pathOf(facts);
		await rename(path, place);
		return {path: place};
	}

	/** A note about a suite of a mirror: when the newest release was of that was seen, in seconds since 1970. */
	async newestRelease(suiteUrl: string): Promise<{readonly date: number | undefined; readonly file: string}> {
		const file = this.#noteOf(suiteUrl);
		const text = await readFile(file, 'latin1').catch(ignoreMissing);
		const [, date] = /^(\d{1,12}) /.exec(text ?? '') ?? [];
		return {date: date === undefined ? undefined : Number(date), file};
	}

	async noteRelease(suiteUrl: string, date: number): Promise<void> {
		const file = this.#noteOf(suiteUrl);
		const written = `${file}.${randomUUID()}`;
		await writeFile(written, `${date} ${suiteUrl}\n`, {mode: 0o600});
		await rename(written, file);
	}

	#pathOf({sha256}: FileFacts): string {
		return join(this.folder, 'sha256', sha256);
	}

	#givenUp(sha256: string): string {
		return join(this.folder, 'partial', sha256);
	}

	#noteOf(suiteUrl: string): string {
		return join(this.folder, 'releases', createHash('sha256').update(suiteUrl).digest('hex'));
	}

	async #dropAbandoned(): Promise<void> {
		const folder = join(this.folder, 'partial');
		for (const name of await readdir(folder)) {
			const path = join(folder, name);
			const found = await stat(path).catch(ignoreMissing);
			if (found !== undefined && Date.now() - found.mtimeMs > abandonedMs) await rm(path, {force: true});
		}
	}
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
	if (error.code !== 'ENOENT') throw error;
	return undefined;
}

async function requireOwn(folder: string): Promise<void> {
	const {uid, mode} = await stat(folder);
	const unsafe = (what: string) => mirrorError('MIRROR_CACHE_UNSAFE', {folder, what});
	if (uid !== process.geteuid?.()) throw unsafe(`it belongs to user ${uid}`);
	if ((mode & 0o022) !== 0) throw unsafe('others may write to it');
}
