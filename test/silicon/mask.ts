/** What of a state is compared: all but what the manual leaves undefined. */
import type {CaseBuilder} from './case-builder.ts';
import {statusFlags, undefinedAfter} from './undefined-results.ts';

const bit32 = 0xffff_ffff;

export interface Mask {
	/** Bits of RFLAGS that are undefined. */
	flags: number;
	/** Those that are after an exception, which mostly changes none. */
	exceptionFlags: number;
	/** The general register of which bits are undefined; -1 for none. */
	register: number;
	/** Its undefined bits, low and high word. */
	registerLow: number;
	registerHigh: number;
	/** Undefined bytes of the window. */
	memoryStart: number;
	memoryEnd: number;
	/** The x87, SSE and AVX state is part of the comparison. */
	hasVectors: boolean;
	/** The XMM register in which singles are compared only within `tolerance`, relative to them; -1 for none. */
	inexactXmm: number;
	/** Twice the error that the manual allows, since both results may have it. */
	tolerance: number;
}

export const emptyMask = (): Mask => ({
	flags: 0,
	exceptionFlags: 0,
	register: -1,
	registerLow: 0,
	registerHigh: 0,
	memoryStart: 0,
	memoryEnd: 0,
	hasVectors: false,
	inexactXmm: -1,
	tolerance: 0,
});

export function fillMask(mask: Mask, c: CaseBuilder): void {
	mask.register = -1;
	mask.flags = mask.exceptionFlags = mask.memoryStart = mask.memoryEnd = 0;
	mask.hasVectors = c.form.unit !== undefined;
	mask.inexactXmm = c.form.inexact === undefined ? -1 : c.reg;
	mask.tolerance = 2 * (c.form.inexact ?? 0);
	const {undefined: rule, rm, repeat} = c.form;
	// With flags of the comparisons before it on processors of AMD; Intel's manual promises those before the instruction.
	if (repeat === 'repe' && c.repeat !== undefined) mask.exceptionFlags = statusFlags;
	if (rule === undefinedAfter.divide) mask.exceptionFlags = statusFlags;
	if (rule === undefined) return;
	if (typeof rule === 'number') {
		mask.flags = rule;
		return;
	}
	const bytes = rm?.bytes ?? 0;
	const {flags, destination} = rule({width: 8 * bytes, count: countOf(c), isSourceZero: c.rmIsZero(bytes)});
	mask.flags = flags;
	if (destination === undefined) return;
	if (destination === 'E' && c.isMemory) {
		mask.memoryStart = Math.max(c.targetOffset, 0);
		mask.memoryEnd = c.targetOffset < 0 ? 0 : c.targetOffset + bytes;
	} else {
		mask.register = destination === 'G' ? c.reg : c.rm;
		mask.registerLow = bytes === 2 ? 0xffff : bit32;
		mask.registerHigh = bytes === 2 ? 0 : bit32;
	}
}

/** The opcodes of shifts by one. */
const byOne = [0xd0, 0xd1];

function countOf({form, immediates, slot}: CaseBuilder): number {
	const [opcode = 0] = form.opcode;
	const cl = slot.words[2] as number;
	const count = byOne.includes(opcode) ? 1 : (immediates[0] ?? cl);
	return count & (form.size === 64 ? 63 : 31);
}
