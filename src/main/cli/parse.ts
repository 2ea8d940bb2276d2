import {parseArgs} from 'node:util';
import {machineOperations, type Operation} from '#main/operations';
import {suggestion} from '#support/suggestion';
import {type Command, commands, type OwnCommand, operationCommand, ownCommands, spoken} from './commands.ts';
import {cliError} from './errors.ts';
import {type Flag, type FlagName, flags} from './flags.ts';

/** The flags of one command line. */
export interface FlagValues<N extends string = FlagName> {
	/** True when the flag is there. */
	has(name: N): boolean;
	/** The last value given. */
	last(name: N): string | undefined;
	/** Every value given, in order. */
	all(name: N): readonly string[];
}

/** A command line, parsed: what to do, and with which flags. */
export type CommandLine =
	| {readonly command: 'boot'; readonly flags: FlagValues}
	| {
			readonly command: Exclude<OwnCommand, 'restore'>;
			readonly flags: FlagValues<string>;
			/** The words beside the flags. */
			readonly words: readonly string[];
	  }
	| {
			/** Asks a running machine for an operation. */
			readonly command: 'ask';
			readonly operation: Operation;
			readonly flags: FlagValues<string>;
			/** The words beside the flags. */
			readonly words: readonly string[];
	  };

const isHelp = (word: string) => word === '--help' || word === '-h';

type Known = Pick<Flag, 'name' | 'short' | 'value'>;

/**
 * Parses the words after the program's name. Long flags take `--flag VALUE` or `--flag=VALUE`, short ones
 * `-f VALUE`, `-fVALUE` or `-f=VALUE`, short switches may be joined.
 * @throws CLI_FLAG_UNKNOWN, CLI_VALUE_MISSING, CLI_VALUE_UNEXPECTED, CLI_ARGUMENT_UNEXPECTED, CLI_ARGUMENT_TOO_MANY
 */
export function parseCommandLine(words: readonly string[], operations = machineOperations): CommandLine {
	const [first, second] = words;
	if (first === 'restore') {
		if (second === undefined || (second.startsWith('-') && !isHelp(second)))
			throw cliError('CLI_VALUE_MISSING', {flag: 'restore', value: 'DIR'});
		return {command: 'boot', flags: parseFlags(isHelp(second) ? [second] : ['--restore-snapshot', ...words.slice(1)])};
	}
	// A group's command has a name of two words.
	const pair = `${first} ${second}`;
	const isPair = Object.hasOwn(ownCommands, pair);
	const [name, rest] = isPair ? [pair, words.slice(2)] : [first, words.slice(1)];
	const help = `openvmm ${name} --help`;
	const parts = Object.keys(ownCommands).flatMap((other) =>
		other.startsWith(`${name} `) ? other.split(' ').slice(1) : [],
	);
	if (parts.length > 0 && second !== undefined && !second.startsWith('-'))
		throw cliError('CLI_ARGUMENT_UNEXPECTED', {argument: second, suggestion: suggestion(second, parts), help});
	const operation = spoken(operations).find(({name}) => name === first);
	if (operation !== undefined)
		return {command: 'ask', operation, ...parseCommand(rest, operationCommand(operation), help)};
	if (name !== undefined && Object.hasOwn(ownCommands, name)) {
		const command = name as Exclude<OwnCommand, 'restore'>;
		return {command, ...parseCommand(rest, ownCommands[command], help)};
	}
	return {command: 'boot', flags: parseFlags(words)};
}

/** Parses the flags of a machine. @throws as {@link parseCommandLine} */
export function parseFlags(words: readonly string[], known = flags): FlagValues {
	const {found, positionals} = parseWords(words, known, 'openvmm --help');
	const [argument] = positionals;
	if (argument !== undefined) {
		throw cliError('CLI_ARGUMENT_UNEXPECTED', {argument, suggestion: suggestion(argument, [...commands().keys()])});
	}
	return valuesOf(found);
}

/**
 * Parses the words behind a command's name.
 * @throws as {@link parseCommandLine}
 */
export function parseCommand(
	words: readonly string[],
	command: Pick<Command, 'words' | 'flags' | 'flagsEndAt'>,
	help: string,
): {flags: FlagValues<string>; words: readonly string[]} {
	const {words: known = [], flagsEndAt} = command;
	const {found, positionals} = parseWords(words, command.flags, help, flagsEndAt);
	const unexpected = positionals[known.length];
	// The bundle keeps letters of strings, but not those of expressions, as they are.
	if (unexpected !== undefined && !/\u2026\]?$/.test(known.at(-1) ?? ''))
		throw cliError('CLI_ARGUMENT_TOO_MANY', {argument: unexpected, help});
	return {flags: valuesOf(found), words: positionals};
}

const valuesOf = <N extends string>(found: ReadonlyMap<string, readonly string[]>): FlagValues<N> => ({
	has: (name) => found.has(name),
	last: (name) => found.get(name)?.at(-1),
	all: (name) => found.get(name) ?? [],
});

function parseWords(
	words: readonly string[],
	known: readonly Known[],
	help: string,
	flagsEndAt = Number.POSITIVE_INFINITY,
) {
	const byName = new Map(known.map((flag) => [flag.name, flag]));
	const options = Object.fromEntries(
		known.map(({name, short, value}) => {
			const type = value === undefined ? ('boolean' as const) : ('string' as const);
			return [name, short === undefined ? {type} : {type, short}];
		}),
	);
	// Not strict: its errors name neither a near flag nor the value that is wanted.
	const {tokens} = parseArgs({args: [...words], options, strict: false, tokens: true, allowPositionals: true});
	const found = new Map<string, string[]>();
	const positionals: string[] = [];
	for (const token of tokens) {
		if (token.kind === 'option-terminator') {
			if (flagsEndAt === Number.POSITIVE_INFINITY) continue;
			// Words in front of it that were left out are empty.
			positionals.push(...Array(flagsEndAt - positionals.length).fill(''), ...words.slice(token.index + 1));
			break;
		}
		if (token.kind === 'positional') {
			positionals.push(token.value);
			if (positionals.length < flagsEndAt) continue;
			const rest = words.slice(token.index + 1);
			positionals.push(...(rest[0] === '--' ? rest.slice(1) : rest));
			break;
		}
		const flag = byName.get(token.name);
		if (!flag) throw unknownFlag(token.rawName, known, help);
		const inline = token.inlineValue === true;
		// parseArgs counts the equals sign of "-k=FILE" into the value, OpenVMM's own parser does not.
		const text = inline && !token.rawName.startsWith('--') ? token.value.replace(/^=/, '') : token.value;
		const value = checkedValue(flag, token.rawName, text, inline);
		found.set(flag.name, [...(found.get(flag.name) ?? []), value]);
	}
	return {found, positionals};
}

function checkedValue(flag: Known, written: string, value: string | undefined, inline: boolean): string {
	if (flag.value === undefined) {
		if (value !== undefined) throw cliError('CLI_VALUE_UNEXPECTED', {flag: written, value});
		return '';
	}
	// Without an equals sign, "-k -p 2" is a forgotten file name rather than a file called "-p".
	if (value === undefined || (!inline && value.startsWith('-'))) {
		throw cliError('CLI_VALUE_MISSING', {flag: written, value: flag.value});
	}
	return value;
}

function unknownFlag(written: string, known: readonly Known[], help: string) {
	const near = suggestion(written.replace(/^-+/, ''), written.startsWith('--') ? known.map(({name}) => name) : []);
	return cliError('CLI_FLAG_UNKNOWN', {flag: written, suggestion: near && `--${near}`, help});
}
