import type {BootMachine} from '../boot-image.ts';
import {bootLayout} from '../boot-layout.ts';
import {loaderError} from '../errors.ts';
import {type Layout, writeFields} from '../fields.ts';
import {memoryMap, memoryType} from '../memory-map.ts';
import {maxModules, type PlacedModule} from '../modules.ts';
import {endOf} from '../ranges.ts';

/** The boot information (Multiboot Specification 0.6.96, 3.3). */
export const multibootInfo = {
	flags: [0, 4],
	mem_lower: [4, 4],
	mem_upper: [8, 4],
	cmdline: [16, 4],
	mods_count: [20, 4],
	mods_addr: [24, 4],
	mmap_length: [44, 4],
	mmap_addr: [48, 4],
	boot_loader_name: [64, 4],
} as const satisfies Layout;
export const multibootModule = {mod_start: [0, 4], mod_end: [4, 4], string: [8, 4]} as const satisfies Layout;
/** `size` does not count itself. */
export const multibootMapEntry = {size: [0, 4], addr: [4, 8], length: [12, 8], type: [20, 4]} as const satisfies Layout;

/** Bits of `flags`: which fields are valid. */
const valid = {memory: 1 << 0, commandLine: 1 << 2, modules: 1 << 3, map: 1 << 6, loaderName: 1 << 9} as const;

/** Offsets in the page: the info has 116 bytes, then come the loader's name, the list of modules and the map. */
const inPage = {loaderName: 0x78, modules: 0x80, map: 0x80 + maxModules * 16} as const;
const moduleEntrySize = 16;
const mapEntrySize = 24;
const kibibyte = 1024;

/**
 * The page a multiboot guest is started with.
 * @throws VmmError MEMORY_MAP_TOO_LONG
 */
export function buildMultibootInfo(machine: BootMachine, modules: readonly PlacedModule[]): Uint8Array {
	const page = new Uint8Array(bootLayout.bootInfoSize);
	const map = memoryMap(machine);
	const limit = Math.floor((page.length - inPage.map) / mapEntrySize);
	if (map.length > limit) throw loaderError('MEMORY_MAP_TOO_LONG', {entries: map.length, limit});
	const ramAt = (gpa: number) => map.find((entry) => entry.type === memoryType.ram && entry.gpa === gpa)?.length ?? 0;
	const belowHole = Math.min(ramAt(bootLayout.kernel), bootLayout.mappedEnd - bootLayout.kernel);
	const {bootInfo} = bootLayout;
	writeFields(multibootInfo, page, 0, {
		flags: valid.memory | valid.commandLine | valid.map | valid.loaderName | (modules.length === 0 ? 0 : valid.modules),
		mem_lower: Math.floor(lowMemory(machine) / kibibyte),
		mem_upper: Math.floor(belowHole / kibibyte),
		cmdline: bootLayout.commandLine,
		mods_count: modules.length,
		mods_addr: modules.length === 0 ? 0 : bootInfo + inPage.modules,
		mmap_addr: bootInfo + inPage.map,
		mmap_length: map.length * mapEntrySize,
		boot_loader_name: bootInfo + inPage.loaderName,
	});
	page.set(new TextEncoder().encode('OpenVMM'), inPage.loaderName);
	for (const [index, {file, commandLine}] of modules.entries()) {
		writeFields(multibootModule, page, inPage.modules + index * moduleEntrySize, {
			mod_start: file.gpa,
			mod_end: file.gpa + file.data.length,
			string: commandLine.gpa,
		});
	}
	for (const [index, {gpa, length, type}] of map.entries()) {
		const at = inPage.map + index * mapEntrySize;
		writeFields(multibootMapEntry, page, at, {size: mapEntrySize - 4, addr: gpa, length, type});
	}
	return page;
}

/** Conventional memory, reserved ranges in it notwithstanding: those the map tells. */
function lowMemory({ram}: BootMachine): number {
	const first = ram[0];
	return first === undefined || first.gpa > 0 ? 0 : Math.min(endOf(first), bootLayout.ebda);
}
