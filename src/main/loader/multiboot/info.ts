import {packed, reserved, sparse, u32, u64, wire} from '#support/wire';
import type {BootMachine} from '../boot-image.ts';
import {bootLayout} from '../boot-layout.ts';
import {loaderError} from '../errors.ts';
import {memoryMap, memoryType} from '../memory-map.ts';
import {maxModules, type PlacedModule} from '../modules.ts';
import {endOf} from '../ranges.ts';

/** The boot information. */
export const multibootInfo = sparse('multiboot info', {
	flags: u32.at(0),
	mem_lower: u32.at(4),
	mem_upper: u32.at(8),
	cmdline: u32.at(16),
	mods_count: u32.at(20),
	mods_addr: u32.at(24),
	mmap_length: u32.at(44),
	mmap_addr: u32.at(48),
	boot_loader_name: u32.at(64),
}).sized(116, 'Multiboot Specification 0.6.96, 3.3');
export const multibootModule = wire('multiboot module', {
	mod_start: u32,
	mod_end: u32,
	string: u32,
	reserved: reserved(4),
}).sized(16);
/** `size` does not count itself. */
export const multibootMapEntry = packed('multiboot map entry', {
	size: u32,
	addr: u64.asNumber,
	length: u64.asNumber,
	type: u32,
}).sized(24);

/** Bits of `flags`: which fields are valid. */
const valid = {memory: 1 << 0, commandLine: 1 << 2, modules: 1 << 3, map: 1 << 6, loaderName: 1 << 9} as const;

/** Offsets in the page: after the info come the loader's name, the list of modules and the map. */
const inPage = {loaderName: 0x78, modules: 0x80, map: 0x80 + maxModules * multibootModule.size} as const;
const kibibyte = 1024;

/**
 * The page a multiboot guest is started with.
 * @throws VmmError MEMORY_MAP_TOO_LONG
 */
export function buildMultibootInfo(machine: BootMachine, modules: readonly PlacedModule[]): Uint8Array {
	const page = new Uint8Array(bootLayout.bootInfoSize);
	const map = memoryMap(machine);
	const limit = Math.floor((page.length - inPage.map) / multibootMapEntry.size);
	if (map.length > limit) throw loaderError('MEMORY_MAP_TOO_LONG', {entries: map.length, limit});
	const ramAt = (gpa: number) => map.find((entry) => entry.type === memoryType.ram && entry.gpa === gpa)?.length ?? 0;
	const belowHole = Math.min(ramAt(bootLayout.kernel), bootLayout.mappedEnd - bootLayout.kernel);
	const {bootInfo} = bootLayout;
	multibootInfo.write(page, 0, {
		flags: valid.memory | valid.commandLine | valid.map | valid.loaderName | (modules.length === 0 ? 0 : valid.modules),
		mem_lower: Math.floor(lowMemory(machine) / kibibyte),
		mem_upper: Math.floor(belowHole / kibibyte),
		cmdline: bootLayout.commandLine,
		mods_count: modules.length,
		mods_addr: modules.length === 0 ? 0 : bootInfo + inPage.modules,
		mmap_addr: bootInfo + inPage.map,
		mmap_length: map.length * multibootMapEntry.size,
		boot_loader_name: bootInfo + inPage.loaderName,
	});
	page.set(new TextEncoder().encode('OpenVMM'), inPage.loaderName);
	for (const [index, {file, commandLine}] of modules.entries()) {
		multibootModule.write(page, inPage.modules + index * multibootModule.size, {
			mod_start: file.gpa,
			mod_end: file.gpa + file.data.length,
			string: commandLine.gpa,
		});
	}
	for (const [index, {gpa, length, type}] of map.entries()) {
		const at = inPage.map + index * multibootMapEntry.size;
		multibootMapEntry.write(page, at, {size: multibootMapEntry.size - 4, addr: gpa, length, type});
	}
	return page;
}

/** Conventional memory, reserved ranges in it notwithstanding: those the map tells. */
function lowMemory({ram}: BootMachine): number {
	const first = ram[0];
	return first === undefined || first.gpa > 0 ? 0 : Math.min(endOf(first), bootLayout.ebda);
}
