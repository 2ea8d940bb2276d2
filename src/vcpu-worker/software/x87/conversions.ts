import {Exception, lengthOf, Rounding} from '#vcpu-worker/software/float';
import {type Extended, finite, integerBit, Kind, type Operand, quietBit} from './extended.ts';
import {type Context, type Format, roundTo, roundToInteger, sized} from './rounding.ts';

/** A format in memory that has no integer bit (Intel SDM volume 1, table 4-3). */
export interface MemoryFormat extends Format {
	readonly bits: number;
}

export const single: MemoryFormat = {bits: 32, ...sized(24), least: -126, most: 127};
export const double: MemoryFormat = {bits: 64, ...sized(53), least: -1022, most: 1023};

/** Reads a number of such a format. */
export function ofMemory({bits, precision, most}: MemoryFormat, value: bigint): Operand {
	const isNegative = value >> BigInt(bits - 1) !== 0n;
	const field = Number((value >> BigInt(precision - 1)) & BigInt(2 * most + 1));
	const fraction = BigInt.asUintN(precision - 1, value);
	if (field === 0) {
		if (fraction !== 0n) return finite(isNegative, 2 - most - precision, fraction, true);
		return {kind: Kind.zero, isNegative, exponent: 0, significand: 0n, isDenormal: false};
	}
	const significand = (fraction << BigInt(64 - precision)) | integerBit;
	if (field <= 2 * most) {
		const exponent = field - most - 63;
		return {kind: Kind.finite, isNegative, exponent, significand, isDenormal: false};
	}
	const kind = fraction === 0n ? Kind.infinity : (significand & quietBit) === 0n ? Kind.signalling : Kind.quiet;
	return {kind, isNegative, exponent: 0, significand, isDenormal: false};
}

/** Converts a number to such a format. */
export function toMemory(context: Context, format: MemoryFormat, a: Operand): bigint {
	const {precision, most, least} = format;
	const fieldOfOnes = 2 * most + 1;
	if (a.kind === Kind.zero) return encode(format, a.isNegative, 0, 0n);
	if (a.kind === Kind.infinity) return encode(format, a.isNegative, fieldOfOnes, 0n);
	if (a.kind === Kind.unsupported) {
		context.flags |= Exception.invalid;
		return encode(format, true, fieldOfOnes, 1n << BigInt(precision - 2));
	}
	if (a.kind !== Kind.finite) {
		if (a.kind === Kind.signalling) context.flags |= Exception.invalid;
		return encode(format, a.isNegative, fieldOfOnes, (a.significand | quietBit) >> BigInt(64 - precision));
	}
	const {significand, exponent, isInfinite} = roundTo(context, format, a.isNegative, a.exponent, a.significand, false);
	if (isInfinite) return encode(format, a.isNegative, fieldOfOnes, 0n);
	const isNormal = significand >= format.limit >> 1n;
	return encode(format, a.isNegative, isNormal ? exponent + precision - least : 0, significand);
}

/** The parts of a number as its bits; of the fraction those that there is room for. */
function encode({bits, precision}: MemoryFormat, isNegative: boolean, field: number, fraction: bigint): bigint {
	const sign = isNegative ? 1 << (bits - precision) : 0;
	return (BigInt(sign | field) << BigInt(precision - 1)) | BigInt.asUintN(precision - 1, fraction);
}

/** Reads an integer with its sign. */
export function ofInteger(value: bigint): Operand {
	if (value === 0n) return {kind: Kind.zero, isNegative: false, exponent: 0, significand: 0n, isDenormal: false};
	return finite(value < 0n, 0, value < 0n ? -value : value);
}

/** The least and the largest integer of a kind. */
export interface Limits {
	readonly least: bigint;
	readonly most: bigint;
}

/** Converts a number to an integer within limits; undefined where it does not, which is invalid. */
export function toInteger(context: Context, a: Operand, {least, most}: Limits): bigint | undefined {
	if (a.kind === Kind.zero) return 0n;
	const isHuge = a.kind === Kind.finite && a.exponent + 64 > 80;
	if (a.kind === Kind.finite && !isHuge) {
		const {flags} = context;
		const value = integral(context, a);
		if (value >= least && value <= most) return value;
		context.flags = flags;
		context.isUp = false;
	}
	context.flags |= Exception.invalid;
	return undefined;
}

/** Rounds a finite number to an integer. */
export function integral(context: Context, {isNegative, exponent, significand}: Operand): bigint {
	// What lies far below one half only counts as something.
	const isSmall = -exponent > 70;
	const value = isSmall
		? roundToInteger(context, isNegative, 1n, 2)
		: roundToInteger(context, isNegative, significand, -exponent);
	return isNegative ? -value : value;
}

/** Digits of a packed decimal number (SDM volume 1, 4.7). */
const digits = 18;
const mostDecimal = 10n ** BigInt(digits) - 1n;
export const decimalLimits: Limits = {least: -mostDecimal, most: mostDecimal};
/** What an invalid operation stores as one. */
export const decimalIndefinite = 0xffff_c000_0000_0000_0000n;

/** Reads a packed decimal number of 80 bits. */
export function ofDecimal(value: bigint): Operand {
	let whole = 0n;
	for (let digit = digits - 1; digit >= 0; digit--) whole = whole * 10n + ((value >> BigInt(4 * digit)) & 15n);
	const isNegative = value >> 79n !== 0n;
	return {...ofInteger(whole), isNegative};
}

export function toDecimal(value: bigint, isNegative: boolean): bigint {
	let rest = value < 0n ? -value : value;
	let packed = 0n;
	for (let digit = 0; digit < digits; digit++) {
		packed |= (rest % 10n) << BigInt(4 * digit);
		rest /= 10n;
	}
	return packed | ((isNegative ? 1n : 0n) << 79n);
}

/** Rounds to an integer of 80 bits. */
export function roundedToIntegral(context: Context, a: Operand): Extended | undefined {
	if (a.exponent >= 0) return undefined;
	const value = integral(context, a);
	const size = value < 0n ? -value : value;
	if (size === 0n) return {signExponent: a.isNegative ? 0x8000 : 0, significand: 0n};
	const length = lengthOf(size);
	return {
		signExponent: (a.isNegative ? 0x8000 : 0) | (length - 1 + 0x3fff),
		significand: size << BigInt(64 - length),
	};
}

/** A number without its fraction. */
export function truncated(context: Context, a: Operand, limits: Limits): bigint | undefined {
	const {rounding} = context;
	context.rounding = Rounding.towardZero;
	const value = toInteger(context, a, limits);
	context.rounding = rounding;
	return value;
}
