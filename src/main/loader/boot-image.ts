import type {MemoryRange} from '#devices/guest-memory';
import type {BootRegisters} from '#devices/processor';

/** Bytes to place in guest memory. */
export interface MemoryPiece {
	/** Names it in conflicts and inspect: `kernel`, `initrd`, `zero page`, … */
	readonly name: string;
	readonly gpa: number;
	readonly data: Uint8Array;
	/** Size in guest memory; the part after `data` is zero. Defaults to `data.length`. */
	readonly length?: number;
}

/** A loaded guest: what lies where, and how the boot processor starts. Writing it again is a reset. */
export interface BootImage {
	readonly pieces: readonly MemoryPiece[];
	readonly entry: BootRegisters;
}

/** The machine as a loader sees it. */
export interface BootMachine {
	/** RAM, ascending. */
	readonly ram: readonly MemoryRange[];
	/** Ranges the firmware tables occupy or reserve, for E820. */
	readonly reserved: readonly ReservedRange[];
	/** Guest-physical address of the RSDP. */
	readonly rsdp: number;
}

/** A range the guest's memory map must not offer as free RAM. */
export interface ReservedRange extends MemoryRange {
	readonly kind: 'reserved' | 'acpi';
}
