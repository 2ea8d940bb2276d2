import {checkParams, inspect, type Machine, machineOperations, type Operation} from '#main/operations';
import {isVmmError} from '#support/errors';
import {suggestion} from '#support/suggestion';
import {consoleForm, spoken} from './commands.ts';
import {readLine, resultText} from './operation-line.ts';
import {parseCommand} from './parse.ts';
import {tenths} from './tenths.ts';

/** A console command leads to one of these: stay at the prompt, go back to the guest, or end the machine. */
type Next = 'stay' | 'input' | 'quit';

/** The person whose line it is. */
export interface Shown {
	/** Prints one line. */
	say(text: string): void;
	/** Gives up what takes long. */
	readonly signal?: AbortSignal;
}

interface ConsoleCommand {
	readonly names: readonly string[];
	readonly help: string;
	/** The words and flags behind the name, as the help writes them. */
	readonly syntax: string;
	/** The operation that it asks for; the others concern the console itself. */
	readonly operation?: Operation;
	/** @throws VmmError */
	run(machine: Machine, shown: Shown, words: readonly string[]): Promise<Next> | Next;
}

/** The commands of the `openvmm>` console, by OpenVMM's names. */
export function consoleCommands(operations = machineOperations): readonly ConsoleCommand[] {
	const own = {
		input: {names: ['input', 'i'], syntax: '', help: 'go back to the guest (also Ctrl-D)', run: () => 'input'},
		status: {
			names: ['status'],
			syntax: '',
			help: 'print the state of the machine: inspect vm',
			run: (machine, shown) => askMachine(inspect, machine, shown, ['vm']),
		},
		help: {
			names: ['help', 'h'],
			syntax: '',
			help: 'print this list',
			run(_machine, {say}) {
				for (const {names, syntax, help} of all) say(`${`${names.join(', ')} ${syntax}`.trim().padEnd(12)} ${help}`);
				return 'stay';
			},
		},
	} satisfies Record<string, ConsoleCommand>;
	const all: readonly ConsoleCommand[] = [own.input, ...spoken(operations).map(commandFor), own.status, own.help];
	return all;
}

function commandFor(operation: Operation): ConsoleCommand {
	const {name, letter, help} = operation;
	const {words = [], flags} = consoleForm(operation);
	const optional = flags.map(({name: flag, short, value}) => {
		const written = short === undefined ? `--${flag}` : `-${short}`;
		return value === undefined ? `[${written}]` : `[${written} ${value}]`;
	});
	return {
		names: letter === undefined ? [name] : [name, letter],
		help,
		syntax: [...words, ...optional].join(' '),
		operation,
		run: (machine, shown, line) => askMachine(operation, machine, shown, line),
	};
}

async function askMachine(
	named: Operation,
	machine: Machine,
	{say, signal}: Shown,
	line: readonly string[],
): Promise<Next> {
	const parsed = parseCommand(line, consoleForm(named), 'help');
	const {operation, given} = readLine(named, parsed, 'help');
	const values = checkParams(operation.name, operation.params, given);
	let next: Next = 'stay';
	const quit = () => {
		next = 'quit';
	};
	const result = await operation.run(machine, values, {progress: tenths(say), signal, quit});
	const text = parsed.flags.has('json') ? undefined : operation.say?.(result, values);
	const said = text ?? resultText(operation, result, parsed.flags);
	if (said !== undefined) say(said);
	return next;
}

/**
 * Runs one console line. Errors are said and stay at the prompt; an empty line does nothing.
 */
export async function runConsoleLine(
	line: string,
	machine: Machine,
	shown: Shown,
	commands = consoleCommands(),
): Promise<Next> {
	const {say} = shown;
	const [word = '', ...words] = line.trim().split(/\s+/);
	if (word === '') return 'stay';
	const command = commands.find(({names}) => names.includes(word));
	if (!command || (words.length > 0 && command.operation === undefined)) {
		const near = suggestion(
			word,
			commands.flatMap(({names}) => names).filter((name) => name.length > 1),
		);
		say(`There is no command "${line.trim()}". ${near ? `Did you mean ${near}?` : 'Try help'}`);
		return 'stay';
	}
	try {
		return await command.run(machine, shown, words);
	} catch (error) {
		if (!isVmmError(error)) throw error;
		if (error.code === 'CLI_ARGUMENT_MISSING') say(`Usage: ${word} ${command.syntax}`);
		else say(error.remedy === undefined ? error.message : `${error.message}. ${error.remedy}`);
		return 'stay';
	}
}
