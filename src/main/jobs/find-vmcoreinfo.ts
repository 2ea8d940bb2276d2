import type {MappedRange} from '#devices/guest-memory';
import {chunkBytes} from './save-memory.ts';

/** Guest memory to look for VMCOREINFO in. */
export interface FindVmcoreinfoJob {
	readonly ranges: readonly MappedRange[];
	/** True for chunks of each range that may hold anything but zeros; the others are not touched. */
	readonly populated: readonly (readonly boolean[])[];
}

/** A Linux kernel's text about its own layout begins with this, and has a page of its own (kernel/vmcore_info.c). */
const beginning = Buffer.from('OSRELEASE=');
const pageBytes = 4096;

/** The most that the text can have: its page. */
export const maxVmcoreinfoBytes = pageBytes;

/** Pages that begin like the text and are read for the rest of it. An honest guest has one, a hostile one may have any number. */
export const maxCandidates = 16;

/** The VMCOREINFO text in guest memory. A guest that lies misleads its own debugging. */
export function findVmcoreinfo({ranges, populated}: FindVmcoreinfoJob): Uint8Array | undefined {
	let candidates = 0;
	for (const page of usedPages(ranges, populated)) {
		if (beginning.compare(page, 0, beginning.length) !== 0) continue;
		const text = parseVmcoreinfo(page);
		if (text !== undefined || ++candidates === maxCandidates) return text;
	}
	return undefined;
}

function* usedPages(ranges: readonly MappedRange[], populated: FindVmcoreinfoJob['populated']): Generator<Uint8Array> {
	for (const [index, {memory, offset, length}] of ranges.entries()) {
		const bytes = new Uint8Array(memory.buffer, offset, length);
		for (let at = 0; at < length; at += pageBytes) {
			if (populated[index]?.[Math.floor(at / chunkBytes)]) yield bytes.subarray(at, at + pageBytes);
		}
	}
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
