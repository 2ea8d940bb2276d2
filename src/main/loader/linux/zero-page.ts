import type {BootMachine, MemoryPiece} from '../boot-image.ts';
import {bootLayout} from '../boot-layout.ts';
import {loaderError} from '../errors.ts';
import {type Layout, writeFields} from '../fields.ts';
import {memoryMap} from '../memory-map.ts';
import {bootParams, bootProtocol, type SetupHeader} from './setup-header.ts';

const e820Table = 0x2d0;
const e820Entry = {addr: [0, 8], size: [8, 8], type: [16, 4]} as const satisfies Layout;
const e820EntrySize = 20;
const e820MaxEntries = 128;
const headerStart = 0x1f1;

/** What the zero page tells beside the memory map. */
export interface ZeroPageContent {
	readonly machine: BootMachine;
	readonly initrd: MemoryPiece | undefined;
	/** A bzImage's own header; without one a minimal header is made, as for a vmlinux. */
	readonly header?: SetupHeader;
}

/**
 * Builds Linux's `struct boot_params`: the kernel's own setup header with the boot loader's fields filled in, the
 * RSDP's address and the E820 map.
 * @throws VmmError MEMORY_MAP_TOO_LONG
 */
export function buildZeroPage({machine, initrd, header}: ZeroPageContent): Uint8Array {
	const page = new Uint8Array(bootLayout.bootInfoSize);
	if (header === undefined) {
		writeFields(bootParams, page, 0, {
			boot_flag: bootProtocol.bootFlag,
			header: bootProtocol.magic,
			version: bootProtocol.minVersion,
			loadflags: bootProtocol.loadedHigh,
			kernel_alignment: bootLayout.kernel,
			cmdline_size: bootLayout.commandLineSize - 1,
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
	writeFields(bootParams, page, 0, {
		type_of_loader: bootProtocol.unregisteredLoader,
		code32_start: bootLayout.kernel,
		cmd_line_ptr: bootLayout.commandLine,
		ramdisk_image: low(at),
		ext_ramdisk_image: high(at),
		ramdisk_size: low(length),
		ext_ramdisk_size: high(length),
		acpi_rsdp_addr: machine.rsdp,
		e820_entries: map.length,
	});
	for (const [index, {gpa, length: size, type}] of map.entries()) {
		writeFields(e820Entry, page, e820Table + index * e820EntrySize, {addr: gpa, size, type});
	}
	return page;
}
