import {lengthOf} from '#vcpu-worker/software/float';

/** A number of the x87 as its 80 bits (Intel SDM volume 1, 4.2.2 and 8.2). */
export interface Extended {
	/** Sign in bit 15, exponent below. */
	readonly signExponent: number;
	/** With its integer bit. */
	readonly significand: bigint;
}

/** What an encoding stands for; those from `quiet` on are no numbers. */
export const Kind = {
	zero: 0,
	finite: 1,
	infinity: 2,
	quiet: 3,
	signalling: 4,
	/** An encoding that processors since the 80387 do not support. */
	unsupported: 5,
} as const;

/** An operand: a finite one is `significand` times two to the power of `exponent`, with 64 bits whose highest is set. */
export interface Operand {
	readonly kind: (typeof Kind)[keyof typeof Kind];
	readonly isNegative: boolean;
	readonly exponent: number;
	readonly significand: bigint;
	readonly isDenormal: boolean;
}

export const integerBit = 1n << 63n;
export const quietBit = 1n << 62n;
export const signBit = 0x8000;
/** Exponent of ones. */
export const exponentMask = 0x7fff;
export const bias = 0x3fff;
/** Between the exponent of a number and that of its significand's last bit. */
const fractionBits = 63;

/** The NaN that a masked invalid operation gives. */
export const indefinite: Extended = {signExponent: 0xffff, significand: integerBit | quietBit};
export const zero = (isNegative: boolean): Extended => ({signExponent: isNegative ? signBit : 0, significand: 0n});
export const infinity = (isNegative: boolean): Extended => ({
	signExponent: exponentMask | (isNegative ? signBit : 0),
	significand: integerBit,
});

/** A finite number that is not 0, of a significand with up to 64 bits. */
export function finite(isNegative: boolean, exponent: number, significand: bigint, isDenormal = false): Operand {
	const missing = 64 - lengthOf(significand);
	const normal = missing === 0 ? significand : significand << BigInt(missing);
	return {kind: Kind.finite, isNegative, exponent: exponent - missing, significand: normal, isDenormal};
}

/** Tells what 80 bits stand for. */
export function operandOf(signExponent: number, significand: bigint): Operand {
	const isNegative = signExponent >= signBit;
	const field = signExponent & exponentMask;
	const hasInteger = significand >= integerBit;
	if (field === 0) {
		if (significand === 0n) return {kind: Kind.zero, isNegative, exponent: 0, significand, isDenormal: false};
		return finite(isNegative, 1 - bias - fractionBits, significand, true);
	}
	const exponent = field - bias - fractionBits;
	const kind = hasInteger ? (field === exponentMask ? kindOfOnes(significand) : Kind.finite) : Kind.unsupported;
	return {kind, isNegative, exponent, significand, isDenormal: false};
}

/** What an exponent of ones stands for. */
function kindOfOnes(significand: bigint): Operand['kind'] {
	if (significand === integerBit) return Kind.infinity;
	return (significand & quietBit) === 0n ? Kind.signalling : Kind.quiet;
}

/** The 80 bits of an operand that is not denormal, or was so in a smaller format only. */
export function extendedOf({kind, isNegative, exponent, significand}: Operand): Extended {
	if (kind === Kind.zero) return zero(isNegative);
	const field = kind === Kind.finite ? exponent + bias + fractionBits : exponentMask;
	return {signExponent: field | (isNegative ? signBit : 0), significand};
}
