import type {ReadStream} from 'node:tty';
import {ConsoleInput, consoleKey} from './console-input.ts';
import type {Machine} from './machine.ts';
import {print} from './print.ts';

/** How standard input serves the machine. */
export interface TerminalOptions {
	/** A serial port is bound to the console, so input goes to the guest. */
	readonly toGuest: boolean;
	/** The machine waits for the user to resume it. */
	readonly paused: boolean;
	/** Called when the user asks the machine to end. */
	quit(): void;
}

/** The process's standard input, attached to a machine. */
export interface Terminal {
	/** Gives the terminal back in the mode it was found in. Idempotent. */
	restore(): void;
}

/**
 * Attaches standard input to the machine. A terminal is put in raw mode: every key goes to the guest, and
 * Ctrl-Q opens the console. Anything else (pipe, file, /dev/null) is carried to the guest until it ends;
 * the machine runs on then.
 */
export function attachTerminal(machine: Machine, options: TerminalOptions): Terminal {
	const {stdin} = process;
	// A closed or broken input ends input, not the machine.
	stdin.on('error', () => {});
	if (stdin.isTTY) return new TtyTerminal(stdin, machine, options);
	if (options.toGuest) attachStream(stdin, machine);
	return {restore: () => stdin.destroy()};
}

function attachStream(stdin: NodeJS.ReadStream, machine: Machine): void {
	const input = new ConsoleInput(machine);
	stdin.on('data', (bytes: Buffer) => {
		stdin.pause();
		void input.send(bytes).then(() => stdin.resume());
	});
}

class TtyTerminal implements Terminal {
	readonly #stdin: ReadStream;
	readonly #machine: Machine;
	readonly #options: TerminalOptions;
	readonly #input: ConsoleInput;
	#restored = false;

	constructor(stdin: ReadStream, machine: Machine, options: TerminalOptions) {
		this.#stdin = stdin;
		this.#machine = machine;
		this.#options = options;
		this.#input = new ConsoleInput(machine);
		if (options.toGuest) {
			const hint = options.paused ? ', where "resume" starts the guest' : '';
			print(2, `openvmm: Ctrl-Q opens the console${hint}\n`);
			this.#toGuest();
		} else void this.#console(Buffer.alloc(0));
	}

	restore(): void {
		if (this.#restored) return;
		this.#restored = true;
		this.#stdin.off('data', this.#relay);
		this.#stdin.setRawMode(false);
		this.#stdin.destroy();
	}

	#toGuest(): void {
		if (this.#restored) return;
		this.#stdin.setRawMode(true);
		this.#stdin.on('data', this.#relay);
		this.#stdin.resume();
	}

	readonly #relay = (bytes: Buffer): void => {
		const at = bytes.indexOf(consoleKey);
		const taken = this.#input.type(at < 0 ? bytes : bytes.subarray(0, at));
		// The bell, as a terminal driver does when its queue is full.
		if (!taken) print(2, '\x07');
		if (at >= 0) void this.#console(bytes.subarray(at + 1));
	};

	async #console(typedAhead: Buffer): Promise<void> {
		this.#stdin.off('data', this.#relay);
		const {consolePrompt} = await import('./console.ts');
		const options = {stdin: this.#stdin, typedAhead, guestInput: this.#options.toGuest};
		const {next, typedAhead: forGuest} = await consolePrompt(this.#machine, options);
		if (next === 'quit') return this.#options.quit();
		this.#toGuest();
		this.#relay(Buffer.from(forGuest));
	}
}
