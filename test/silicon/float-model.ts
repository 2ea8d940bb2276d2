/**
 * Floating point as IEEE 754 and the manual have it (SDM volume 1, chapter 4 and 11.5), in exact arithmetic on big integers: what
 * the oracle itself is tested with. All exceptions are masked.
 */

export interface Format {
	/** Bits of the significand, with the one that is not written. */
	readonly precision: number;
	/** The largest exponent, which is also the bias. */
	readonly largest: number;
}
export const single: Format = {precision: 24, largest: 127};
export const double: Format = {precision: 53, largest: 1023};

/** Flags of exceptions, the same bits in MXCSR and the x87 status word. */
export const Flag = {I: 1, D: 2, Z: 4, O: 8, U: 0x10, P: 0x20} as const;

export interface Control {
	/** To nearest, down, up, toward zero. */
	readonly rounding: number;
	readonly flushesToZero: boolean;
	readonly treatsDenormalsAsZero: boolean;
}

interface Nan {
	readonly kind: 'nan';
	readonly isQuiet: boolean;
	readonly bits: bigint;
}
interface Infinite {
	readonly kind: 'infinity';
	readonly isNegative: boolean;
}
/** `significand` times two to the `exponent`. */
interface Finite {
	readonly kind: 'finite';
	readonly isNegative: boolean;
	readonly significand: bigint;
	readonly exponent: number;
	readonly isDenormal: boolean;
}
type Real = Infinite | Finite;
export type Value = Nan | Real;
export interface Answer {
	readonly bits: bigint;
	readonly flags: number;
	/** Rounding made it larger, away from zero. */
	readonly isUp?: boolean;
}

const widthOf = ({precision, largest}: Format): number => precision + bitLength(BigInt(largest) + 1n);
const signOf = (format: Format): bigint => 1n << BigInt(widthOf(format) - 1);
const fractionBits = ({precision}: Format): bigint => BigInt(precision - 1);
const quietBit = (format: Format): bigint => 1n << (fractionBits(format) - 1n);
const infinity = (format: Format): bigint => BigInt(2 * format.largest + 1) << fractionBits(format);
const indefinite = (format: Format): bigint => signOf(format) | infinity(format) | quietBit(format);
const bitLength = (value: bigint): number => (value === 0n ? 0 : value.toString(2).length);

export function decode(bits: bigint, format: Format, control: Control): Value {
	const isNegative = (bits & signOf(format)) !== 0n;
	const field = Number((bits & ~signOf(format)) >> fractionBits(format));
	const fraction = bits & ((1n << fractionBits(format)) - 1n);
	if (field === 2 * format.largest + 1) {
		if (fraction === 0n) return {kind: 'infinity', isNegative};
		return {kind: 'nan', isQuiet: (bits & quietBit(format)) !== 0n, bits};
	}
	const isSmall = field === 0;
	const exponent = Math.max(field, 1) - format.largest - (format.precision - 1);
	if (isSmall && control.treatsDenormalsAsZero)
		return {kind: 'finite', isNegative, significand: 0n, exponent, isDenormal: false};
	const significand = fraction | (isSmall ? 0n : 1n << fractionBits(format));
	return {kind: 'finite', isNegative, significand, exponent, isDenormal: isSmall && fraction !== 0n};
}

/** Drops the bits of a significand below `exponent`, to the nearest or as the control says; `isMore` tells of bits below it. */
function cut(sign: boolean, significand: bigint, drop: number, isMore: boolean, {rounding}: Control) {
	if (drop <= 0) return {kept: significand << BigInt(-drop), isInexact: isMore, isUp: false};
	const kept = significand >> BigInt(drop);
	const rest = significand - (kept << BigInt(drop));
	const half = 1n << BigInt(drop - 1);
	const isInexact = rest !== 0n || isMore;
	const isAbove = rest > half || (rest === half && isMore);
	const isTie = rest === half && !isMore;
	const goesUp = [isAbove || (isTie && (kept & 1n) === 1n), sign, !sign, false][rounding] === true;
	const isUp = goesUp && isInexact;
	return {kept: kept + (isUp ? 1n : 0n), isInexact, isUp};
}

