import {constants} from 'node:os';
import type {ReadStream} from 'node:tty';
import type {Machine} from '#main/operations';
import {blockSignal} from '#support/ffi';
import {ConsoleInput, consoleKey} from './console-input.ts';
import {Foreground} from './foreground.ts';
import {print} from './print.ts';

/** Uses of standard input for the machine. */
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

/** A terminal in raw mode, while the process is in the foreground: in the background the keyboard is the shell's. */
class TtyTerminal implements Terminal {
	readonly #stdin: ReadStream;
	readonly #machine: Machine;
	readonly #options: TerminalOptions;
	readonly #input: ConsoleInput;
	readonly #foreground: Foreground;
	/** Receiver of the keys: nothing until the first time in the foreground. */
	#keys: 'nothing' | 'guest' | 'console' = 'nothing';
	/** Shows the console's prompt again. */
	#prompt: () => void = () => {};
	#restored = false;

	constructor(stdin: ReadStream, machine: Machine, options: TerminalOptions) {
		this.#stdin = stdin;
		this.#machine = machine;
		this.#options = options;
		this.#input = new ConsoleInput(machine);
		this.#foreground = new Foreground(0, (isOurs) => this.#settle(isOurs));
		this.#foreground.look();
	}

	restore(): void {
		if (this.#restored) return;
		this.#restored = true;
		this.#foreground.close();
		this.#stdin.off('data', this.#relay);
		// In the background the mode is the shell's, and libuv would be stopped for restoring it.
		if (this.#foreground.isOurs) this.#stdin.setRawMode(false);
		else blockSignal(constants.signals.SIGTTOU);
		this.#stdin.destroy();
	}

	/** Takes the keyboard in the foreground, leaves it alone in the background. */
	#settle(isOurs: boolean): void {
		if (this.#restored) return;
		if (!isOurs) {
			this.#stdin.pause();
			return;
		}
		if (this.#keys === 'nothing') {
			this.#begin();
			return;
		}
		// The shell has changed the mode, and Node.js does not set the one that it believes to be there.
		this.#stdin.setRawMode(false);
		this.#stdin.setRawMode(true);
		this.#stdin.resume();
		this.#prompt();
	}

	#begin(): void {
		const {toGuest, paused} = this.#options;
		if (toGuest) {
			const hint = paused ? ', where "resume" starts the guest' : '';
			// Not before raw mode: in the mode that a shell leaves Ctrl-Q only starts output again.
			this.#toGuest();
			print(2, `openvmm: Ctrl-Q opens the console${hint}\n`);
		} else void this.#console(Buffer.alloc(0));
	}

	#toGuest(): void {
		if (this.#restored) return;
		this.#keys = 'guest';
		this.#stdin.on('data', this.#relay);
		this.#foreground.look();
	}

	readonly #relay = (bytes: Buffer): void => {
		const at = bytes.indexOf(consoleKey);
		const taken = this.#input.type(at < 0 ? bytes : bytes.subarray(0, at));
		// The bell, as a terminal driver does when its queue is full.
		if (!taken) print(2, '\x07');
		if (at >= 0) void this.#console(bytes.subarray(at + 1));
	};

	async #console(typedAhead: Buffer): Promise<void> {
		this.#keys = 'console';
		this.#stdin.off('data', this.#relay);
		// What is typed until the console is there waits for it.
		this.#stdin.pause();
		const {consolePrompt} = await import('./console.ts');
		const {next, typedAhead: forGuest} = await consolePrompt(this.#machine, {
			stdin: this.#stdin,
			typedAhead,
			guestInput: this.#options.toGuest,
			suspend: () => void this.#suspend(),
			opened: (prompt) => {
				this.#prompt = prompt;
			},
		});
		this.#prompt = () => {};
		if (next === 'quit') return this.#options.quit();
		this.#toGuest();
		this.#relay(Buffer.from(forGuest));
	}

	/** Back to the shell, as Ctrl-Z does with other programs. What continues the process resumes the machine. */
	async #suspend(): Promise<void> {
		// A machine that cannot be paused stands still with the process all the same.
		await this.#machine.pause().catch(() => {});
		// One that is at its end meanwhile does not stop before it.
		if (this.#restored) return;
		this.#stdin.pause();
		this.#stdin.setRawMode(false);
		// Reading has ended by then.
		setImmediate(() => process.kill(process.pid, 'SIGSTOP'));
	}
}
