/** Results that the manual leaves undefined (SDM volume 2; AMD's APM volume 3 defines no more, except where a function says so). */
import {Rflags} from './processor-state.ts';

const {CF, PF, AF, ZF, SF, OF} = Rflags;
/** All flags that arithmetic sets. */
export const statusFlags = CF | PF | AF | ZF | SF | OF;

/** A case, as far as what is undefined depends on it. */
export interface Facts {
	/** Of the operand that ModRM.rm names, in bits. */
	readonly width: number;
	/** Of a shift or rotation, as the processor takes it: its low five bits, or six. */
	readonly count: number;
	/** Is the operand that ModRM.rm names zero? */
	readonly isSourceZero: boolean;
}

export interface Undefined {
	/** Bits of RFLAGS. */
	readonly flags: number;
	/** The operand, `G` or `E`, whose value is undefined too. */
	readonly destination?: 'G' | 'E';
}

/** SHL, SHR: the last bit that went out is defined as long as there are bits; SAR has sign bits without end. */
const shift =
	(hasEnd: boolean) =>
	({width, count}: Facts): Undefined => {
		if (count === 0) return {flags: 0};
		return {flags: AF | (count === 1 ? 0 : OF) | (hasEnd && count >= width ? CF : 0)};
	};

export const undefinedAfter = {
	logic: AF,
	/** MUL, IMUL. */
	multiply: SF | ZF | AF | PF,
	divide: statusFlags,
	bitTest: OF | SF | AF | PF,
	countZeros: OF | SF | AF | PF,
	/** BSF, BSR. The APM says that the destination stays; processors of both makers do so. */
	bitScan: ({isSourceZero}: Facts): Undefined => ({
		flags: CF | OF | SF | AF | PF,
		...(isSourceZero && {destination: 'G'}),
	}),
	shift: shift(true),
	shiftArithmetic: shift(false),
	rotate: ({count}: Facts): Undefined => ({flags: count > 1 ? OF : 0}),
	/** SHLD, SHRD. */
	shiftDouble: ({width, count}: Facts): Undefined => {
		if (count > width) return {flags: statusFlags, destination: 'E'};
		return {flags: count === 0 ? 0 : AF | (count === 1 ? 0 : OF)};
	},
} as const;
