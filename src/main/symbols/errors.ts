import {errorTable} from '#support/errors';

/** Errors of files with symbols. */
export const symbolsError = errorTable({
	SYMBOLS_UNREADABLE: (c: {path: string; errno: string}) => ({
		message: `The file with symbols "${c.path}" cannot be read: ${c.errno}`,
		remedy: 'Name a file that exists and may be read',
	}),
	SYMBOLS_INVALID: (c: {path: string; what: string}) => ({
		message: `The file with symbols "${c.path}" is damaged: ${c.what}`,
		remedy: 'Copy or build the file again',
	}),
	SYMBOLS_NONE: (c: {path: string; what: string}) => ({
		message: `There are no symbols of code in "${c.path}": ${c.what}`,
		remedy:
			'Give an ELF file that is not stripped, a System.map, or what the guest reads from /proc/kallsyms as root. Debian has kernels with symbols in linux-image-…-dbg',
	}),
	SYMBOLS_HIDDEN: (c: {path: string}) => ({
		message: `All addresses in "${c.path}" are 0`,
		remedy: 'Read /proc/kallsyms in the guest as root, with the setting kernel.kptr_restrict at 0 or 1',
	}),
	SYMBOLS_TOO_LARGE: (c: {path: string; bytes: number; most: number}) => ({
		message: `The symbols in "${c.path}" take ${c.bytes} bytes, and at most ${c.most} are read`,
		remedy: 'Give a file with fewer symbols, for example what nm(1) prints of the functions that matter',
	}),
});