/** The number of a format for a value; `isMore` says that it is a little larger than its significand. */
function rounded(
	sign: boolean,
	significand: bigint,
	exponent: number,
	format: Format,
	control: Control,
	isMore = false,
): Answer {
	const signBits = sign ? signOf(format) : 0n;
	if (significand === 0n) return {bits: signBits, flags: 0};
	const {precision, largest} = format;
	const smallest = 1 - largest;
	const free = bitLength(significand) - precision;
	// Tiny is what would be below the smallest normal number after rounding without a limit to the exponent.
	const unlimited = cut(sign, significand, free, isMore, control);
	const top = exponent + free + bitLength(unlimited.kept) - 1;
	const isTiny = top < smallest;
	if (isTiny && control.flushesToZero) return {bits: signBits, flags: Flag.U | Flag.P};
	const lowest = smallest - (precision - 1);
	const {kept, isInexact, isUp} = cut(sign, significand, Math.max(free, lowest - exponent), isMore, control);
	if (top > largest) {
		const isInfinite = [true, sign, !sign, false][control.rounding] === true;
		return {bits: signBits | (infinity(format) - (isInfinite ? 0n : 1n)), flags: Flag.O | Flag.P, isUp: isInfinite};
	}
	const flags = (isInexact ? Flag.P : 0) | (isTiny && isInexact ? Flag.U : 0);
	// A significand that became one bit longer carries into the exponent; the first bit of a normal one adds one to it.
	const unit = Math.max(exponent + free, lowest);
	return {bits: signBits | ((BigInt(unit - lowest) << fractionBits(format)) + kept), flags, isUp};
}

const quiet = (value: Nan, format: Format): bigint => value.bits | quietBit(format);
const isNan = (value: Value): value is Nan => value.kind === 'nan';
const signals = (value: Value): boolean => isNan(value) && !value.isQuiet;
const isDenormal = (value: Value): boolean => value.kind === 'finite' && value.isDenormal;
const isZero = (value: Value): boolean => value.kind === 'finite' && value.significand === 0n;
const denormalFlag = (...values: readonly Value[]): number => (values.some(isDenormal) ? Flag.D : 0);

type Binary = (a: Value, b: Value, format: Format, control: Control) => Answer;

/** An operation that gives the first NaN among its operands, quiet, and is for numbers otherwise. */
const onReals =
	(operation: (a: Real, b: Real, format: Format, control: Control) => Answer): Binary =>
	(a, b, format, control) => {
		if (!isNan(a) && !isNan(b)) return operation(a, b, format, control);
		const bits = quiet(isNan(a) ? a : (b as Nan), format);
		return {bits, flags: signals(a) || signals(b) ? Flag.I : 0};
	};

const infinite = (isNegative: boolean, format: Format): Answer => ({
	bits: infinity(format) | (isNegative ? signOf(format) : 0n),
	flags: 0,
});
const invalid = (format: Format): Answer => ({bits: indefinite(format), flags: Flag.I});

function add(a: Real, b: Real, format: Format, control: Control): Answer {
	const flags = denormalFlag(a, b);
	if (a.kind === 'infinity' || b.kind === 'infinity') {
		if (a.kind === b.kind && a.isNegative !== b.isNegative) return invalid(format);
		const {bits} = infinite(a.kind === 'infinity' ? a.isNegative : b.isNegative, format);
		return {bits, flags};
	}
	const exponent = Math.min(a.exponent, b.exponent);
	const scaled = ({isNegative, significand, exponent: own}: Finite): bigint =>
		(isNegative ? -significand : significand) << BigInt(own - exponent);
	const sum = scaled(a) + scaled(b);
	// An exact zero is positive, except when rounding down; of two zeros with the same sign it is theirs.
	const isSignShared = a.isNegative === b.isNegative && isZero(a) && isZero(b);
	const sign = sum === 0n ? (isSignShared ? a.isNegative : control.rounding === 1) : sum < 0n;
	const answer = rounded(sign, sum < 0n ? -sum : sum, exponent, format, control);
	return {...answer, flags: answer.flags | flags};
}

function multiply(a: Real, b: Real, format: Format, control: Control): Answer {
	const sign = a.isNegative !== b.isNegative;
	const flags = denormalFlag(a, b);
	if (a.kind === 'infinity' || b.kind === 'infinity') {
		if (isZero(a) || isZero(b)) return invalid(format);
		return {...infinite(sign, format), flags};
	}
	const answer = rounded(sign, a.significand * b.significand, a.exponent + b.exponent, format, control);
	return {...answer, flags: answer.flags | flags};
}

/** More bits than any quotient or root needs to be rounded. */
const spare = 140n;

function divide(a: Real, b: Real, format: Format, control: Control): Answer {
	const sign = a.isNegative !== b.isNegative;
	const flags = denormalFlag(a, b);
	if (a.kind === 'infinity') return b.kind === 'infinity' ? invalid(format) : {...infinite(sign, format), flags};
	if (b.kind === 'infinity') return {bits: sign ? signOf(format) : 0n, flags};
	// A division by zero is found before a denormal, and both are not told of.
	if (isZero(b)) return isZero(a) ? invalid(format) : {...infinite(sign, format), flags: Flag.Z};
	const scaled = a.significand << spare;
	const quotient = scaled / b.significand;
	const isMore = quotient * b.significand !== scaled;
	const answer = rounded(sign, quotient, a.exponent - b.exponent - Number(spare), format, control, isMore);
	return {...answer, flags: answer.flags | flags};
}

