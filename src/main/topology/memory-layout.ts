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

/** What decides where RAM lies. */
export interface MemoryLayoutOptions {
	/** RAM in bytes. */
	readonly size: number;
	/** Rounded up to a page, and to {@link archReserved} at least. */
	readonly lowMmioLength?: number;
	/** Width of guest-physical addresses, from CPUID 80000008. */
	readonly physicalAddressBits?: number;
}

/** Where RAM and the hole for devices lie in guest-physical addresses. */
export interface MemoryLayout {
	/** RAM, ascending, not overlapping. */
	readonly ram: readonly MemoryRange[];
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
 * result depends on the options alone, never on the host, because guests and snapshots remember addresses.
 * @throws VmmError with a `MEMORY_SIZE_` code when the size is not a page multiple or cannot be addressed
 */
export function createMemoryLayout(options: MemoryLayoutOptions): MemoryLayout {
	const {size, physicalAddressBits = widestAddressBits} = options;
	if (!Number.isSafeInteger(size) || size <= 0) throw topologyError('MEMORY_SIZE_INVALID', {size});
	if (size % pageSize !== 0) throw topologyError('MEMORY_SIZE_UNALIGNED', {size, pageSize});
	const lowMmio = placeLowMmio(options.lowMmioLength ?? defaultLowMmioLength);
	const ram = splitAround(lowMmio, size);
	const end = Math.max(fourGib, ...ram.map((range) => range.gpa + range.length));
	const addressLimit = 2 ** Math.min(physicalAddressBits, widestAddressBits);
	if (end > addressLimit) {
		const limit = largestSize(lowMmio, addressLimit);
		throw topologyError('MEMORY_SIZE_TOO_LARGE', {size, limit, addressBits: physicalAddressBits});
	}
	return {ram, ramLength: size, lowMmio, end};
}

function placeLowMmio(length: number): MemoryRange {
	const rounded = Math.max(Math.ceil(length / pageSize) * pageSize, archReserved.length);
	return {gpa: fourGib - rounded, length: rounded};
}

function splitAround(hole: MemoryRange, size: number): MemoryRange[] {
	if (size <= hole.gpa) return [{gpa: 0, length: size}];
	const below = belowHole(hole, size);
	const ranges = [
		{gpa: 0, length: below},
		{gpa: fourGib, length: size - below},
	];
	return ranges.filter((range) => range.length > 0);
}

/** RAM below the hole when there is more than fits there. */
function belowHole(hole: MemoryRange, size: number): number {
	const piece = size < gib ? 2 * mib : gib;
	return Math.floor(hole.gpa / piece) * piece;
}

function largestSize(hole: MemoryRange, addressLimit: number): number {
	return addressLimit > fourGib ? belowHole(hole, addressLimit) + (addressLimit - fourGib) : hole.gpa;
}
