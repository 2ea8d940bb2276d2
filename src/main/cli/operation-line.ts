import type {Operation, Param} from '#main/operations';
import {cliError} from './errors.ts';
import type {FlagValues} from './parse.ts';

/** The words behind an operation's name, parsed. */
export interface OperationWords {
	readonly flags: FlagValues<string>;
	readonly words: readonly string[];
}

/** The place that a line is read in. */
export interface LineReader {
	/** Words that lead a person to help. */
	readonly help: string;
	/** The machine's process may be in another folder. */
	readonly fromAfar: boolean;
}

/**
 * The parameters that a line gives an operation, as a client sends them.
 * @throws CLI_ARGUMENT_MISSING, CLI_FLAG_NEEDS, CONFIG_VALUE_INVALID, CONFIG_NUMBER_RANGE
 */
export function paramsOnLine(
	{name: command, params, joinedBy}: Operation,
	{flags, words}: OperationWords,
	{help, fromAfar}: LineReader,
): Readonly<Record<string, unknown>> {
	const places = Object.values(params).filter(({flag}) => flag === undefined).length;
	const left = words.length < places && joinedBy !== undefined ? apart(words, joinedBy) : [...words];
	const given: Record<string, unknown> = {};
	for (const [name, param] of Object.entries(params)) {
		const {kind, flag, optional} = param;
		const word = flag === undefined ? left.shift() : flags.last(flag);
		if (word !== undefined) {
			const written = fromAfar && kind.absolute !== undefined ? kind.absolute(word) : word;
			given[name] = kind.parse(written, flag === undefined ? command : `--${flag}`);
		} else if (!optional) throw cliError('CLI_ARGUMENT_MISSING', {argument: onLine(param), help});
	}
	for (const [name, param] of Object.entries(params)) {
		const {needs} = param;
		if (needs !== undefined && name in given && !(needs.param in given))
			throw cliError('CLI_FLAG_NEEDS', {flag: onLine(param), needed: needs.what});
	}
	return given;
}

const onLine = ({flag, placeholder = ''}: Param): string => (flag === undefined ? placeholder : `--${flag}`);

/** The words, the last of them in two where it has the character. */
function apart(words: readonly string[], character: string): string[] {
	const last = words.at(-1) ?? '';
	const at = last.indexOf(character);
	return at < 0 ? [...words] : [...words.slice(0, -1), last.slice(0, at), last.slice(at + 1)];
}

/** The text to print for an operation's result, if there is any. */
export function resultText({print, json}: Operation, result: unknown, flags: FlagValues<string>): string | undefined {
	return flags.has('json') ? JSON.stringify(json?.(result), undefined, 2) : print?.(result);
}
