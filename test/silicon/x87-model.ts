/** Numbers of 80 bits, and NaNs as x87 chooses among them (SDM volume 1, 4.2.2, 4.8.3.5 and 8.3.9.1), on the arithmetic of `float-model.ts`. */
import {type Answer, binary, type Control, Flag, type Format, squareRoot, type Value} from './float-model.ts';

export interface Extended {
	readonly significand: bigint;
	readonly signExponent: number;
}
export interface X87Answer {
	readonly value: Extended;
	readonly flags: number;
	/** C1. */
	readonly isUp: boolean;
}

const largest = 0x3fff;
/** By the precision control of FCW; with fewer bits the exponents are the same. */
export const formats: readonly (Format | undefined)[] = [24, undefined, 53, 64].map((precision) =>
	precision === undefined ? undefined : {precision, largest},
);
const integerBit = 1n << 63n;
const quietBit = 1n << 62n;
const indefinite: Extended = {significand: integerBit | quietBit, signExponent: 0xffff};

/** undefined where the processor does not support the encoding. */
export function decodeExtended({significand, signExponent}: Extended): Value | undefined {
	const isNegative = signExponent >> 15 === 1;
	const field = signExponent & 0x7fff;
	const fraction = significand & ~integerBit;
	const hasInteger = (significand & integerBit) !== 0n;
	if (field !== 0 && !hasInteger) return undefined;
	if (field === 0x7fff) {
		if (fraction === 0n) return {kind: 'infinity', isNegative};
		return {kind: 'nan', isQuiet: (fraction & quietBit) !== 0n, bits: significand};
	}
	const exponent = Math.max(field, 1) - largest - 63;
	return {kind: 'finite', isNegative, significand, exponent, isDenormal: field === 0 && significand !== 0n};
}

/** From the encoding of a format without an integer bit. */
function widened({bits, flags, isUp = false}: Answer, {precision}: Format): X87Answer {
	const field = Number((bits >> BigInt(precision - 1)) & 0x7fffn);
	const fraction = BigInt.asUintN(precision - 1, bits) << BigInt(64 - precision);
	const sign = Number(bits >> BigInt(precision + 14)) << 15;
	return {value: {significand: fraction | (field === 0 ? 0n : integerBit), signExponent: sign | field}, flags, isUp};
}

/** Of two NaNs the quiet one, or the one with the larger significand, or the positive one. */
function chosenNan(operands: readonly Extended[]): X87Answer | undefined {
	const nans = operands.filter((operand) => decodeExtended(operand)?.kind === 'nan');
	if (nans.length === 0) return undefined;
	const isQuiet = ({significand}: Extended): boolean => (significand & quietBit) !== 0n;
	const candidates = nans.some(isQuiet) ? nans.filter(isQuiet) : nans;
	const [first, second = first] = candidates as [Extended, Extended?];
	const [a, b] = [first.significand | quietBit, second.significand | quietBit];
	const isFirst = a > b || (a === b && first.signExponent >> 15 === 0);
	const {significand, signExponent} = isFirst ? first : second;
	const flags = nans.every(isQuiet) ? 0 : Flag.I;
	return {value: {significand: significand | quietBit, signExponent}, flags, isUp: false};
}

function calculated(
	operands: readonly Extended[],
	format: Format,
	operation: (values: readonly Value[]) => Answer,
): X87Answer {
	const values = operands.map(decodeExtended);
	if (values.includes(undefined)) return {value: indefinite, flags: Flag.I, isUp: false};
	return chosenNan(operands) ?? widened(operation(values as Value[]), format);
}

export const x87Binary = (
	name: keyof typeof binary,
	a: Extended,
	b: Extended,
	format: Format,
	control: Control,
): X87Answer =>
	calculated([a, b], format, ([one, other]) => binary[name](one as Value, other as Value, format, control));

export const x87Root = (a: Extended, format: Format, control: Control): X87Answer =>
	calculated([a], format, ([value]) => squareRoot(value as Value, format, control));
