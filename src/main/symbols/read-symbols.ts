import {closeSync, constants, fstatSync, openSync, readSync} from 'node:fs';
import {errnoOf} from '#support/ffi';
import {isElf, type ReadAt, readElfSymbols} from './elf-symbols.ts';
import {symbolsError} from './errors.ts';
import {parseSymbolMap} from './symbol-map.ts';
import type {CodeSymbol} from './symbol-table.ts';

/** A file with symbols of a guest's code. */
export interface SymbolFile {
	/** An ELF file, a System.map, or the text of /proc/kallsyms. */
	readonly path: string;
	/** Distance of the code in the guest from where the file has it; undefined: as the guest's kernel says, else 0. */
	readonly offset?: bigint;
}

/** A text of a kernel's symbols has some 10 MiB. */
const maxTextBytes = 2 ** 28;

/** Reads the symbols of a file. @throws VmmError with a code of {@link symbolsError} */
export function readSymbols(path: string): CodeSymbol[] {
	const symbols = withFile(path, (readAt, bytes) => {
		if (isElf(readAt(0, 4))) return readElfSymbols(readAt, (what) => symbolsError('SYMBOLS_INVALID', {path, what}));
		if (bytes > maxTextBytes) throw symbolsError('SYMBOLS_TOO_LARGE', {path, bytes, most: maxTextBytes});
		const text = Buffer.from(readAt(0, Number.MAX_SAFE_INTEGER)).toString('latin1');
		const {symbols: found, lines, isHidden} = parseSymbolMap(text);
		if (isHidden) throw symbolsError('SYMBOLS_HIDDEN', {path});
		if (lines === 0) throw symbolsError('SYMBOLS_NONE', {path, what: 'it is no ELF file and no list of symbols'});
		return found;
	});
	if (symbols.length === 0)
		throw symbolsError('SYMBOLS_NONE', {path, what: 'they have been stripped, or were never there'});
	return symbols;
}

/** @param use - gets the file's size too, as far as it is known */
function withFile<T>(path: string, use: (readAt: ReadAt, bytes: number) => T): T {
	let fd: number | undefined;
	try {
		// A named pipe would stop the whole process until somebody writes to it.
		fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
		const {size} = fstatSync(fd);
		return use(readerOf(fd), size);
	} catch (cause) {
		const errno = errnoOf(cause);
		if (errno === undefined) throw cause;
		throw symbolsError('SYMBOLS_UNREADABLE', {path, errno}, {cause});
	} finally {
		if (fd !== undefined) closeSync(fd);
	}
}

/** Reads in pieces: a file of /proc says that it is empty, and one may grow or shrink. */
const readerOf =
	(fd: number): ReadAt =>
	(offset, length) => {
		const pieces: Buffer[] = [];
		let done = 0;
		const limit = Math.min(length, maxTextBytes);
		while (done < limit) {
			const piece = Buffer.allocUnsafe(Math.min(limit - done, 2 ** 20));
			const count = readSync(fd, piece, 0, piece.length, offset + done);
			if (count === 0) break;
			pieces.push(piece.subarray(0, count));
			done += count;
		}
		return Uint8Array.from(Buffer.concat(pieces));
	};
