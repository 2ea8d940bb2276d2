import {configError} from '#main/config';

/** Reads a value that is one of these words. @returns what throws CONFIG_VALUE_INVALID for another */
export function oneOf<T extends string>(...words: readonly T[]) {
	return (text: string, option: string): T => {
		const word = words.find((candidate) => candidate === text);
		if (word === undefined)
			throw configError('CONFIG_VALUE_INVALID', {option, value: text, expected: words.join(', ')});
		return word;
	};
}
