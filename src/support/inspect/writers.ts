import type {Writer} from './node.ts';

/** Takes one of these words. */
export const choiceWriter = <T extends string>(words: readonly T[], set: (word: T) => void): Writer => ({
	expected: `one of ${words.join(', ')}`,
	write(text) {
		const word = words.find((candidate) => candidate === text);
		if (word === undefined) return false;
		set(word);
		return true;
	},
});

/** Takes an integer, decimal or with 0x, within these bounds. */
export const integerWriter = (least: number, most: number, set: (value: number) => void): Writer => ({
	expected: `an integer from ${least} to ${most}`,
	write(text) {
		const value = /^(\d{1,16}|0x[0-9a-f]{1,13})$/i.test(text) ? Number(text) : Number.NaN;
		if (!(value >= least && value <= most)) return false;
		set(value);
		return true;
	},
});
