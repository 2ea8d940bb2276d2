/** Masks the part of a state that is compared: all but what the manual leaves undefined. */
import type {CaseBuilder} from './case-builder.ts';
import {statusFlags, undefinedAfter} from './undefined-results.ts';
import {Fsw, isPartialRemainder} from './x87-state.ts';

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
	/** Undefined bits of FSW. */
	fsw: number;
	/** Number of x87 registers from ST(0) on that are compared only within `tolerance` units in the last place. */
	inexactSt: number;
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
	fsw: 0,
	inexactSt: 0,
	inexactXmm: -1,
	tolerance: 0,
});

export function fillMask(mask: Mask, c: CaseBuilder): void {
	mask.register = -1;
	mask.flags = mask.exceptionFlags = mask.memoryStart = mask.memoryEnd = 0;
	fillVectorMask(mask, c);
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

function fillVectorMask(mask: Mask, c: CaseBuilder): void {
	const {unit, inexact, inexactResults = 0, undefinedFsw = 0, role, size, rm} = c.form;
	mask.hasVectors = unit !== undefined;
	mask.inexactXmm = inexact === undefined || unit !== 'sse' ? -1 : c.reg;
	mask.tolerance = 2 * (inexact ?? 0);
	mask.inexactSt = inexactResults;
	mask.fsw = undefinedFsw;
	if (role === 'remainder' && isPartialRemainder(c)) {
		mask.inexactSt = 1;
		mask.tolerance = Number.POSITIVE_INFINITY;
		mask.fsw = Fsw.C0 | Fsw.C1 | Fsw.C3;
	}
	if (role !== 'storeEnvironment' || c.targetOffset < 0) return;
	// Instruction and data pointers, behind control, status and tags.
	const [start, end] = size === 16 ? [6, 14] : [12, 28];
	mask.memoryStart = c.targetOffset + start;
	mask.memoryEnd = c.targetOffset + Math.min(end, rm?.bytes ?? 0);
}

/** The opcodes of shifts by one. */
const byOne = [0xd0, 0xd1];

function countOf({form, immediates, slot}: CaseBuilder): number {
	const [opcode = 0] = form.opcode;
	const cl = slot.words[2] as number;
	const count = byOne.includes(opcode) ? 1 : (immediates[0] ?? cl);
	return count & (form.size === 64 ? 63 : 31);
}
