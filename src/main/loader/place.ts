import type {BootRegisters} from '#devices/processor';
import type {BootImage, MemoryPiece} from './boot-image.ts';
import {bootLayout} from './boot-layout.ts';
import {loaderError, type MemoryDemand} from './errors.ts';
import type {LoadRequest} from './load-request.ts';
import {alignUp, covers, type Extent, endOf, overlaps, subtract, totalLength} from './ranges.ts';

/** A piece whose size in memory is spelled out. */
export type SizedPiece = MemoryPiece & Extent;

/** A kernel placed in memory, before the last check. */
export interface Placement {
	/** Gaps in the list are parts that this guest does not have. */
	readonly pieces: readonly (MemoryPiece | undefined)[];
	readonly entry: BootRegisters;
	/** Memory that pieces do not fill but the kernel uses before it reads the memory map. */
	readonly claims?: readonly Extent[];
}

const mebibyte = 0x100000;
const extentOf = ({name, gpa, data, length}: MemoryPiece): Extent => ({name, gpa, length: length ?? data.length});

/** Ends below 1 MiB because GNU ld, without a script, has a kernel's file headers loaded in the page before it. */
const legacyArea: Extent = {
	name: 'the legacy video and BIOS area',
	gpa: bootLayout.ebda,
	length: bootLayout.biosTablesEnd - bootLayout.ebda,
};

/** A guest may take it once it runs: the memory map offers it, as on a PC. */
const biosData: Extent = {
	name: 'the interrupt vectors and BIOS data',
	gpa: bootLayout.interruptVectors,
	length: bootLayout.biosDataEnd - bootLayout.interruptVectors,
};

function reservedExtents({machine}: LoadRequest): Extent[] {
	const names = {acpi: 'the ACPI tables', reserved: 'a reserved range'} as const;
	return machine.reserved.map(({gpa, length, kind}) => ({name: names[kind], gpa, length}));
}

function demandOf({kernel, initrd, machine}: LoadRequest, kernelEnd: number): MemoryDemand {
	const initrdBytes = initrd?.length ?? 0;
	const end = initrdBytes === 0 ? kernelEnd : alignUp(kernelEnd, bootLayout.initrdAlignment) + initrdBytes;
	return {
		kernelBytes: kernel.length,
		initrdBytes,
		memoryBytes: totalLength(machine.ram),
		neededBytes: alignUp(end, mebibyte),
	};
}

/**
 * Checks that everything the kernel occupies, or will while it unpacks itself, is RAM that the boot protocol reaches.
 * @throws VmmError KERNEL_ADDRESS_UNUSABLE, MEMORY_TOO_SMALL
 */
export function checkKernelMemory(request: LoadRequest, kernel: readonly Extent[]): void {
	const {ram} = request.machine;
	const kernelEnd = Math.max(...kernel.map(endOf));
	for (const extent of kernel) {
		if (endOf(extent) > bootLayout.mappedEnd) {
			throw loaderError('KERNEL_ADDRESS_UNUSABLE', {...extent, why: 'and only the low 4 GiB can be reached at boot'});
		}
		if (covers(ram, extent)) continue;
		if (ram.some((range) => endOf(range) > bootLayout.mappedEnd)) {
			throw loaderError('KERNEL_ADDRESS_UNUSABLE', {...extent, why: 'where this machine has no RAM'});
		}
		throw loaderError('MEMORY_TOO_SMALL', demandOf(request, kernelEnd));
	}
}

/**
 * Finds the initrd's place: the first, or the last, 2 MiB boundary after the kernel where all of it is free RAM.
 * @param limit - first address the kernel cannot take it from
 * @throws VmmError INITRD_TOO_LARGE, MEMORY_TOO_SMALL
 */
export function placeInitrd(
	request: LoadRequest,
	kernelEnd: number,
	limit: number,
	where: 'lowest' | 'highest' = 'lowest',
): MemoryPiece | undefined {
	const {initrd, machine} = request;
	if (initrd === undefined || initrd.length === 0) return undefined;
	const alignment = bootLayout.initrdAlignment;
	const places = subtract(machine.ram, reservedExtents(request)).flatMap((range) => {
		const first = alignUp(Math.max(range.gpa, kernelEnd), alignment);
		const last = Math.min(endOf(range), limit) - initrd.length;
		return first <= last ? [where === 'lowest' ? first : last - (last % alignment)] : [];
	});
	const gpa = where === 'lowest' ? places[0] : places.at(-1);
	if (gpa !== undefined) return {name: 'initrd', gpa, data: initrd};
	const demand = demandOf(request, kernelEnd);
	if (demand.neededBytes <= limit && initrd.length <= demand.memoryBytes) throw loaderError('MEMORY_TOO_SMALL', demand);
	throw loaderError('INITRD_TOO_LARGE', {...demand, limit});
}

/**
 * The kernel's command line in memory, closed by a zero byte.
 * @param limit - longest command line the kernel takes, in bytes without the zero byte
 * @throws VmmError COMMAND_LINE_TOO_LONG, COMMAND_LINE_INVALID
 */
export function placeCommandLine(text: string, limit: number = bootLayout.commandLineSize - 1): MemoryPiece {
	const data = new TextEncoder().encode(`${text}\0`);
	const length = data.length - 1;
	const most = Math.min(limit, bootLayout.commandLineSize - 1);
	if (length > most) throw loaderError('COMMAND_LINE_TOO_LONG', {length, limit: most});
	const zero = data.indexOf(0);
	if (zero < length) throw loaderError('COMMAND_LINE_INVALID', {offset: zero});
	return {name: 'command line', gpa: bootLayout.commandLine, data};
}

/**
 * The last check of every loader: each piece lies in RAM, no two overlap, and none lies on what the machine reserves.
 * @throws VmmError BOOT_RANGES_OVERLAP, MEMORY_TOO_SMALL
 */
export function finishImage(request: LoadRequest, {pieces, entry, claims = []}: Placement): BootImage {
	const present = pieces.filter((piece) => piece !== undefined);
	const own = present.map(extentOf).sort((a, b) => a.gpa - b.gpa);
	for (const [index, extent] of own.entries()) {
		if (!covers(request.machine.ram, extent)) throw loaderError('MEMORY_TOO_SMALL', demandOf(request, endOf(extent)));
		const next = own[index + 1];
		if (next !== undefined && overlaps(extent, next)) throw conflict(extent, next);
	}
	for (const fixed of [...reservedExtents(request), biosData, legacyArea]) {
		const hit = [...own, ...claims].find((extent) => overlaps(extent, fixed));
		if (hit !== undefined) throw conflict(hit, fixed);
	}
	return {pieces: present, entry};
}

function conflict(a: Extent, b: Extent) {
	return loaderError('BOOT_RANGES_OVERLAP', {first: a.name, second: b.name, gpa: Math.max(a.gpa, b.gpa)});
}
