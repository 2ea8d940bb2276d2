import {closeSync, openSync, readSync} from 'node:fs';
import type {MappedRange} from '#devices/guest-memory';
import {Errno, Seek, seek} from '#support/ffi';
import {chunkBytes} from './save-memory.ts';

/** Memory of this process. */
export type HostRange = Pick<MappedRange, 'memory' | 'offset' | 'hostAddress' | 'length'>;

/** Memory as whoever writes it to a file has to see it. */
export interface HostPages {
	readonly ranges: readonly HostRange[];
	/** The same, by what lies under it. */
	readonly banks: readonly BankPages[];
}

/** Guest RAM likewise. */
export interface RamPages extends HostPages {
	readonly ranges: readonly MappedRange[];
}

export interface BankPages {
	readonly ranges: readonly HostRange[];
	/** Descriptor of the bytes under the ranges, first range first; undefined for anonymous pages. */
	readonly fd: number | undefined;
	/** Offset of the first range in it, in bytes. */
	readonly fdOffset: number;
	/** Writes went to private pages over those bytes. */
	readonly isCopyOnWrite: boolean;
}

const pageBytes = 4096;
const entryBytes = 8;
/** Present, or swapped out (Documentation/admin-guide/mm/pagemap.rst), in the upper half of an entry. */
const usedBits = 0xc000_0000;

/** Finds the chunks of memory that may hold anything but zeros, by range, without touching a page. */
export const populatedChunks = ({banks}: HostPages): boolean[][] => banks.flatMap(populatedOfBank);

function populatedOfBank({ranges, fd, fdOffset, isCopyOnWrite}: BankPages): boolean[][] {
	const marks = ranges.map(({length}) => new Array<boolean>(Math.ceil(length / chunkBytes)).fill(false));
	if (fd !== undefined) markFileData(fd, fdOffset, ranges, marks);
	if (fd === undefined || isCopyOnWrite) markPages(ranges, marks);
	return marks;
}

/** Chunks in which the file has data and no hole (lseek(2), SEEK_DATA). */
function markFileData(fd: number, fdOffset: number, ranges: readonly HostRange[], marks: boolean[][]): void {
	let start = fdOffset;
	for (const [index, {length}] of ranges.entries()) {
		for (let at = start; at < start + length; ) {
			const data = seek(fd, at, Seek.DATA);
			if (data === -Errno.ENXIO || data >= start + length) break;
			// A file system that knows no holes: everything is data.
			const hole = data < 0 ? start + length : Math.min(seek(fd, data, Seek.HOLE), start + length);
			mark(marks[index] as boolean[], Math.max(data, at) - start, hole - start);
			// The rest of the last chunk tells nothing new, and a guest decides how many holes there are.
			at = start + Math.ceil((hole - start) / chunkBytes) * chunkBytes;
		}
		start += length;
	}
}

/** Chunks in which this process has pages of its own. */
function markPages(ranges: readonly HostRange[], marks: boolean[][]): void {
	const pagemap = openSync('/proc/self/pagemap', 'r');
	const entries = new Uint32Array((chunkBytes / pageBytes) * (entryBytes / 4));
	const bytes = new Uint8Array(entries.buffer);
	try {
		for (const [index, {hostAddress, length}] of ranges.entries()) {
			for (let at = 0; at < length; at += chunkBytes) {
				const wanted = (Math.min(chunkBytes, length - at) / pageBytes) * entryBytes;
				const offset = ((hostAddress + at) / pageBytes) * entryBytes;
				const read = readSync(pagemap, bytes, {length: wanted, position: offset});
				if (hasPage(entries, read / 4)) mark(marks[index] as boolean[], at, at + 1);
			}
		}
	} finally {
		closeSync(pagemap);
	}
}

function hasPage(entries: Uint32Array, words: number): boolean {
	for (let word = 1; word < words; word += 2) if (((entries[word] as number) & usedBits) !== 0) return true;
	return false;
}

function mark(chunks: boolean[], from: number, to: number): void {
	chunks.fill(true, Math.floor(from / chunkBytes), Math.ceil(to / chunkBytes));
}
