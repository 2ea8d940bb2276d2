import {connectMachine} from '#main/control';
import type {Operation, Param} from '#main/operations';
import {type CommandWords, chooseMachine} from './choose-machine.ts';
import {cliError} from './errors.ts';
import type {FlagValues} from './parse.ts';
import {print} from './print.ts';
import {ProgressLine} from './progress-line.ts';

/**
 * Reads what a line asks for: the operation of its name or the one that a flag leads to, and the parameters as a client sends
 * them.
 * @param help - words that lead a person to help
 * @throws CLI_ARGUMENT_MISSING, CLI_ARGUMENT_TOO_MANY, CLI_FLAG_NEEDS, CLI_FLAGS_CONFLICT, CONFIG_VALUE_INVALID, CONFIG_NUMBER_RANGE
 */
export function readLine(
	named: Operation,
	{flags, words}: CommandWords,
	help: string,
): {readonly operation: Operation; readonly given: Readonly<Record<string, unknown>>} {
	const {instead} = named;
	const operation = instead !== undefined && flags.has(instead.flag) ? instead.operation : named;
	const left = [...words];
	const given: Record<string, unknown> = {};
	for (const [name, param] of Object.entries(operation.params)) {
		const {kind, flag, optional} = param;
		const word = flag === undefined ? left.shift() : flags.last(flag);
		const option = flag === undefined ? named.name : `--${flag}`;
		const parsed = (one: string) => kind.parse(one, option);
		if (word !== undefined)
			given[name] = kind.isList && flag !== undefined ? flags.all(flag).map(parsed) : parsed(word);
		else if (!optional && operation !== named)
			throw cliError('CLI_FLAG_NEEDS', {flag: `--${instead?.flag}`, needed: onLine(param)});
		else if (!optional) throw cliError('CLI_ARGUMENT_MISSING', {argument: onLine(param), help});
	}
	const [tooMany] = left;
	if (tooMany !== undefined) throw cliError('CLI_ARGUMENT_TOO_MANY', {argument: tooMany, help});
	for (const [name, param] of Object.entries(named.params)) {
		if (name in operation.params || param.flag === undefined || !flags.has(param.flag)) continue;
		throw cliError('CLI_FLAGS_CONFLICT', {first: onLine(param), second: `--${instead?.flag}`});
	}
	return {operation, given};
}

const onLine = ({flag, placeholder = ''}: Param): string => (flag === undefined ? placeholder : `--${flag}`);

/** The text to print for an operation's result, if there is any. */
export function resultText({print, json}: Operation, result: unknown, flags: FlagValues<string>): string | undefined {
	return flags.has('json') ? JSON.stringify(json?.(result), undefined, 2) : print?.(result);
}

/** A command that asks a running machine for an operation. @throws VmmError CLI_*, CONFIG_*, CONTROL_*, and what the machine throws */
export async function askMachine(named: Operation, asked: CommandWords): Promise<number> {
	const {flags} = asked;
	const help = `openvmm ${named.name} --help`;
	const {machine, words} = chooseMachine(asked, help);
	const {operation, given} = readLine(named, {flags, words}, help);
	const client = await connectMachine(machine);
	const line = new ProgressLine();
	const progress = (done: number, total: number) => line.update(operation.name, done, total);
	try {
		// Not every operation tells how far it is.
		progress(0, 0);
		const result = await client.call(operation.name, given, progress).finally(() => line.clear());
		const text = resultText(operation, result, flags);
		if (operation.ends) await client.closed();
		if (text !== undefined) print(1, `${text}\n`);
	} finally {
		client.close();
	}
	return 0;
}
