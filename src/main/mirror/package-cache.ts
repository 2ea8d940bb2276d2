import {createHash} from 'node:crypto';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {type CacheUse, FileCache, ignoreMissing} from '#main/file-cache';
import {mirrorError} from './errors.ts';

const use: CacheUse = {
	name: 'packages',
	folders: ['releases'],
	unsafe: (folder, what) => mirrorError('MIRROR_CACHE_UNSAFE', {folder, what}),
};

/** Files of mirrors, and what is known of their releases. */
export class PackageCache extends FileCache {
	/**
	 * @param folder - without it, one below the folder of caches (XDG base directory specification)
	 * @throws VmmError MIRROR_CACHE_UNSAFE
	 */
	static async open(folder?: string, environment: NodeJS.ProcessEnv = process.env): Promise<PackageCache> {
		return new PackageCache(await PackageCache.prepare(use, folder, environment));
	}

	/** A note about a suite of a mirror: when the newest release was of that was seen, in seconds since 1970. */
	async newestRelease(suiteUrl: string): Promise<{readonly date: number | undefined; readonly file: string}> {
		const file = this.#noteOf(suiteUrl);
		const text = await readFile(file, 'latin1').catch(ignoreMissing);
		const [, date] = /^(\d{1,12}) /.exec(text ?? '') ?? [];
		return {date: date === undefined ? undefined : Number(date), file};
	}

	async noteRelease(suiteUrl: string, date: number): Promise<void> {
		await this.put(`${date} ${suiteUrl}\n`, this.#noteOf(suiteUrl));
	}

	#noteOf(suiteUrl: string): string {
		return join(this.folder, 'releases', createHash('sha256').update(suiteUrl).digest('hex'));
	}
}
