import {createInterface} from 'node:readline/promises';
import type {ReadStream} from 'node:tty';
import type {Machine} from '#main/operations';
import {complete} from './completion.ts';
import {consoleCommands, runConsoleLine} from './console-line.ts';

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

/** Result of a visit to the console. */
export interface PromptResult {
	readonly next: 'input' | 'quit';
	/** Keys typed behind the command that left it: they are the guest's. */
	readonly typedAhead: string;
}

/** Runs the `openvmm>` console until a command leaves it. */
export async function consolePrompt(machine: Machine, options: PromptOptions): Promise<PromptResult> {
	const {stdin, typedAhead, guestInput, suspend, opened} = options;
	const commands = consoleCommands();
	const lines = createInterface({
		input: stdin,
		output: process.stdout,
		terminal: true,
		prompt: 'openvmm> ',
		completer: (text: string) => complete(text, commands, machine),
	});
	const say = (text: string) => void process.stdout.write(`${text}\n`);
	say('');
	let asked: AbortController | undefined;
	// Ctrl-C drops the line, as in a shell, or gives up what the last one asked for.
	lines.on('SIGINT', () => {
		if (asked !== undefined) return asked.abort(new Error('Ctrl-C'));
		lines.write(null, {ctrl: true, name: 'u'});
		lines.prompt();
	});
	lines.on('SIGTSTP', suspend);
	opened(() => lines.prompt(true));
	try {
		lines.prompt();
		if (typedAhead.length > 0) lines.write(typedAhead.toString());
		for await (const line of lines) {
			asked = new AbortController();
			const next = await runConsoleLine(line, machine, {say, signal: asked.signal}, commands);
			asked = undefined;
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
