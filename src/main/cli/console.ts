import {createInterface} from 'node:readline/promises';
import type {ReadStream} from 'node:tty';
import {parseClockPolicy, parseDevice} from '#main/config';
import {isVmmError} from '#support/errors';
import {suggestion} from '#support/suggestion';
import {complete} from './completion.ts';
import {inspectInConsole, inspectParameters} from './console-inspect.ts';
import {resumeFlags} from './flags.ts';
import type {Machine} from './machine.ts';
import {parseCommand} from './parse.ts';

/** What a console command leads to: stay at the prompt, go back to the guest, or end the machine. */
type Next = 'stay' | 'input' | 'quit';

interface ConsoleCommand {
	readonly names: readonly string[];
	readonly help: string;
	/** What stands behind the name: as many words as here, or what is in brackets. */
	readonly parameters?: string;
	run(machine: Machine, say: (text: string) => void, words: readonly string[]): Promise<Next> | Next;
}

/** Runs a change of the machine and stays at the prompt. */
const change = (act: (machine: Machine) => Promise<void>) => async (machine: Machine) => {
	await act(machine);
	return 'stay' as const;
};

/** The commands of the `openvmm>` console, by OpenVMM's names. */
export const consoleCommands: readonly ConsoleCommand[] = [
	{names: ['input', 'i'], help: 'go back to the guest (also Ctrl-D)', run: () => 'input'},
	{names: ['pause', 'p'], help: 'stop the processors', run: change((machine) => machine.pause())},
	{
		names: ['resume', 'r'],
		parameters: '[--clock POLICY]',
		help: "let the processors run; the guest's clocks continue where they were, or catch-up",
		async run(machine, _say, words) {
			const clock = parseCommand(words, {flags: resumeFlags}, 'help').flags.last('clock');
			await machine.resume(clock === undefined ? {} : {clock: parseClockPolicy(clock, '--clock')});
			return 'stay' as const;
		},
	},
	{names: ['reset'], help: 'start the guest again', run: change((machine) => machine.reset())},
	{
		names: ['nmi', 'n'],
		help: 'send the boot processor a non-maskable interrupt',
		run: change((machine) => machine.nmi()),
	},
	{
		names: ['power-button'],
		help: 'press the power button: a guest that listens shuts down',
		run: change((machine) => machine.powerButton()),
	},
	{
		names: ['inspect', 'x'],
		parameters: inspectParameters,
		help: 'show what the machine is doing, or with -u change it',
		run: inspectInConsole,
	},
	{
		names: ['status'],
		help: 'print the state of the machine: inspect vm',
		run: (machine, say) => inspectInConsole(machine, say, ['vm']),
	},
	{
		names: ['pcie-add'],
		parameters: 'PORT PATH[,OPTIONS]',
		help: 'plug a device of your own, as --device has it, into a PCI Express port with hotplug',
		async run(machine, say, [port = '', device = '']) {
			say(`Device ${await machine.addPcieDevice(port, parseDevice(device, 'pcie-add'))} is at ${port}`);
			return 'stay' as const;
		},
	},
	{
		names: ['pcie-remove'],
		parameters: 'PORT',
		help: 'pull the device at the port out',
		async run(machine, _say, [port = '']) {
			await machine.removePcieDevice(port);
			return 'stay' as const;
		},
	},
	{
		names: ['dump-core'],
		parameters: 'PATH',
		help: 'write processors and memory to an ELF core file, for gdb and crash',
		async run(machine, say, [path = '']) {
			await machine.dumpCore(path, tenths(say));
			say(`The guest's core dump is in "${path}"`);
			return 'stay' as const;
		},
	},
	{
		names: ['save-snapshot'],
		parameters: 'DIR',
		help: 'save the machine to a folder, from which others can be made',
		async run(machine, say, [directory = '']) {
			await machine.saveSnapshot(directory, tenths(say));
			say(`The snapshot is in "${directory}": openvmm restore ${directory}`);
			return 'stay' as const;
		},
	},
	{names: ['quit', 'q'], help: 'end the machine and openvmm', run: () => 'quit'},
	{
		names: ['help', 'h'],
		help: 'print this list',
		run(_machine, say) {
			for (const {names, parameters = '', help} of consoleCommands) {
				say(`${`${names.join(', ')} ${parameters}`.trim().padEnd(12)} ${help}`);
			}
			return 'stay';
		},
	},
];

