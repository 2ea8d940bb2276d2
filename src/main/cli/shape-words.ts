import type {MemoryConfig, NumaNodeConfig, SerialBackendConfig, VmConfig} from '#main/config';
import {type Flag, type FlagName, flags} from './flags.ts';
import type {FlagValues} from './parse.ts';

/** Flags that a snapshot carries. */
export const shapeFlags = flags.filter((flag: Flag) => flag.shape);

/** Flags that also say things of the host: the words that a snapshot carries instead, and all that such a word can be. */
const reduced: Partial<Record<FlagName, {words(config: VmConfig): string[]; readonly word: RegExp}>> = {
	memory: {words: ({memory, numa}) => (numa ? [] : [kib(memory)]), word: /^\d+K$/},
	numa: {words: ({numa}) => numa?.nodes.map(nodeWord) ?? [], word: /^size=\d+K(,vps=\[[\d,]*\])?$/},
	// A machine has serial ports or none; what they are bound to is said again.
	com1: {words: ({serial}) => (Object.values(serial).some(isBound) ? [] : ['none']), word: /^none$/},
	debugcon: {
		words: ({debugcon}) => (debugcon ? [`0x${debugcon.port.toString(16)},none`] : []),
		word: /^0x[\da-f]+,none$/,
	},
};

/** The words that shape the machine, as a snapshot keeps them: a later command line gives the same machine with them. */
export function shapeWords(values: FlagValues, config: VmConfig): string[] {
	const whole = shapeFlags.filter(({name}) => !(name in reduced));
	return [
		...whole.flatMap(({name, ...flag}) =>
			values.all(name).map((value) => ('value' in flag ? `--${name}=${value}` : `--${name}`)),
		),
		...Object.entries(reduced).flatMap(([name, {words}]) => words(config).map((word) => `--${name}=${word}`)),
	];
}

const isBound = ({kind}: SerialBackendConfig) => kind !== 'none';
const kib = ({sizeBytes}: MemoryConfig) => `${sizeBytes / 1024}K`;
const nodeWord = ({memory, vps}: NumaNodeConfig) =>
	`size=${kib(memory)}${vps === undefined ? '' : `,vps=[${vps.join(',')}]`}`;

/** What of a word of a snapshot is not as {@link shapeWords} makes it: it could ask the host for something. */
export function hostWord(saved: FlagValues): string | undefined {
	for (const [name, {word}] of Object.entries(reduced)) {
		const other = saved.all(name as FlagName).find((value) => !word.test(value));
		if (other !== undefined) return `--${name}=${other}`;
	}
	return undefined;
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
