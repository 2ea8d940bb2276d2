import type {MemoryRange} from '#devices/guest-memory';
import {topologyError} from './errors.ts';

const pageSize = 0x1000;
const mib = 2 ** 20;
const gib = 2 ** 30;
const fourGib = 4 * gib;

/** Always a hole: local APICs, IOAPIC, TPM and the like, from FE000000 to 4 GiB. */
export const archReserved: MemoryRange = {gpa: 0xfe00_0000, length: fourGib - 0xfe00_0000};

/** Length of the window below 4 GiB for chipset devices: it starts at F8000000. */
export const defaultLowMmioLength = 128 * mib;

/** x86 has no wider guest-physical addresses (Intel SDM vol. 3, 4.1.4). */
export const widestAddressBits = 52;

/** The memory of a NUMA node is a multiple of this, in bytes: a chunk of a snapshot, which has a checksum, is of one node. */
export const nodeUnit = 2 * mib;

/** Sizes that decide where RAM lies. */
export interface MemoryLayoutOptions {
	/** RAM in bytes: of all, or of each NUMA node in turn. */
	readonly size: number | readonly number[];
	/** Rounded up to a page, and to {@link archReserved} at least. */
	readonly lowMmioLength?: number;
	/** Width of guest-physical addresses, from CPUID 80000008. */
	readonly physicalAddressBits?: number;
}

/** Guest-physical addresses of RAM and of the hole for devices. */
export interface MemoryLayout {
	/** RAM, ascending, not overlapping, each range as long as can be. */
	readonly ram: readonly MemoryRange[];
	/** The same by NUMA node. */
	readonly nodes: readonly (readonly MemoryRange[])[];
	/** Bytes of RAM in all ranges. */
	readonly ramLength: number;
	/** The device window that ends at 4 GiB: IOAPIC, local APICs and 32-bit MMIO. */
	readonly lowMmio: MemoryRange;
	/** First address past everything placed. */
	readonly end: number;
}

/**
 * Places RAM as OpenVMM does: from 0 upwards around the window below 4 GiB, in pieces of 1 GiB (2 MiB when there is less
 * than 1 GiB), so that a split never leaves a crumb that huge pages cannot map. 4 GiB are 0–3 GiB and 4–5 GiB. The
 * result depends on the options alone, never on the host, because guests and snapshots remember addresses. Each NUMA node
 * begins with such a piece, above all nodes before it.
 * @throws VmmError with a `MEMORY_SIZE_` code when the size is not a page multiple or cannot be addressed
 */
export function createMemoryLayout(options: MemoryLayoutOptions): MemoryLayout {
	const {physicalAddressBits = widestAddressBits} = options;
	const sizes = typeof options.size === 'number' ? [options.size] : options.size;
	const size = sizes.reduce((sum, own) => sum + own, 0);
	if (!Number.isSafeInteger(size) || size <= 0) throw topologyError('MEMORY_SIZE_INVALID', {size});
	const unit = sizes.length > 1 ? nodeUnit : pageSize;
	for (const own of sizes)
		if (own % unit !== 0) throw topologyError('MEMORY_SIZE_UNALIGNED', {size: own, pageSize: unit});
	const lowMmio = placeLowMmio(options.lowMmioLength ?? defaultLowMmioLength);
	const nodes = placeNodes(lowMmio, sizes);
	const ram = joined(nodes.flat());
	const end = Math.max(fourGib, ...ram.map((range) => range.gpa + range.length));
	const addressLimit = 2 ** Math.min(physicalAddressBits, widestAddressBits);
	if (end > addressLimit) {
		const limit = sizes.length === 1 ? largestSize(lowMmio, addressLimit) : Math.max(0, size - (end - addressLimit));
		throw topologyError('MEMORY_SIZE_TOO_LARGE', {size, limit, addressBits: physicalAddressBits});
	}
	return {ram, nodes, ramLength: size, lowMmio, end};
}

function placeLowMmio(length: number): MemoryRange {
	const rounded = Math.max(Math.ceil(length / pageSize) * pageSize, archReserved.length);
	return {gpa: fourGib - rounded, length: rounded};
}

function placeNodes(hole: MemoryRange, sizes: readonly number[]): MemoryRange[][] {
	let next = 0;
	return sizes.map((size) => {
		const ranges = size > 0 ? splitAround(hole, next, size) : [];
		for (const {gpa, length} of ranges) next = gpa + length;
		return ranges;
	});
}

/** RAM from `start` or a little above it on. */
function splitAround(hole: MemoryRange, start: number, size: number): MemoryRange[] {
	const piece = pieceOf(size);
	const gpa = Math.ceil(start / piece) * piece;
	if (gpa >= fourGib || gpa + size <= hole.gpa) return [{gpa, length: size}];
	const below = Math.max(0, Math.floor((hole.gpa - gpa) / piece) * piece);
	const ranges = [
		{gpa, length: below},
		{gpa: fourGib, length: size - below},
	];
	return ranges.filter((range) => range.length > 0);
}

const pieceOf = (size: number): number => (size < gib ? 2 * mib : gib);

function joined(ranges: readonly MemoryRange[]): MemoryRange[] {
	const all: MemoryRange[] = [];
	for (const {gpa, length} of ranges) {
		const last = all.at(-1);
		if (last !== undefined && last.gpa + last.length === gpa)
			all.splice(-1, 1, {...last, length: last.length + length});
		else all.push({gpa, length});
	}
	return all;
}

function largestSize(hole: MemoryRange, addressLimit: number): number {
	const piece = pieceOf(addressLimit);
	return addressLimit > fourGib ? Math.floor(hole.gpa / piece) * piece + (addressLimit - fourGib) : hole.gpa;
}
