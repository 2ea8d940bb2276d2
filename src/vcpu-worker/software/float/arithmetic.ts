import {type Format, indefiniteOf, infinityOf, quieted, signOf, type Unpacked} from './format.ts';
import {type Environment, Exception, lengthOf, type Result, Rounding, roundTo} from './rounding.ts';

/** An operation on two numbers of a format. */
export type Binary = (a: Unpacked, b: Unpacked, format: Format, environment: Environment) => Result;

const infinite = (isNegative: boolean, format: Format): bigint =>
	(isNegative ? signOf(format) : 0n) | infinityOf(format);
export const invalid = (format: Format): Result => ({bits: indefiniteOf(format), flags: Exception.invalid});
const isZero = ({kind, significand}: Unpacked): boolean => kind === 'finite' && significand === 0n;
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

const sum: Binary = (a, b, format, environment) => {
	if (a.kind === 'infinity' && b.kind === 'infinity' && a.isNegative !== b.isNegative) return invalid(format);
	if (a.kind === 'infinity') return {bits: infinite(a.isNegative, format), flags: 0};
	if (b.kind === 'infinity') return {bits: infinite(b.isNegative, format), flags: 0};
	const exponent = Math.min(a.exponent, b.exponent);
	const aligned = (value: Unpacked): bigint => {
		const magnitude = value.significand << BigInt(value.exponent - exponent);
		return value.isNegative ? -magnitude : magnitude;
	};
	const total = aligned(a) + aligned(b);
	// A zero of opposite numbers is negative when rounding down, one of two zeros has the sign that they share.
	const zeroSign =
		isZero(a) && isZero(b) && a.isNegative === b.isNegative ? a.isNegative : environment.rounding === Rounding.down;
	const isNegative = total === 0n ? zeroSign : total < 0n;
	return roundTo(format, isNegative, total < 0n ? -total : total, exponent, environment);
};

const product: Binary = (a, b, format, environment) => {
	const isNegative = a.isNegative !== b.isNegative;
	if (a.kind === 'infinity' || b.kind === 'infinity')
		return isZero(a) || isZero(b) ? invalid(format) : {bits: infinite(isNegative, format), flags: 0};
	return roundTo(format, isNegative, a.significand * b.significand, a.exponent + b.exponent, environment);
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

const negated = (value: Unpacked): Unpacked => ({...value, isNegative: !value.isNegative});

export const add: Binary = withNans(sum);
export const subtract: Binary = withNans((a, b, format, environment) => sum(a, negated(b), format, environment));
export const multiply: Binary = withNans(product);
export const divide: Binary = withNans(quotient);

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
