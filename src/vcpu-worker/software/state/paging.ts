import {physicalAddressBits} from './layout.ts';

/** Bits of entries of page tables that all formats have (SDM volume 3, 4.3 to 4.5). */
export const TableEntry = {
	present: 1,
	write: 2,
	user: 4,
	accessed: 0x20,
	dirty: 0x40,
	large: 0x80,
	global: 0x100,
} as const;
/** Bits of the high half of an entry of 64 bits that are reserved; 52 to 62 are ignored. */
export const reservedHigh: number = (1 << (52 - 32)) - (1 << (physicalAddressBits - 32));
/** The highest bit of such an entry: nothing is executed there. Without EFER.NXE it is reserved. */
export const noExecute: number = 0x8000_0000 | 0;

/** Bits of a page fault's error code (SDM volume 3, 4.7). */
export const PageFault = {present: 1, write: 2, user: 4, reserved: 8, fetch: 16} as const;

/** What of control registers walks go by in generated code, as bits of `CpuState.walkRules`: CR0.WP, CR4.SMAP, CR4.PGE. */
export const WalkRule = {protectsSupervisor: 1, smap: 2, global: 4} as const;

/**
 * What a walk in generated code gives: 0 where it is for TypeScript; {@link faulted} with an error code; or the physical address of the page, with
 * {@link found} and what else is known of it in its low 12 bits.
 */
export const Walked = {sizeBits: 0x3f, writable: 0x40, global: 0x80, faulted: 0x400, found: 0x800} as const;
