import {formatBytes} from '#main/config';
import {errorTable} from '#support/errors';

/** Errors of file systems that are written. */
export const ext4Error = errorTable({
	EXT4_TOO_SMALL: (c: {sizeBytes: number; what: string; needed: number}) => ({
		message: `A file system of ${formatBytes(c.sizeBytes)} has no room for ${c.what}`,
		remedy: `Give it more than ${formatBytes(c.needed)}`,
	}),
	EXT4_SIZE_INVALID: (c: {sizeBytes: number; least: number; most: number}) => ({
		message: `A file system cannot have ${c.sizeBytes} bytes`,
		remedy: `Give it ${formatBytes(c.least)} to ${formatBytes(c.most)}, in steps of 4096 bytes`,
	}),
	EXT4_FILE_INVALID: (c: {path: string; what: string}) => ({
		message: `${JSON.stringify(c.path)} cannot be in an ext4 file system: ${c.what}`,
	}),
});
