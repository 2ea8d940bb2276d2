import {type MachineChoice, runningNames} from '#main/control';
import {cliError} from './errors.ts';
import type {FlagValues} from './parse.ts';

/** The words behind a command's name, parsed. */
export interface CommandWords {
	readonly flags: FlagValues<string>;
	readonly words: readonly string[];
}

/**
 * Reads which machine a line is for: the first word is its name, unless `--socket` stands in the place of that.
 * @param help - words that lead a person to help
 * @returns the machine, and the words behind its name
 * @throws CLI_ARGUMENT_MISSING
 */
export function chooseMachine(
	{flags, words}: CommandWords,
	help: string,
): {readonly machine: MachineChoice; readonly words: readonly string[]} {
	const socket = flags.last('socket');
	if (socket !== undefined) return {machine: {socket}, words};
	const [name, ...others] = words;
	if (name === undefined) throw nameMissing(help);
	return {machine: {name}, words: others};
}

/** What to say where no machine is named: CLI_ARGUMENT_MISSING, with those that run. @param help - words that lead a person to help */
export const nameMissing = (help: string): Error =>
	cliError('CLI_ARGUMENT_MISSING', {argument: 'NAME', help, running: runningNames()});
