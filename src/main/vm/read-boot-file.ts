import {open} from 'node:fs/promises';
import {formatBytes} from '#main/config';
import {errorTable} from '#support/errors';

const bootFileError = errorTable({
	MEMORY_BELOW_BOOT_FILE: (c: {path: string; fileBytes: number; memoryBytes: number}) => ({
		message: `"${c.path}" has ${formatBytes(c.fileBytes)}, and the machine has ${formatBytes(c.memoryBytes)} of memory`,
		remedy: 'Give the machine more memory than all its boot files take (--memory), or use a smaller file',
	}),
});

/** One read(2) takes at most 2 GiB. */
const stepBytes = 2 ** 30;

/**
 * Reads a file that has to fit into guest memory; one that cannot is refused before it is read.
 * @throws VmmError `MEMORY_BELOW_BOOT_FILE`; NodeJS.ErrnoException when the file cannot be read
 */
export async function readBootFile(path: string | URL, memoryBytes: number): Promise<Uint8Array> {
	await using file = await open(path);
	const {size} = await file.stat();
	if (size > memoryBytes) {
		throw bootFileError('MEMORY_BELOW_BOOT_FILE', {path: String(path), fileBytes: size, memoryBytes});
	}
	const bytes = new Uint8Array(size);
	let done = 0;
	while (done < size) {
		const {bytesRead} = await file.read(bytes, done, Math.min(stepBytes, size - done));
		// The file has become shorter meanwhile.
		if (bytesRead === 0) break;
		done += bytesRead;
	}
	return bytes.subarray(0, done);
}
