import {errorTable} from '#support/errors';

/** Sizes behind {@link loaderError}'s memory errors, in bytes. */
export interface MemoryDemand {
	readonly kernelBytes: number;
	readonly initrdBytes: number;
	/** RAM of the machine. */
	readonly memoryBytes: number;
	/** RAM that would do. */
	readonly neededBytes: number;
}

const hex = (value: number | bigint) => `0x${value.toString(16)}`;
const mib = (bytes: number) => Math.ceil(bytes / 0x100000);

/** A size as a person reads it: bytes below 1 MiB, else MiB with one decimal. */
function size(bytes: number): string {
	if (bytes < 0x100000) return `${bytes} bytes`;
	return `${(bytes / 0x100000).toFixed(1).replace(/\.0$/, '')} MiB`;
}

const demand = (c: MemoryDemand) =>
	`kernel file ${size(c.kernelBytes)}, initrd ${size(c.initrdBytes)}, memory ${size(c.memoryBytes)}`;
const giveMemory = (c: MemoryDemand) =>
	`Give the machine at least ${mib(c.neededBytes)} MiB (--memory ${mib(c.neededBytes)}M)`;
const otherKernel = 'Use a bzImage, a vmlinux, an ELF with a PVH note or a multiboot kernel, built for x86-64';
const flatRemedy = 'For a raw binary ask for the flat format with its load address';

/** Errors of a guest's kernel, its initrd, its command line, or the machine they are to run on. */
export const loaderError = errorTable({
	KERNEL_EMPTY: () => ({message: 'The kernel file is empty', remedy: 'Check that the build or download finished'}),
	KERNEL_TRUNCATED: (c: {found: number; promised: number}) => ({
		message: `The kernel file is truncated: ${c.found} bytes found, its header promises ${c.promised}`,
		remedy: 'Copy or download the file again',
	}),
	KERNEL_WRONG_ARCHITECTURE: (c: {architecture: string}) => ({
		message: `The kernel file is ${c.architecture}, and this machine is x86-64`,
		remedy: 'Use a kernel built for x86-64',
	}),
	KERNEL_32BIT_ONLY: (c: {what: string}) => ({
		message: `The kernel is 32-bit only: ${c.what}`,
		remedy: 'Use a 64-bit kernel, or one with a PVH note or a multiboot header',
	}),
	KERNEL_UNRECOGNISED: (c: {found: string; remedy?: string}) => ({
		message: `The kernel file has no format that can be booted: it looks like ${c.found}`,
		remedy: c.remedy ?? `${otherKernel}. ${flatRemedy}`,
	}),
	KERNEL_FORMAT_MISMATCH: (c: {wanted: string; found: string}) => ({
		message: `The kernel was to be loaded as ${c.wanted}, but ${c.found}`,
		remedy: 'Leave the format to be detected, or use a kernel of that format',
	}),
	KERNEL_NEEDS_FIRMWARE: (c: {why: string}) => ({
		message: `The kernel starts in real mode and calls a BIOS, which this machine does not have: ${c.why}`,
		remedy:
			'Pass the kernel that it would load with -k and its initrd with -r, or run it where there is a BIOS; Linux needs none from 2.6.14 on',
	}),
	KERNEL_INVALID: (c: {what: string}) => ({
		message: `The kernel file contradicts itself: ${c.what}`,
		remedy: 'Build or copy the file again',
	}),
	KERNEL_ADDRESS_UNUSABLE: (c: {name: string; gpa: number; length: number; why: string}) => ({
		message: `The kernel asks for memory that it cannot have: ${c.name} at ${hex(c.gpa)}, ${size(c.length)}, ${c.why}`,
		remedy: 'Link the kernel to load between 1 MiB and the end of memory below 4 GiB',
	}),
	BOOT_RANGES_OVERLAP: (c: {first: string; second: string; gpa: number}) => ({
		message: `Two parts of the guest want the same memory at ${hex(c.gpa)}: ${c.first} and ${c.second}`,
		remedy: 'Link the kernel to load at 1 MiB or above',
	}),
	MEMORY_TOO_SMALL: (c: MemoryDemand) => ({
		message: `The machine's memory is too small to boot this guest: ${demand(c)}`,
		remedy: giveMemory(c),
	}),
	MEMORY_MAP_TOO_LONG: (c: {entries: number; limit: number}) => ({
		message: `The guest's memory map has ${c.entries} entries, and the boot protocol takes ${c.limit}`,
		remedy: 'Use fewer NUMA nodes or reserved ranges',
	}),
	INITRD_TOO_LARGE: (c: MemoryDemand & {limit: number}) => ({
		message: `The initrd does not fit between the kernel and ${hex(c.limit)}: ${demand(c)}`,
		remedy: c.neededBytes <= c.limit ? giveMemory(c) : 'Use a smaller initrd, or move its content to a disk',
	}),
	COMMAND_LINE_TOO_LONG: (c: {length: number; limit: number}) => ({
		message: `The command line has ${c.length} bytes, and the kernel takes ${c.limit}`,
		remedy: 'Shorten it',
	}),
	COMMAND_LINE_INVALID: (c: {offset: number}) => ({
		message: `The command line has a zero byte at offset ${c.offset}`,
		remedy: 'Remove it: the kernel would see the command line end there',
	}),
	BOOT_MODULES_TOO_MANY: (c: {count: number; limit: number}) => ({
		message: `The kernel is to be given ${c.count} modules, and ${c.limit} is the most`,
		remedy: 'Pass fewer, for example by packing some into one archive',
	}),
	BOOT_DATA_UNSUPPORTED: (c: {what: string; format: string}) => ({
		message: `A kernel loaded as ${c.format} cannot be given ${c.what}`,
		remedy: 'Leave it away, or use another kernel format',
	}),
	FLAT_ADDRESS_INVALID: (c: {address: number; why: string}) => ({
		message: `A flat binary cannot be loaded at ${hex(c.address)}: ${c.why}`,
		remedy: 'Use 0x100000 for 64-bit code, 0x7c00 for real-mode code',
	}),
});
