import type {Readable, Writable} from 'node:stream';
import type {OperationSignal} from '#support/abort';

/** Size of a terminal, in characters. */
export interface TerminalSize {
	readonly columns: number;
	readonly rows: number;
}

/** How a command of the guest's ended: one of both is there. */
export interface ExitStatus {
	/** What it gave to exit(2), 0 to 255. */
	readonly exitCode: number | undefined;
	/** Name of the signal that ended it (`SIGKILL`), or its number as text where it has no name (`SIG34`). */
	readonly signal: string | undefined;
}

/** How a command of the guest's is started. */
export interface CommandOptions {
	/** Working directory; the user's home, or `/`, if not given. */
	readonly cwd?: string;
	/** Variables beside, or in place of, those that the agent gives: PATH, HOME, USER, LOGNAME, SHELL, and TERM with a terminal. */
	readonly env?: Readonly<Record<string, string>>;
	/** Gives the command `env` alone. */
	readonly clearEnv?: boolean;
	/** `name`, `name:group`, `uid` or `uid:gid`; root if not given. A user of the guest's has the groups of `/etc/group`. */
	readonly user?: string;
	/** Gives it a terminal, whose output, errors among it, is `stdout`. */
	readonly tty?: TerminalSize;
	/** False gives it an empty standard input, and `stdin` has ended. */
	readonly stdin?: boolean;
	/** Ends it by SIGKILL, with all of its process group. */
	readonly signal?: OperationSignal;
	/** Milliseconds after which it is ended in the same way; from 2³¹ on, `Infinity` among them, it is not. */
	readonly timeout?: number;
	/** When its time began, by `performance.now()`: now, if not given. */
	readonly timeoutBegan?: number;
}

/** How a command is started whose output is collected. */
export interface ExecOptions extends Omit<CommandOptions, 'stdin'> {
	/** All of its standard input. */
	readonly input?: Uint8Array | string;
	/** Bytes of each of both streams that are kept, 16 MiB if not given; a command that writes more ends with AGENT_OUTPUT_TOO_LONG. */
	readonly mostOutput?: number;
}

/** A command that has ended, and what it wrote. */
export interface ExecResult extends ExitStatus {
	readonly stdout: Buffer;
	readonly stderr: Buffer;
}

/** A command that runs in the guest, the leader of a session and of a process group. */
export interface GuestProcess extends AsyncDisposable {
	/** In the guest. */
	readonly pid: number;
	/** Ending it ends the command's standard input; with a terminal it writes Ctrl-D. */
	readonly stdin: Writable;
	/** Ends when nobody in the guest can write there, or when the command has ended and all that was written there has been read. */
	readonly stdout: Readable;
	/** As `stdout`; with a terminal it has ended. */
	readonly stderr: Readable;
	/**
	 * The command's end, whether its output has been read or not.
	 * @throws VmmError AGENT_CLOSED, AGENT_PROTOCOL_BROKEN where the connection ended before it, AGENT_TIMEOUT; what the signal is aborted with
	 */
	readonly exited: Promise<ExitStatus>;
	/** Sends a signal to its process group; none is sent to one that has ended. @throws VmmError AGENT_REQUEST_INVALID for a signal that Linux has not */
	kill(signal?: NodeJS.Signals | number): void;
	/** Tells its terminal a size. */
	resize(size: TerminalSize): void;
	/** Ends it by SIGKILL where it runs, and resolves when it has ended, or when the agent has not said so for five seconds. */
	[Symbol.asyncDispose](): Promise<void>;
}
