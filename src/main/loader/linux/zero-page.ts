import {packed, u32, u64} from '#support/wire';
import type {BootMachine, MemoryPiece} from '../boot-image.ts';
import {bootLayout} from '../boot-layout.ts';
import {loaderError} from '../errors.ts';
import {type MemoryMapEntry, memoryMap, memoryType} from '../memory-map.ts';
import {bootParams, bootProtocol, type SetupHeader} from './setup-header.ts';

const e820Table = 0x2d0;
const e820Entry = packed('boot_e820_entry', {addr: u64, size: u64, type: u32}).sized(20);
const e820MaxEntries = 128;
const headerStart = 0x1f1;

/** Memory from 1 MiB on, in both forms older than E820. */
function extendedMemory(map: readonly MemoryMapEntry[]) {
	const first = map.find(({gpa, type}) => gpa === bootLayout.kernel && type === memoryType.ram);
	const kibibytes = Math.floor((first?.length ?? 0) / 1024);
	// Both count up to 4 GiB, the older up to 64 MiB.
	return {alt_mem_k: Math.min(kibibytes, 2 ** 22 - 1024), ext_mem_k: Math.min(kibibytes, 0xfc00)};
}

/** Content of the zero page beside the memory map. */
export interface ZeroPageContent {
	readonly machine: BootMachine;
	readonly initrd: MemoryPiece | undefined;
	/** A bzImage's own header; without one a minimal header is made, as for a vmlinux. */
	readonly header?: SetupHeader;
	/** Command-line limit of a header that is made. Defaults to all of the page that there is. */
	readonly commandLineLimit?: number;
}

/**
 * Builds Linux's `struct boot_params`: the kernel's own setup header with the boot loader's fields filled in, the
 * RSDP's address and the E820 map.
 * @throws VmmError MEMORY_MAP_TOO_LONG
 */
export function buildZeroPage({
	machine,
	initrd,
	header,
	commandLineLimit = bootLayout.commandLineSize - 1,
}: ZeroPageContent): Uint8Array {
	const page = new Uint8Array(bootLayout.bootInfoSize);
	if (header === undefined) {
		bootParams.patch(page, 0, {
			boot_flag: bootProtocol.bootFlag,
			header: bootProtocol.magic,
			version: bootProtocol.madeVersion,
			loadflags: bootProtocol.loadedHigh,
			kernel_alignment: bootLayout.kernel,
			cmdline_size: commandLineLimit,
		});
	} else page.set(header.bytes, headerStart);

	const map = memoryMap(machine);
	if (map.length > e820MaxEntries) {
		throw loaderError('MEMORY_MAP_TOO_LONG', {entries: map.length, limit: e820MaxEntries});
	}
	const low = (value: number) => value % 2 ** 32;
	const high = (value: number) => Math.floor(value / 2 ** 32);
	const at = initrd?.gpa ?? 0;
	const length = initrd?.data.length ?? 0;
	bootParams.patch(page, 0, {
		type_of_loader: bootProtocol.unregisteredLoader,
		code32_start: bootLayout.kernel,
		cmd_line_ptr: bootLayout.commandLine,
		ramdisk_image: low(at),
		ext_ramdisk_image: high(at),
		ramdisk_size: low(length),
		ext_ramdisk_size: high(length),
		...extendedMemory(map),
		acpi_rsdp_addr: machine.rsdp,
		e820_entries: map.length,
	});
	for (const [index, {gpa, length: size, type}] of map.entries()) {
		e820Entry.write(page, e820Table + index * e820Entry.size, {addr: gpa, size, type});
	}
	return page;
}
