import {u32, viewOf, wire} from '#support/wire';
import {loaderError} from '../errors.ts';
import {has} from '../ranges.ts';

/** The multiboot header. */
export const multibootHeader = wire('multiboot header', {
	magic: u32,
	flags: u32,
	checksum: u32,
	header_addr: u32,
	load_addr: u32,
	load_end_addr: u32,
	bss_end_addr: u32,
	entry_addr: u32,
}).sized(32, 'Multiboot Specification 0.6.96, 3.1');

export const multibootMagic = {header: 0x1bad_b002, loader: 0x2bad_b002} as const;

/** Bits of `flags`; of the low 16 a loader must refuse those it does not know. */
const flagBits = {pageAlignModules: 1 << 0, memoryInfo: 1 << 1, videoMode: 1 << 2, addresses: 1 << 16} as const;
const known = flagBits.pageAlignModules | flagBits.memoryInfo | flagBits.videoMode;

/** The header must lie, 4-byte aligned, within this many bytes. */
const searchSize = 8192;
const shortSize = 12;

/** Addresses for a file that is not ELF ("a.out kludge"), all physical. */
export interface MultibootAddresses {
	readonly load: number;
	/** Place of the bytes for `load` in the file. */
	readonly offset: number;
	/** Bytes to take from the file. */
	readonly fileSize: number;
	/** Size in memory, with the zeroed part. */
	readonly memorySize: number;
	readonly entry: number;
}

/** The file offset of a valid header: magic, and a checksum that makes the sum of three words zero. */
export function findMultibootHeader(bytes: Uint8Array): number | undefined {
	const {magic, flags, checksum} = multibootHeader.field;
	const source = viewOf(bytes);
	const end = Math.min(bytes.length, searchSize) - shortSize;
	for (let at = 0; at <= end; at += 4) {
		if (magic.get(source, at) !== multibootMagic.header) continue;
		const sum = multibootMagic.header + flags.get(source, at) + checksum.get(source, at);
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
	const flags = multibootHeader.field.flags.get(viewOf(bytes), at);
	const unknown = flags & 0xffff & ~known;
	if (unknown !== 0) throw invalid(`it demands multiboot features that do not exist (flags 0x${unknown.toString(16)})`);
	// A demand for a video mode is taken as a wish, as QEMU does: there is no display, and such kernels run without.
	if ((flags & flagBits.addresses) === 0) return undefined;
	if (!multibootHeader.fits(bytes, at)) {
		throw loaderError('KERNEL_TRUNCATED', {found: bytes.length, promised: at + multibootHeader.size});
	}

	const {header_addr: header, load_addr: load, entry_addr: entry, ...ends} = multibootHeader.read(bytes, at);
	const offset = at - (header - load);
	if (offset < 0 || load > header) throw invalid('its multiboot header lies before its load address');
	// Zero means: all of the file, and no zeroed part.
	const loadEnd = ends.load_end_addr || load + bytes.length - offset;
	const bssEnd = ends.bss_end_addr || loadEnd;
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

function invalid(what: string) {
	return loaderError('KERNEL_INVALID', {what});
}
