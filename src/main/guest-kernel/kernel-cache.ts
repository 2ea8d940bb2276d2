import {randomUUID} from 'node:crypto';
import {mkdir, readFile, rename, rm, stat} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {type CacheUse, FileCache, hashOfKey, ignoreMissing} from '#main/file-cache';
import {guestKernelError} from './errors.ts';

const use: CacheUse = {
	name: 'kernels',
	folders: ['kernels', 'notes', 'initrds'],
	unsafe: (folder, what) => guestKernelError('GUEST_KERNEL_CACHE_UNSAFE', {folder, what}),
};

/** A kernel, its modules, and what is made of them, by what they are made of. */
export class KernelCache extends FileCache {
	/** @param folder - without it, one below the user's caches @throws VmmError GUEST_KERNEL_CACHE_UNSAFE */
	static async open(folder?: string, environment: NodeJS.ProcessEnv = process.env): Promise<KernelCache> {
		return new KernelCache(await KernelCache.prepare(use, folder, environment));
	}

	/** The folder of a kernel that was kept last for what is asked; undefined where there is none. */
	async kernel(asked: readonly string[]): Promise<string | undefined> {
		const name = (await readFile(this.#noteOf(asked), 'utf8').catch(ignoreMissing))?.trim();
		if (name === undefined || !/^[\w.+~:-]+$/.test(name)) return undefined;
		const folder = join(this.folder, 'kernels', name);
		return (await stat(folder).catch(ignoreMissing)) === undefined ? undefined : folder;
	}

	/**
	 * Keeps a kernel in a folder that comes into being whole.
	 * @param name - package and version @param fill - writes its files
	 */
	async keepKernel(asked: readonly string[], name: string, fill: (folder: string) => Promise<void>): Promise<string> {
		const folder = join(this.folder, 'kernels', name.replaceAll(/[^\w.+~:-]/g, '_'));
		if ((await stat(folder).catch(ignoreMissing)) === undefined) {
			const partial = join(this.folder, 'partial', `kernel.${randomUUID()}`);
			try {
				await mkdir(partial, {mode: 0o700});
				await fill(partial);
				await rename(partial, folder).catch((error: NodeJS.ErrnoException) => {
					// Another process has made the same.
					if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
				});
			} finally {
				await rm(partial, {recursive: true, force: true});
			}
		}
		await this.put(`${folder.slice(dirname(folder).length + 1)}\n`, this.#noteOf(asked));
		return folder;
	}

	/** Where an initial file system is, or comes into being. */
	initrdOf(key: readonly string[]): string {
		return join(this.folder, 'initrds', `${hashOfKey(key)}.cpio`);
	}

	#noteOf(asked: readonly string[]): string {
		return join(this.folder, 'notes', hashOfKey(asked));
	}
}
