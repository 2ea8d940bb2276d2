/** A range of guest-physical addresses backed by RAM. */
export interface MemoryRange {
	/** First guest-physical address, page aligned. */
	readonly gpa: number;
	/** Length in bytes, a multiple of the page size. */
	readonly length: number;
}

/**
 * Checked access to guest RAM, the only way devices and loaders reach it. Addresses are guest-physical and may be any
 * number a guest can produce; every method answers false or undefined, and changes nothing, when any byte of the
 * access lies outside RAM.
 */
export interface GuestMemory {
	/** RAM, ascending, not overlapping. */
	readonly ranges: readonly MemoryRange[];
	/** True when every byte of the range is RAM. */
	contains(gpa: number, length: number): boolean;
	/** Copies guest memory into `target`. */
	read(gpa: number, target: Uint8Array): boolean;
	/** Copies `source` into guest memory. */
	write(gpa: number, source: Uint8Array): boolean;
	/** Sets `length` bytes to `value`. */
	fill(gpa: number, length: number, value: number): boolean;
	/** Reads one little-endian value of 1, 2 or 4 bytes, in one access when it is aligned. */
	readInteger(gpa: number, size: 1 | 2 | 4): number | undefined;
	/** Writes one little-endian value of 1, 2 or 4 bytes, in one access when it is aligned. */
	writeInteger(gpa: number, size: 1 | 2 | 4, value: number): boolean;
	/** Host address of the range for a system call, when it lies in one piece of host memory. */
	hostAddress(gpa: number, length: number): bigint | undefined;
}
