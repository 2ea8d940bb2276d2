import type {MemoryRange} from '#devices/guest-memory';

/** Where RAM and the holes for devices lie in guest-physical addresses. */
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
