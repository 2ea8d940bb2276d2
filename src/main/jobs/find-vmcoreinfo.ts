import {chunkBytes, type RamPiece} from './save-memory.ts';

/** Guest memory to look for VMCOREINFO in. */
export interface FindVmcoreinfoJob extends RamPiece {
	/** Pages that are looked into at most. */
	readonly most: number;
}

/** The text, where it is there, and how many pages were looked into. */
export interface FoundVmcoreinfo {
	readonly text?: Uint8Array;
	readonly candidates: number;
}

/** A Linux kernel's text about its own layout begins with this, and has a page of its own (kernel/vmcore_info.c). */
const beginning = Buffer.from('OSRELEASE=');
const pageBytes = 4096;

/** The most that the text can have: its page. */
export const maxVmcoreinfoBytes = pageBytes;

/**
 * Pages of a machine that begin like the text and are read for the rest of it. An honest guest has one, a hostile one may have
 * any number.
 */
export const maxCandidates = 16;

/** The VMCOREINFO text in guest memory. A guest that lies misleads its own debugging. */
export function findVmcoreinfo({buffer, offset, length, populated, most}: FindVmcoreinfoJob): FoundVmcoreinfo {
	const bytes = new Uint8Array(buffer, offset, length);
	let candidates = 0;
	for (let at = 0; at < length && candidates < most; at += pageBytes) {
		if (!populated[Math.floor(at / chunkBytes)]) continue;
		const page = bytes.subarray(at, at + pageBytes);
		if (beginning.compare(page, 0, beginning.length) !== 0) continue;
		candidates++;
		const text = parseVmcoreinfo(page);
		if (text !== undefined) return {text, candidates};
	}
	return {candidates};
}

/** Returns a page up to its first zero, if that tells a page size and, further down, the address of a symbol. */
function parseVmcoreinfo(page: Uint8Array): Uint8Array | undefined {
	const end = page.indexOf(0);
	const text = Uint8Array.from(page.subarray(0, end < 0 ? page.length : end));
	const lines = Buffer.from(text).toString('latin1').split('\n');
	const pageSize = lines.findIndex((line) => /^PAGESIZE=\d+$/.test(line));
	const symbol = lines.findLastIndex((line) => line.startsWith('SYMBOL('));
	return pageSize >= 0 && symbol > pageSize ? text : undefined;
}
