import type {Guest} from '#support/trust';
import type {GuestWindow} from './guest-window.ts';
import type {DmaDirection, IoVectors} from './io-vectors.ts';
import type {MemoryGate} from './piece-access.ts';

/**
 * Guest memory, the only way in which devices, loaders and debuggers reach it: RAM, and what devices have behind BARs that are
 * memory. Addresses are guest-physical and may be any number that a guest can produce. Where any byte of an access lies outside,
 * it changes nothing and answers `undefined` where a value was asked for, and `false` else. Accesses may cross from one piece
 * of memory into one that adjoins.
 *
 * A value that is read is a {@link Guest}'s until it is checked (`below`, `within`, `oneOf`, `asAddress`); read it once. Single
 * accesses are little-endian, and one access of the host's where their address is a multiple of their size. They have no
 * order among each other: a {@link GuestWindow} has loads and stores that do. Every write marks its pages as written.
 *
 * No access allocates, but for what V8 makes of a number from 2^31 on when it is passed from one function to another that is not
 * compiled into it: 16 bytes. So queues copy structs whole and look at the copy, and read their 16-bit indices by windows.
 */
export interface GuestMemory {
	/**
	 * False while a device may reach no memory at all, as a PCI function that the guest has not made a bus master. Every access
	 * is refused then, and that says nothing of its address.
	 */
	readonly isOpen: boolean;

	/** True when every byte of the range is memory. */
	contains(gpa: number, length: number): boolean;

	/** Copies `length` bytes of guest memory to `offset` in `target`; all of `target` without both. */
	copyOut(gpa: number, target: Uint8Array, offset?: number, length?: number): boolean;
	/**
	 * Copies as many words of 32 bits as `target` has: what {@link copyOut} does, at two thirds of its cost for 16 bytes at a multiple of 4, as structs
	 * are (12 and 19 ns). Elsewhere it takes {@link copyOut}, for an object.
	 */
	copyWordsOut(gpa: number, target: Int32Array): boolean;
	/** Copies `length` bytes from `offset` in `source` into guest memory; all of `source` without both. */
	copyIn(gpa: number, source: Uint8Array, offset?: number, length?: number): boolean;
	/** Sets `length` bytes to `value`. */
	fill(gpa: number, length: number, value: number): boolean;

	readU8(gpa: number): Guest<number> | undefined;
	readU16(gpa: number): Guest<number> | undefined;
	readU32(gpa: number): Guest<number> | undefined;
	/** 64 bits as a number: exact up to 2^53, and rounded beyond, where no check of an address or a length lets it pass. */
	readU64(gpa: number): Guest<number> | undefined;
	/** All of 64 bits. Allocates. */
	readBigU64(gpa: number): Guest<bigint> | undefined;
	writeU8(gpa: number, value: number): boolean;
	writeU16(gpa: number, value: number): boolean;
	writeU32(gpa: number, value: number): boolean;
	/** @param value - a whole number up to 2^53 */
	writeU64(gpa: number, value: number): boolean;
	writeBigU64(gpa: number, value: bigint): boolean;

	/**
	 * A part of RAM that is accessed again and again, such as a queue's ring: its accesses need no lookup and cannot fail.
	 * Valid while {@link GuestWindow.isCurrent}.
	 * @param alignment - what the address has to be a multiple of
	 */
	mapped(gpa: number, length: number, alignment?: number): GuestWindow | undefined;

	/**
	 * Adds the host memory under a range to what a system call is to use, and keeps it mapped until the list is released.
	 * False, and nothing added, also when the list is full or the memory is on its way out.
	 * @param direction - what the device does: pages that it writes are marked when the list is released
	 */
	pin(gpa: number, length: number, direction: DmaDirection, vectors: IoVectors): boolean;

	/**
	 * Gives the host's memory under whole pages of RAM back; they take some again when they are touched. What is in them is lost.
	 * @param after - what has to be in them then
	 * @returns false where the host takes none back, or not so: nothing is lost, or some of it
	 */
	discard(gpa: number, length: number, after: 'zeros' | 'anything'): boolean;

	/** The same memory for a device that reaches it only while the gate is open. */
	behind(gate: MemoryGate): GuestMemory;
}