export function squareRoot(a: Value, format: Format, control: Control): Answer {
	if (isNan(a)) return {bits: quiet(a, format), flags: signals(a) ? Flag.I : 0};
	if (isZero(a)) return {bits: a.isNegative ? signOf(format) : 0n, flags: 0};
	if (a.isNegative) return invalid(format);
	if (a.kind === 'infinity') return infinite(false, format);
	const odd = BigInt(a.exponent & 1);
	const scaled = a.significand << (2n * spare + odd);
	const root = integerRoot(scaled);
	const exponent = (a.exponent - Number(odd)) / 2 - Number(spare);
	const answer = rounded(false, root, exponent, format, control, root * root !== scaled);
	return {...answer, flags: answer.flags | denormalFlag(a)};
}

/** The largest integer whose square is not larger, by Newton's method from above. */
function integerRoot(value: bigint): bigint {
	let root = 1n << BigInt((bitLength(value) + 1) >> 1);
	for (;;) {
		const next = (root + value / root) >> 1n;
		if (next >= root) return root;
		root = next;
	}
}

export type Order = 'less' | 'equal' | 'greater' | 'unordered';

/** Tells which is larger, and the flags of a comparison that refuses all NaNs, or those that signal. */
export function compare(a: Value, b: Value, refusesQuiet: boolean): {readonly order: Order; readonly flags: number} {
	if (isNan(a) || isNan(b)) {
		const isInvalid = refusesQuiet || signals(a) || signals(b);
		return {order: 'unordered', flags: isInvalid ? Flag.I : 0};
	}
	const flags = denormalFlag(a, b);
	const rank = (value: Real): number => (value.kind === 'infinity' ? (value.isNegative ? -1 : 1) : 0);
	let difference = rank(a) - rank(b);
	if (a.kind === 'finite' && b.kind === 'finite') {
		const exponent = Math.min(a.exponent, b.exponent);
		const scaled = ({isNegative, significand, exponent: own}: Finite): bigint =>
			(isNegative ? -significand : significand) << BigInt(own - exponent);
		const [one, other] = [scaled(a), scaled(b)];
		difference = one < other ? -1 : one > other ? 1 : 0;
	}
	return {order: difference < 0 ? 'less' : difference > 0 ? 'greater' : 'equal', flags};
}

/** An integer of a number of bits; the smallest one where the value is none of them. */
export function toInteger(a: Value, bits: number, control: Control): Answer {
	const none = {bits: 1n << BigInt(bits - 1), flags: Flag.I};
	if (a.kind !== 'finite') return none;
	const {kept, isInexact, isUp} = cut(a.isNegative, a.significand, -a.exponent, false, control);
	const value = a.isNegative ? -kept : kept;
	if (BigInt.asIntN(bits, value) !== value) return none;
	return {bits: BigInt.asUintN(bits, value), flags: isInexact ? Flag.P : 0, isUp};
}

/** An integer in the same format, with the sign of what it is from. */
export function toIntegral(a: Value, format: Format, control: Control): Answer {
	if (isNan(a)) return {bits: quiet(a, format), flags: signals(a) ? Flag.I : 0};
	if (a.kind === 'infinity') return infinite(a.isNegative, format);
	const {kept, isInexact} = cut(a.isNegative, a.significand, -a.exponent, false, control);
	return {bits: rounded(a.isNegative, kept, 0, format, control).bits, flags: isInexact ? Flag.P : 0};
}

export function fromInteger(value: bigint, format: Format, control: Control): Answer {
	return rounded(value < 0n, value < 0n ? -value : value, 0, format, control);
}

export function convert(a: Value, from: Format, to: Format, control: Control): Answer {
	if (isNan(a)) {
		// The fraction keeps its highest bits.
		const shift = BigInt(to.precision - from.precision);
		const fraction = quiet(a, from) & ((1n << fractionBits(from)) - 1n);
		const moved = shift < 0n ? fraction >> -shift : fraction << shift;
		const sign = (a.bits & signOf(from)) === 0n ? 0n : signOf(to);
		return {bits: sign | infinity(to) | moved, flags: a.isQuiet ? 0 : Flag.I};
	}
	if (a.kind === 'infinity') return infinite(a.isNegative, to);
	const answer = rounded(a.isNegative, a.significand, a.exponent, to, control);
	return {...answer, flags: answer.flags | denormalFlag(a)};
}

export const binary = {
	add: onReals(add),
	sub: onReals((a, b, format, control) => add(a, {...b, isNegative: !b.isNegative}, format, control)),
	mul: onReals(multiply),
	div: onReals(divide),
} as const satisfies Readonly<Record<string, Binary>>;
