/** One command inside the incubator, seen from the session. */

import type {Readable} from 'node:stream';
import {IncubatorError} from './errors.ts';
import {type ExitReport, FRAME, type Frame} from './frames.ts';

/** The status that `timeout(1)` uses as well. */
const TIMED_OUT_STATUS = 124;
const CANNOT_START_STATUS = 127;
const DEFAULT_TIMEOUT_MS = 10 * 60_000;
const KILL_PATIENCE_MS = 30_000;
const STDIN_CHUNK_BYTES = 32 << 10;

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
	SIGHUP: 1,
	SIGINT: 2,
	SIGABRT: 6,
	SIGBUS: 7,
	SIGKILL: 9,
	SIGSEGV: 11,
	SIGTERM: 15,
};

/** Options of a command's run. */
export interface CommandOptions {
	/** Default: the repository. */
	readonly cwd?: string;
	/** Added to the environment inside, which has PATH, HOME and OPENVMM_INCUBATOR. */
	readonly env?: Readonly<Record<string, string>>;
	/** Its input; closed at once when absent. */
	readonly stdin?: string | Uint8Array | Readable;
	/** Called with output as it comes. The result has all of it as well. */
	readonly onStdout?: (chunk: Uint8Array) => void;
	readonly onStderr?: (chunk: Uint8Array) => void;
	/** Time after which it is killed; default 10 minutes. */
	readonly timeoutMs?: number;
	/** Sends SIGINT to the command when aborted, and SIGKILL five seconds later. */
	readonly abort?: AbortSignal;
	/** Runs it on a terminal of this size: stdout and stderr come as one. */
	readonly terminal?: {readonly columns: number; readonly rows: number};
}

/** End of a command. */
export interface CommandResult {
	/** Exit status; 128 plus the number for a signal, 124 when it ran into its time limit, 127 when it could not start. */
	readonly status: number;
	readonly signal?: string;
	readonly timedOut: boolean;
	readonly stdout: string;
	readonly stderr: string;
}

interface Controls {
	stdin(bytes: Uint8Array): void;
	signal(name: string): void;
}

/** Collects the output of a command and enforces its limits. */
export class RunningCommand {
	readonly ended: Promise<CommandResult>;
	readonly #resolve: (result: CommandResult) => void;
	readonly #reject: (error: Error) => void;
	readonly #options: CommandOptions;
	readonly #controls: Controls;
	readonly #stdout: Uint8Array[] = [];
	readonly #stderr: Uint8Array[] = [];
	readonly #timers: NodeJS.Timeout[] = [];
	#timedOut = false;

	constructor(options: CommandOptions, controls: Controls) {
		this.#options = options;
		this.#controls = controls;
		({promise: this.ended, resolve: this.#resolve, reject: this.#reject} = Promise.withResolvers());
	}

	/** Sends the input and starts the clock. */
	feed(): void {
		this.#after(this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS, () => {
			this.#timedOut = true;
			this.#controls.signal('SIGKILL');
			// A process that hangs inside the emulated kernel does not die of it.
			this.#after(KILL_PATIENCE_MS, () => {
				this.#reject(new IncubatorError('A command in the incubator does not end when it is killed', 'Try again.'));
			});
		});
		this.#options.abort?.addEventListener('abort', this.#onAbort);
		const {stdin} = this.#options;
		if (stdin !== undefined && typeof stdin !== 'string' && !(stdin instanceof Uint8Array)) {
			stdin.on('data', this.#onInput);
			stdin.on('end', this.#onInputEnd);
			return;
		}
		this.#onInput(Buffer.from(stdin ?? ''));
		this.#onInputEnd();
	}

	/** Takes a frame that the agent sent for this command. */
	take({kind, payload}: Frame): void {
		switch (kind) {
			case FRAME.stdout:
				this.#stdout.push(payload);
				this.#options.onStdout?.(payload);
				break;
			case FRAME.stderr:
				this.#stderr.push(payload);
				this.#options.onStderr?.(payload);
				break;
			case FRAME.exit:
				this.#resolve(this.#result(JSON.parse(Buffer.from(payload).toString()) as ExitReport));
				break;
		}
	}

	/** Lets go of timers and listeners. */
	release(): void {
		this.#timers.forEach(clearTimeout);
		this.#options.abort?.removeEventListener('abort', this.#onAbort);
		const {stdin} = this.#options;
		if (stdin !== undefined && typeof stdin !== 'string' && !(stdin instanceof Uint8Array)) {
			stdin.off('data', this.#onInput);
			stdin.off('end', this.#onInputEnd);
		}
	}

	readonly #onInput = (bytes: Uint8Array | string): void => {
		const all = Buffer.from(bytes as Uint8Array);
		for (let at = 0; at < all.length; at += STDIN_CHUNK_BYTES) {
			this.#controls.stdin(all.subarray(at, at + STDIN_CHUNK_BYTES));
		}
	};

	readonly #onInputEnd = (): void => this.#controls.stdin(new Uint8Array());

	readonly #onAbort = (): void => {
		this.#controls.signal('SIGINT');
		this.#after(5000, () => this.#controls.signal('SIGKILL'));
	};

	#after(delayMs: number, action: () => void): void {
		this.#timers.push(setTimeout(action, delayMs));
	}

	#result({status, signal, error}: ExitReport): CommandResult {
		const stderr = Buffer.concat(this.#stderr).toString();
		return {
			status: this.#timedOut ? TIMED_OUT_STATUS : (status ?? signalStatus(signal)),
			...(signal === null ? {} : {signal}),
			timedOut: this.#timedOut,
			stdout: Buffer.concat(this.#stdout).toString(),
			stderr: error === undefined ? stderr : `${stderr}${error}\n`,
		};
	}
}

function signalStatus(signal: string | null): number {
	return signal === null ? CANNOT_START_STATUS : 128 + (SIGNAL_NUMBERS[signal] ?? 0);
}
