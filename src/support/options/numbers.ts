import {optionError} from './errors.ts';

/**
 * Parses a whole number within bounds, decimal or 0x hexadecimal.
 * @throws CONFIG_VALUE_INVALID when it is no number, CONFIG_NUMBER_RANGE when it is outside
 */
export function parseNumber(text: string, option: string, min: number, max: number): number {
	if (!/^(0x[0-9a-f]+|\d+)$/i.test(text)) {
		throw optionError('CONFIG_VALUE_INVALID', {
			option,
			value: text,
			expected: `a whole number from ${min} to ${max}`,
		});
	}
	const value = Number(text);
	const problem = checkRange(value, option, min, max);
	if (problem) throw problem;
	return value;
}

/** The error of a number that is not whole or lies outside its bounds, or undefined. */
export function checkRange(value: number, option: string, min: number, max: number) {
	if (Number.isInteger(value) && value >= min && value <= max) return undefined;
	return optionError('CONFIG_NUMBER_RANGE', {option, value, min, max});
}
