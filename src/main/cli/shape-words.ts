import type {VmConfig} from '#main/config';
import {type Flag, type FlagName, flags} from './flags.ts';
import type {FlagValues} from './parse.ts';

/** Flags that a snapshot carries. */
export const shapeFlags = flags.filter((flag: Flag) => flag.shape);

/**
 * The words that shape the machine, as a snapshot keeps them: a later command line gives the same machine with them.
 * Memory is named by its size alone, for the rest of what may be said about it is the host's.
 */
export function shapeWords(values: FlagValues, {memory}: VmConfig): string[] {
	const words = shapeFlags.flatMap(({name, ...flag}) =>
		values.all(name).map((value) => ('value' in flag ? `--${name}=${value}` : `--${name}`)),
	);
	return [...words.filter((word) => !word.startsWith('--memory=')), `--memory=${memory.sizeBytes / 1024}K`];
}

/** Flags of a snapshot under those of a command line: one that is given again replaces the snapshot's. */
export function withShape(given: FlagValues, saved: FlagValues): FlagValues {
	const from = (name: FlagName) => (given.has(name) ? given : saved);
	return {
		has: (name) => from(name).has(name),
		last: (name) => from(name).last(name),
		all: (name) => from(name).all(name),
	};
}
