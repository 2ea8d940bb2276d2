import type {Instruction} from '#vcpu-worker/software/decode';
import {flagsOf, GuestFault, Status, setFlags, Vector} from '#vcpu-worker/software/system/registers';
import {readOperand} from './operands.ts';
import type {After, Parts} from './parts.ts';

const accumulator = 0;

/** AX before and after a correction, and the flags. */
interface Decimal {
	readonly ax: number;
	readonly flags: number;
}

const addition = 1;
const subtraction = -1;

/** SF, ZF and PF of a byte. */
function resultFlags(value: number): number {
	let parity = value ^ (value >> 4);
	parity ^= parity >> 2;
	parity ^= parity >> 1;
	return (value === 0 ? Status.ZF : 0) | ((value & 0x80) !== 0 ? Status.SF : 0) | ((parity & 1) === 0 ? Status.PF : 0);
}

/** Flags that these instructions define, or clear as a byte's operation does. */
const all = Status.CF | Status.PF | Status.AF | Status.ZF | Status.SF | Status.OF;

/** DAA and DAS: two digits in AL. */
function packed({ax, flags}: Decimal, sign: 1 | -1): Decimal {
	const al = ax & 0xff;
	const hadCarry = (flags & Status.CF) !== 0;
	const correctsLow = (al & 15) > 9 || (flags & Status.AF) !== 0;
	const correctsHigh = al > 0x99 || hadCarry;
	const low = al + (correctsLow ? 6 * sign : 0);
	// DAS has a borrow out of its low digit too (SDM volume 2, DAS).
	const borrows = sign === subtraction && correctsLow && low < 0;
	const value = (low + (correctsHigh ? 0x60 * sign : 0)) & 0xff;
	const carry = correctsHigh || borrows ? Status.CF : 0;
	return {
		ax: (ax & 0xff00) | value,
		flags: (flags & ~all) | resultFlags(value) | carry | (correctsLow ? Status.AF : 0),
	};
}

/** AAA and AAS: a digit in AL, and what is carried goes to AH. */
function unpacked({ax, flags}: Decimal, sign: 1 | -1): Decimal {
	const corrects = (ax & 15) > 9 || (flags & Status.AF) !== 0;
	const sum = corrects ? (ax + 0x106 * sign) & 0xffff : ax;
	const both = Status.CF | Status.AF;
	return {ax: sum & 0xff0f, flags: (flags & ~both) | (corrects ? both : 0)};
}

function change({core: {state}}: Parts, correct: (before: Decimal) => Decimal): After {
	const old = state.general[accumulator] as bigint;
	const {ax, flags} = correct({ax: Number(old & 0xffffn), flags: flagsOf(state)});
	state.general[accumulator] = (old & ~0xffffn) | BigInt(ax);
	setFlags(state, flags);
	return 'next';
}

const byteOf = (parts: Parts, {operands: [base], addressSize}: Instruction): number =>
	Number(readOperand(parts, base, addressSize, 1));

/**
 * Arithmetic on decimal digits, which 64-bit code does not have (SDM volume 2). Of flags that no manual defines, AAA and AAS leave
 * what they are, the others clear them.
 */
export const decimals = {
	daa: (parts: Parts): After => change(parts, (before) => packed(before, addition)),
	das: (parts: Parts): After => change(parts, (before) => packed(before, subtraction)),
	aaa: (parts: Parts): After => change(parts, (before) => unpacked(before, addition)),
	aas: (parts: Parts): After => change(parts, (before) => unpacked(before, subtraction)),
	aam: (parts: Parts, instruction: Instruction): After => {
		const base = byteOf(parts, instruction);
		if (base === 0) throw new GuestFault(Vector.divideError);
		return change(parts, ({ax, flags}) => {
			const low = (ax & 0xff) % base;
			return {ax: (Math.floor((ax & 0xff) / base) << 8) | low, flags: (flags & ~all) | resultFlags(low)};
		});
	},
	aad: (parts: Parts, instruction: Instruction): After => {
		const base = byteOf(parts, instruction);
		return change(parts, ({ax, flags}) => {
			const value = ((ax & 0xff) + (ax >> 8) * base) & 0xff;
			return {ax: value, flags: (flags & ~all) | resultFlags(value)};
		});
	},
	/** SALC, which all processors have: AL becomes the sign of CF (APM volume 3 and SDM leave it out). */
	salc: (parts: Parts): After =>
		change(parts, ({ax, flags}) => ({ax: (ax & 0xff00) | ((flags & Status.CF) !== 0 ? 0xff : 0), flags})),
};
