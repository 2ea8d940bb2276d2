import {isElf, readElf} from './elf/index.ts';
import {loaderError} from './errors.ts';
import {isBzImage, isLinuxElf} from './linux/index.ts';
import {findMultibootHeader} from './multiboot/index.ts';
import {pvhEntry} from './pvh/index.ts';
import {findSignature, foreignKernels, knownFiles} from './signatures.ts';

/** A kernel file's format, which says by which protocol it boots. */
export interface DetectedKernel {
	readonly format: 'bzimage' | 'vmlinux' | 'pvh' | 'multiboot';
	/** The mark that decided it: for logs, and for a person who expected another format. */
	readonly why: string;
}

/**
 * Finds out what a kernel file is.
 *
 * An ELF may offer several protocols. A Linux vmlinux goes by Linux's own 64-bit protocol even though it has a PVH
 * note too: that is how OpenVMM boots it, it needs no detour through 32-bit code, and the guest gets the E820 map and
 * the RSDP the way the bzImage of the same kernel does. Any other ELF goes by PVH if it has the note, since PVH tells
 * the RSDP and multiboot does not; then by multiboot; and a 64-bit ELF with neither by Linux's protocol, as in OpenVMM.
 * @throws VmmError KERNEL_EMPTY, KERNEL_TRUNCATED, KERNEL_WRONG_ARCHITECTURE, KERNEL_32BIT_ONLY, KERNEL_UNRECOGNISED,
 * KERNEL_INVALID
 */
export function detectKernelFormat(bytes: Uint8Array): DetectedKernel {
	if (bytes.length === 0) throw loaderError('KERNEL_EMPTY', {});
	if (isBzImage(bytes)) return {format: 'bzimage', why: 'it has a Linux setup header'};
	if (isElf(bytes)) return detectElf(bytes);
	if (findMultibootHeader(bytes) !== undefined) return {format: 'multiboot', why: 'it has a multiboot header'};
	const foreign = findSignature(bytes, foreignKernels);
	if (foreign) throw loaderError('KERNEL_WRONG_ARCHITECTURE', {architecture: foreign.found});
	const {found = 'no known kind of file', remedy} = findSignature(bytes, knownFiles) ?? {};
	throw loaderError('KERNEL_UNRECOGNISED', remedy === undefined ? {found} : {found, remedy});
}

function detectElf(bytes: Uint8Array): DetectedKernel {
	const elf = readElf(bytes);
	if (elf.bits === 64 && isLinuxElf(elf, bytes)) {
		return {format: 'vmlinux', why: 'it is a 64-bit ELF that says it is Linux'};
	}
	if (pvhEntry(elf, bytes) !== undefined) return {format: 'pvh', why: 'it is an ELF with a PVH note'};
	if (findMultibootHeader(bytes) !== undefined) return {format: 'multiboot', why: 'it has a multiboot header'};
	if (elf.bits === 64) return {format: 'vmlinux', why: 'it is a 64-bit ELF with neither PVH note nor multiboot header'};
	throw loaderError('KERNEL_32BIT_ONLY', {what: 'it is a 32-bit ELF with neither PVH note nor multiboot header'});
}
