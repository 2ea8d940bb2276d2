import type {MemoryConfig, NumaNodeConfig, VmConfig} from '#main/config';
import {type Flag, type FlagName, flags} from './flags.ts';
import type {FlagValues} from './parse.ts';

/** Flags that a snapshot carries. */
export const shapeFlags = flags.filter((flag: Flag) => flag.shape);

/**
 * The words that shape the machine, as a snapshot keeps them: a later command line gives the same machine with them.
 * Memory, also of NUMA nodes, is named by its size alone, for the rest of what may be said about it is the host's.
 */
export function shapeWords(values: FlagValues, {memory, numa}: VmConfig): string[] {
	const words = shapeFlags.flatMap(({name, ...flag}) =>
		values.all(name).map((value) => ('value' in flag ? `--${name}=${value}` : `--${name}`)),
	);
	const others = words.filter((word) => !/^--(memory|numa)=/.test(word));
	return [...others, ...(numa ? numa.nodes.map(nodeWord) : [`--memory=${kib(memory)}`])];
}

const kib = ({sizeBytes}: MemoryConfig) => `${sizeBytes / 1024}K`;
const nodeWord = ({memory, vps}: NumaNodeConfig) =>
	`--numa=size=${kib(memory)}${vps === undefined ? '' : `,vps=[${vps.join(',')}]`}`;

/** What of a word of a snapshot is not as {@link shapeWords} makes it: it could ask the host for something. */
export function hostWord(saved: FlagValues): string | undefined {
	const memory = saved.all('memory').find((value) => !/^\d+K$/.test(value));
	if (memory !== undefined) return `--memory=${memory}`;
	const node = saved.all('numa').find((value) => !/^size=\d+K(,vps=\[[\d,]*\])?$/.test(value));
	return node === undefined ? undefined : `--numa=${node}`;
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
