import {existsSync} from 'node:fs';
import {link, rename, rm} from 'node:fs/promises';
import {createHostFile, type HostImageFile, imageError} from '#devices/storage/image';
import {errnoOf} from '#support/ffi';

/**
 * Makes a file that has its name when it is whole; nothing of it is left when that fails.
 * @param make - closes the file when it is done with it
 * @throws VmmError DISK_IMAGE_EXISTS, DISK_IMAGE_FILE_FAILED, and what `make` throws
 */
export async function makeFile(path: string, make: (file: HostImageFile) => Promise<void>): Promise<void> {
	if (existsSync(path)) throw imageError('DISK_IMAGE_EXISTS', {path});
	const partial = `${path}.${process.pid}.partial`;
	const file = await createHostFile(partial);
	try {
		await make(file);
		await appear(partial, path);
	} finally {
		await rm(partial, {force: true});
	}
}

/** Gives a file its name, unless another one has it. */
async function appear(partial: string, path: string): Promise<void> {
	try {
		await link(partial, path);
	} catch (cause) {
		const errno = errnoOf(cause);
		if (errno === undefined) throw cause;
		if (errno === 'EEXIST') throw imageError('DISK_IMAGE_EXISTS', {path}, {cause});
		// Not every file system has hard links.
		await rename(partial, path);
	}
}
