import {loaderError} from '../errors.ts';
import {has, type Layout, readNumber} from '../fields.ts';

/** The multiboot header (Multiboot Specification 0.6.96, 3.1). */
export const multibootHeader = {
	magic: [0, 4],
	flags: [4, 4],
	checksum: [8, 4],
	header_addr: [12, 4],
	load_addr: [16, 4],
	load_end_addr: [20, 4],
	bss_end_addr: [24, 4],
	entry_addr: [28, 4],
} as const satisfies Layout;

export const multibootMagic = {header: 0x1bad_b002, loader: 0x2bad_b002} as const;

/** Bits of `flags`; of the low 16 a loader must refuse those it does not know. */
const flagBits = {pageAlignModules: 1 << 0, memoryInfo: 1 << 1, videoMode: 1 << 2, addresses: 1 << 16} as const;
const known = flagBits.pageAlignModules | flagBits.memoryInfo | flagBits.videoMode;

/** The header must lie, 4-byte aligned, within this many bytes. */
const searchSize = 8192;
const shortSize = 12;
const longSize = 32;

/** Addresses for a file that is not ELF ("a.out kludge"), all physical. */
export interface MultibootAddresses {
	readonly load: number;
	/** Where the bytes at `load` are in the file. */
	readonly offset: number;
	/** Bytes to take from the file. */
	readonly fileSize: number;
	/** Size in memory, with the zeroed part. */
	readonly memorySize: number;
	readonly entry: number;
}

/** The file offset of a valid header: magic, and a checksum that makes the sum of three words zero. */
export function findMultibootHeader(bytes: Uint8Array): number | undefined {
	const end = Math.min(bytes.length, searchSize) - shortSize;
	for (let at = 0; at <= end; at += 4) {
		if (readNumber(bytes, at, multibootHeader.magic) !== multibootMagic.header) continue;
		const sum = multibootMagic.header + word(bytes, at, 'flags') + word(bytes, at, 'checksum');
		if (sum % 2 ** 32 === 0) return at;
	}
	return undefined;
}

/**
 * Reads the header found at `at`.
 * @returns the addresses it gives, undefined when the file's ELF headers are to be used
 * @throws VmmError KERNEL_INVALID, KERNEL_TRUNCATED
 */
export function readMultibootHeader(bytes: Uint8Array, at: number): MultibootAddresses | undefined {
	const flags = word(bytes, at, 'flags');
	const unknown = flags & 0xffff & ~known;
	if (unknown !== 0) throw invalid(`it demands multiboot features that do not exist (flags 0x${unknown.toString(16)})`);
	// A demand for a video mode is taken as a wish, as QEMU does: there is no display, and such kernels run without.
	if ((flags & flagBits.addresses) === 0) return undefined;
	if (!has(bytes, at, longSize)) throw loaderError('KERNEL_TRUNCATED', {found: bytes.length, promised: at + longSize});

	const header = word(bytes, at, 'header_addr');
	const load = word(bytes, at, 'load_addr');
	const entry = word(bytes, at, 'entry_addr');
	const offset = at - (header - load);
	if (offset < 0 || load > header) throw invalid('its multiboot header lies before its load address');
	// Zero means: all of the file, and no zeroed part.
	const loadEnd = word(bytes, at, 'load_end_addr') || load + bytes.length - offset;
	const bssEnd = word(bytes, at, 'bss_end_addr') || loadEnd;
	const fileSize = loadEnd - load;
	if (fileSize <= 0 || bssEnd < loadEnd) throw invalid('its multiboot addresses do not ascend');
	if (!has(bytes, offset, fileSize)) {
		throw loaderError('KERNEL_TRUNCATED', {found: bytes.length, promised: offset + fileSize});
	}
	if (entry < load || entry >= loadEnd) {
		throw invalid(`its multiboot entry point 0x${entry.toString(16)} is not in the loaded part`);
	}
	return {load, offset, fileSize, memorySize: bssEnd - load, entry};
}

function word(bytes: Uint8Array, at: number, name: keyof typeof multibootHeader): number {
	return readNumber(bytes, at, multibootHeader[name]);
}

function invalid(what: string) {
	return loaderError('KERNEL_INVALID', {what});
}
