import {inputsPerChip} from './registers.ts';

/** Position of `input` when the input after `lowest` comes first: 0 is the highest priority. */
export const rank = (input: number, lowest: number): number => (input - lowest - 1) & (inputsPerChip - 1);

/** The input of highest priority among the bits of `inputs`; undefined when there is none. */
export function highestOf(inputs: number, lowest: number): number | undefined {
	for (let i = 1; i <= inputsPerChip; i++) {
		const input = (lowest + i) & (inputsPerChip - 1);
		if ((inputs & (1 << input)) !== 0) return input;
	}
	return undefined;
}
