import {reserved, u32, u64, wire} from '#support/wire';
import type {BootMachine} from '../boot-image.ts';
import {bootLayout} from '../boot-layout.ts';
import {loaderError} from '../errors.ts';
import {memoryMap} from '../memory-map.ts';
import {maxModules, type PlacedModule} from '../modules.ts';

/** `struct hvm_start_info`, version 1. */
export const startInfo = wire('hvm_start_info', {
	magic: u32,
	version: u32,
	flags: u32,
	nr_modules: u32,
	modlist_paddr: u64.asNumber,
	cmdline_paddr: u64.asNumber,
	rsdp_paddr: u64.asNumber,
	memmap_paddr: u64.asNumber,
	memmap_entries: u32,
}).sized(56, 'Xen, public/arch-x86/hvm/start_info.h');
export const moduleEntry = wire('hvm_modlist_entry', {
	paddr: u64.asNumber,
	size: u64.asNumber,
	cmdline_paddr: u64.asNumber,
	reserved: reserved(8),
}).sized(32);
/** Types as in E820. */
export const memoryMapEntry = wire('hvm_memmap_table_entry', {
	addr: u64.asNumber,
	size: u64.asNumber,
	type: u32,
}).sized(24);

/** "xEn3" with the top bit of the E set. */
export const startInfoMagic = 0x336e_c578;
/** Offsets in the page. */
const list = 0x40;
const table = list + maxModules * moduleEntry.size;

/**
 * The page a PVH guest is started with: start info, then the module list, then the memory map.
 * @throws VmmError MEMORY_MAP_TOO_LONG
 */
export function buildStartInfo(machine: BootMachine, modules: readonly PlacedModule[]): Uint8Array {
	const page = new Uint8Array(bootLayout.bootInfoSize);
	const map = memoryMap(machine);
	const limit = Math.floor((page.length - table) / memoryMapEntry.size);
	if (map.length > limit) throw loaderError('MEMORY_MAP_TOO_LONG', {entries: map.length, limit});
	startInfo.write(page, 0, {
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
		moduleEntry.write(page, list + index * moduleEntry.size, entry);
	}
	for (const [index, {gpa, length, type}] of map.entries()) {
		memoryMapEntry.write(page, table + index * memoryMapEntry.size, {addr: gpa, size: length, type});
	}
	return page;
}