/** Says how far something has come, ten times in all. */
function tenths(say: (text: string) => void): (done: number, total: number) => void {
	let said = 0;
	return (done, total) => {
		const tenth = Math.floor((done / total) * 10);
		if (tenth === said) return;
		said = tenth;
		say(`${tenth * 10} %`);
	};
}

/**
 * Runs one console line. Errors are said and stay at the prompt; an empty line does nothing.
 * @param say prints one line
 */
export async function runConsoleLine(line: string, machine: Machine, say: (text: string) => void): Promise<Next> {
	const [word = '', ...words] = line.trim().split(/\s+/);
	if (word === '') return 'stay';
	const command = consoleCommands.find(({names}) => names.includes(word));
	const {parameters} = command ?? {};
	// What is in brackets the command reads itself.
	if (parameters !== undefined && !parameters.startsWith('[') && words.length !== parameters.split(' ').length) {
		say(`Usage: ${word} ${parameters}`);
		return 'stay';
	}
	if (!command || (words.length > 0 && parameters === undefined)) {
		const near = suggestion(
			word,
			consoleCommands.flatMap(({names}) => names).filter((name) => name.length > 1),
		);
		say(`There is no command "${line.trim()}". ${near ? `Did you mean ${near}?` : 'Try help'}`);
		return 'stay';
	}
	try {
		return await command.run(machine, say, words);
	} catch (error) {
		if (!isVmmError(error)) throw error;
		say(error.remedy === undefined ? error.message : `${error.message}. ${error.remedy}`);
		return 'stay';
	}
}

/** The terminal, and what was typed behind the key that opened the console. */
export interface PromptOptions {
	readonly stdin: ReadStream;
	readonly typedAhead: Buffer;
	/** There is a guest to go back to with `input`. */
	readonly guestInput: boolean;
	/** Called for Ctrl-Z. */
	suspend(): void;
	/** Called with what shows the prompt again after something else has used the terminal. */
	opened(prompt: () => void): void;
}

/** How the console was left. */
export interface PromptResult {
	readonly next: 'input' | 'quit';
	/** Keys typed behind the command that left it: they are the guest's. */
	readonly typedAhead: string;
}

/** Runs the `openvmm>` console until a command leaves it. */
export async function consolePrompt(machine: Machine, options: PromptOptions): Promise<PromptResult> {
	const {stdin, typedAhead, guestInput, suspend, opened} = options;
	const lines = createInterface({
		input: stdin,
		output: process.stdout,
		terminal: true,
		prompt: 'openvmm> ',
		completer: (text: string) => complete(text, consoleCommands, machine),
	});
	const say = (text: string) => void process.stdout.write(`${text}\n`);
	say('');
	// Ctrl-C drops the line, as in a shell.
	lines.on('SIGINT', () => {
		lines.write(null, {ctrl: true, name: 'u'});
		lines.prompt();
	});
	lines.on('SIGTSTP', suspend);
	opened(() => lines.prompt(true));
	try {
		lines.prompt();
		if (typedAhead.length > 0) lines.write(typedAhead.toString());
		for await (const line of lines) {
			const next = await runConsoleLine(line, machine, say);
			if (next === 'quit' || (next === 'input' && guestInput)) return {next, typedAhead: lines.line};
			if (next === 'input') say('No serial port is bound to the console: see --com1');
			lines.prompt();
		}
		say('');
		// Ctrl-D. Without a guest to go back to it means the same as everywhere: done.
		return {next: guestInput ? 'input' : 'quit', typedAhead: ''};
	} finally {
		lines.close();
	}
}
