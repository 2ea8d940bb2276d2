import {i64, u8, u16, u32, wire} from '#support/wire';

/**
 * One step of an instruction as the interpreter reads it. Instructions become one to five steps: loads and stores are steps of
 * their own, so that what computes has operands in registers, scratch slots or the step itself only.
 */
export const MicroOp = wire('MicroOp', {
	/** Number of the kind; see `kinds`. */
	kind: u16,
	/** Shift of the index in an address, number of a condition, depth of ENTER. */
	scale: u8,
	/** Number of the instruction in its block, from 1. */
	ordinal: u8,
	/** Addresses of operands: the first is written. In an address `b` is the base, `c` the index. */
	a: u32,
	b: u32,
	c: u32,
	/** Constant, displacement, or where in the code page a jump goes. */
	immediate: i64,
	/** Offsets in the code page of the instruction and of the next one: 4096 or more in the page after. */
	start: u16,
	next: u16,
	/** Address of the base of the segment of an address. */
	segment: u32,
}).sized(32);
