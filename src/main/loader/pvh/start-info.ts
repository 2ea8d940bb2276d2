import type {BootMachine} from '../boot-image.ts';
import {bootLayout} from '../boot-layout.ts';
import {loaderError} from '../errors.ts';
import {type Layout, writeFields} from '../fields.ts';
import {memoryMap} from '../memory-map.ts';
import {maxModules, type PlacedModule} from '../modules.ts';

/** `struct hvm_start_info`, version 1 (Xen, public/arch-x86/hvm/start_info.h). */
export const startInfo = {
	magic: [0, 4],
	version: [4, 4],
	flags: [8, 4],
	nr_modules: [12, 4],
	modlist_paddr: [16, 8],
	cmdline_paddr: [24, 8],
	rsdp_paddr: [32, 8],
	memmap_paddr: [40, 8],
	memmap_entries: [48, 4],
} as const satisfies Layout;
/** `struct hvm_modlist_entry`. */
export const moduleEntry = {paddr: [0, 8], size: [8, 8], cmdline_paddr: [16, 8]} as const satisfies Layout;
/** `struct hvm_memmap_table_entry`; types as in E820. */
export const memoryMapEntry = {addr: [0, 8], size: [8, 8], type: [16, 4]} as const satisfies Layout;

/** "xEn3" with the top bit of the E set. */
export const startInfoMagic = 0x336e_c578;
/** Offsets in the page. */
const list = 0x40;
const moduleEntrySize = 32;
const table = list + maxModules * moduleEntrySize;
const tableEntrySize = 24;

/**
 * The page a PVH guest is started with: start info, then the module list, then the memory map.
 * @throws VmmError MEMORY_MAP_TOO_LONG
 */
export function buildStartInfo(machine: BootMachine, modules: readonly PlacedModule[]): Uint8Array {
	const page = new Uint8Array(bootLayout.bootInfoSize);
	const map = memoryMap(machine);
	const limit = Math.floor((page.length - table) / tableEntrySize);
	if (map.length > limit) throw loaderError('MEMORY_MAP_TOO_LONG', {entries: map.length, limit});
	writeFields(startInfo, page, 0, {
		magic: startInfoMagic,
		version: 1,
		nr_modules: modules.length,
		modlist_paddr: modules.length === 0 ? 0 : bootLayout.bootInfo + list,
		cmdline_paddr: bootLayout.commandLine,
		rsdp_paddr: machine.rsdp,
		memmap_paddr: bootLayout.bootInfo + table,
		memmap_entries: map.length,
	});
	for (const [index, {file, commandLine}] of modules.entries()) {
		const entry = {paddr: file.gpa, size: file.data.length, cmdline_paddr: commandLine.gpa};
		writeFields(moduleEntry, page, list + index * moduleEntrySize, entry);
	}
	for (const [index, {gpa, length, type}] of map.entries()) {
		writeFields(memoryMapEntry, page, table + index * tableEntrySize, {addr: gpa, size: length, type});
	}
	return page;
}
