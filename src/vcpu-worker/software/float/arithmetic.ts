import {type Format, indefiniteOf, infinityOf, quieted, signOf, type Unpacked} from './format.ts';
import {type Environment, Exception, lengthOf, type Result, Rounding, roundTo} from './rounding.ts';

/** An operation on two numbers of a format. */
export type Binary = (a: Unpacked, b: Unpacked, format: Format, environment: Environment) => Result;

/** What of a number sums go by. */
type Summand = Pick<Unpacked, 'kind' | 'isNegative' | 'significand' | 'exponent'>;

const infinite = (isNegative: boolean, format: Format): bigint =>
	(isNegative ? signOf(format) : 0n) | infinityOf(format);
export const invalid = (format: Format): Result => ({bits: indefiniteOf(format), flags: Exception.invalid});
const isZero = ({kind, significand}: Summand): boolean => kind === 'finite' && significand === 0n;
export const denormalFlag = (...values: readonly Unpacked[]): number =>
	values.some(({isDenormal}) => isDenormal) ? Exception.denormal : 0;

/** The first NaN of operands, quiet (SDM volume 1, table 4-7). */
export function nanOf(values: readonly Unpacked[], format: Format): Result | undefined {
	const nan = values.find(({kind}) => kind === 'nan');
	if (nan === undefined) return undefined;
	const signals = values.some(({isSignaling}) => isSignaling);
	return {bits: quieted(nan.bits, format), flags: signals ? Exception.invalid : 0};
}

/** Completes an operation on numbers by what NaNs give, and by the flag of denormals. */
const withNans =
	(operation: Binary): Binary =>
	(a, b, format, environment) => {
		const nan = nanOf([a, b], format);
		if (nan !== undefined) return nan;
		const {bits, flags} = operation(a, b, format, environment);
		// Invalid operations and divisions by zero are found before denormals.
		const isFoundBefore = (flags & (Exception.invalid | Exception.divideByZero)) !== 0;
		return {bits, flags: isFoundBefore ? flags : flags | denormalFlag(a, b)};
	};

function sum(a: Summand, b: Summand, format: Format, environment: Environment): Result {
	if (a.kind === 'infinity' && b.kind === 'infinity' && a.isNegative !== b.isNegative) return invalid(format);
	if (a.kind === 'infinity') return {bits: infinite(a.isNegative, format), flags: 0};
	if (b.kind === 'infinity') return {bits: infinite(b.isNegative, format), flags: 0};
	const exponent = Math.min(a.exponent, b.exponent);
	const aligned = (value: Summand): bigint => {
		const magnitude = value.significand << BigInt(value.exponent - exponent);
		return value.isNegative ? -magnitude : magnitude;
	};
	const total = aligned(a) + aligned(b);
	// A zero of opposite numbers is negative when rounding down, one of two zeros has the sign that they share.
	const zeroSign =
		isZero(a) && isZero(b) && a.isNegative === b.isNegative ? a.isNegative : environment.rounding === Rounding.down;
	const isNegative = total === 0n ? zeroSign : total < 0n;
	return roundTo(format, isNegative, total < 0n ? -total : total, exponent, environment);
}

/** The product as it is before it is rounded; undefined: there is none. */
function wholeProduct(a: Unpacked, b: Unpacked): Summand | undefined {
	const isInfinite = a.kind === 'infinity' || b.kind === 'infinity';
	if (isInfinite && (isZero(a) || isZero(b))) return undefined;
	return {
		kind: isInfinite ? 'infinity' : 'finite',
		isNegative: a.isNegative !== b.isNegative,
		significand: a.significand * b.significand,
		exponent: a.exponent + b.exponent,
	};
}

const product: Binary = (a, b, format, environment) => {
	const whole = wholeProduct(a, b);
	if (whole === undefined) return invalid(format);
	const {kind, isNegative, significand, exponent} = whole;
	if (kind === 'infinity') return {bits: infinite(isNegative, format), flags: 0};
	return roundTo(format, isNegative, significand, exponent, environment);
};

const quotient: Binary = (a, b, format, environment) => {
	const isNegative = a.isNegative !== b.isNegative;
	if (a.kind === 'infinity')
		return b.kind === 'infinity' ? invalid(format) : {bits: infinite(isNegative, format), flags: 0};
	if (b.kind === 'infinity') return roundTo(format, isNegative, 0n, 0, environment);
	if (isZero(b))
		return isZero(a) ? invalid(format) : {bits: infinite(isNegative, format), flags: Exception.divideByZero};
	// Two bits more than are kept, and one that stands for all behind them.
	const more = Math.max(format.precision + 2 + lengthOf(b.significand) - lengthOf(a.significand), 0);
	const dividend = a.significand << BigInt(more);
	const whole = dividend / b.significand;
	const rest = dividend % b.significand === 0n ? 0n : 1n;
	return roundTo(format, isNegative, (whole << 1n) | rest, a.exponent - b.exponent - more - 1, environment);
};

const negated = <T extends Summand>(value: T): T => ({...value, isNegative: !value.isNegative});

export const add: Binary = withNans(sum);
export const subtract: Binary = withNans((a, b, format, environment) => sum(a, negated(b), format, environment));
export const multiply: Binary = withNans(product);
export const divide: Binary = withNans(quotient);

/** Signs that a fused operation changes. */
export interface Signs {
	readonly negatesProduct: boolean;
	readonly negatesAddend: boolean;
}

/** A product and a sum that are rounded once (SDM volume 1, 14.5.2). */
export function multiplyAdd(
	[x, y, z]: readonly [multiplicand: Unpacked, multiplier: Unpacked, addend: Unpacked],
	{negatesProduct, negatesAddend}: Signs,
	format: Format,
	environment: Environment,
): Result {
	const nan = nanOf([x, y, z], format);
	if (nan !== undefined) return nan;
	const whole = wholeProduct(x, y);
	if (whole === undefined) return invalid(format);
	const signed = negatesProduct ? negated(whole) : whole;
	const {bits, flags} = sum(signed, negatesAddend ? negated(z) : z, format, environment);
	return {bits, flags: (flags & Exception.invalid) === 0 ? flags | denormalFlag(x, y, z) : flags};
}

export function squareRoot(value: Unpacked, format: Format, environment: Environment): Result {
	const nan = nanOf([value], format);
	if (nan !== undefined) return nan;
	if (isZero(value)) return roundTo(format, value.isNegative, 0n, 0, environment);
	if (value.isNegative) return invalid(format);
	if (value.kind === 'infinity') return {bits: infinite(false, format), flags: 0};
	// Twice as many bits as the root has, and an even exponent.
	let more = 2 * (format.precision + 2);
	if ((value.exponent - more) % 2 !== 0) more++;
	const square = value.significand << BigInt(more);
	const root = rootOf(square);
	const rest = root * root === square ? 0n : 1n;
	const {bits, flags} = roundTo(format, false, (root << 1n) | rest, (value.exponent - more) / 2 - 1, environment);
	return {bits, flags: flags | denormalFlag(value)};
}

/** The largest integer whose square is not larger. */
export function rootOf(square: bigint): bigint {
	// Newton's method goes down from above.
	let root = 1n << BigInt((lengthOf(square) + 1) >> 1);
	for (;;) {
		const next = (root + square / root) >> 1n;
		if (next >= root) return root;
		root = next;
	}
}
