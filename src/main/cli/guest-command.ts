import {constants} from 'node:os';
import type {ExitStatus, TerminalSize} from '#main/agent';
import {isVmmError} from '#support/errors';
import {Errno} from '#support/ffi';
import {cliError} from './errors.ts';
import {statusOfSignal} from './exit-status.ts';
import {Output} from './output.ts';

/** Statuses of ends that are not the command's own, as shells and other programs of this kind have them. */
export const commandStatuses = {failed: 125, notExecutable: 126, notFound: 127} as const;

/** A command in a guest: of an agent, or of a `VM`. */
export interface RunningCommand {
	readonly stdin: {
		readonly writableNeedDrain: boolean;
		write(bytes: Uint8Array): boolean;
		end(): unknown;
		once(event: 'drain', listener: () => void): unknown;
		on(event: 'error', listener: (error: Error) => void): unknown;
	};
	readonly stdout: AsyncIterable<Uint8Array>;
	readonly stderr: AsyncIterable<Uint8Array>;
	readonly exited: Promise<ExitStatus>;
	kill(signal?: NodeJS.Signals): void;
	resize(size: TerminalSize): void;
}

/** Uses of this process's streams for a command. */
export interface CommandStreams {
	/** Standard input goes to it. */
	readonly interactive: boolean;
	/** It has a terminal. */
	readonly tty: boolean;
	/** False in the background, where nobody reads: that is no reader that has gone. */
	readonly isShown?: boolean;
	/** Also told of what it writes. */
	readonly wrote?: (bytes: Uint8Array) => void;
	/** Resolves when nobody is to wait for it any more, with the status that is given then. */
	readonly over?: Promise<number>;
}

/** Signals that go on to the command. */
const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const;

/** Those that a person sends again who has waited long enough. */
const asking: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGQUIT'];
/** The one of them after which nobody waits for the command: it may take no notice, or the guest stand still. */
const mostAsked = 3;
/** Bytes that a command may write to a reader that is gone, and be told so by SIGPIPE: there may be as much on the way. One that goes on is ended. */
const mostUnread = 2 ** 20;

/** Size of this process's terminal, for a command that is to have one. */
export const terminalSize = (): TerminalSize => ({
	columns: process.stdout.columns || 80,
	rows: process.stdout.rows || 24,
});

/**
 * Carries streams, signals and the terminal's size between this process and a command until that ends. The terminal is as before then.
 * @returns the command's status; 128 and the signal's number for one that ended it
 */
export async function followCommand(command: RunningCommand, streams: CommandStreams): Promise<number> {
	const {interactive, tty, isShown = true, wrote = () => {}, over} = streams;
	const {stdin, stdout} = process;
	const isRaw = interactive && tty && stdin.isTTY;
	const {promise: givenUp, resolve: giveUp} = Promise.withResolvers<number>();
	let asked = 0;
	const handlers = forwarded.map((signal) => {
		const handler = () => {
			command.kill(signal);
			if (asking.includes(signal) && ++asked >= mostAsked) giveUp(statusOfSignal(signal));
		};
		return [signal, handler] as const;
	});
	for (const [signal, handler] of handlers) process.on(signal, handler);
	const resize = () => command.resize(terminalSize());
	if (tty) stdout.on('resize', resize);
	command.stdin.on('error', () => {});
	if (interactive) carryInput(command);
	try {
		if (isRaw) stdin.setRawMode(true);
		const outputs = ([1, 2] as const).map((fd) => show(command, fd, wrote, isShown));
		const ended = Promise.all([command.exited, ...outputs]).then(([status]) => statusOf(status));
		return await Promise.race([ended, givenUp, ...(over === undefined ? [] : [over])]);
	} finally {
		if (isRaw) stdin.setRawMode(false);
		stdin.removeAllListeners('data');
		stdin.pause();
		stdout.off('resize', resize);
		for (const [signal, handler] of handlers) process.off(signal, handler);
	}
}

/**
 * Carries one of a command's streams to this process's, where it is shown. A command whose reader has gone hears of it as by a pipe of its own.
 * @throws VmmError CLI_OUTPUT_FAILED
 */
async function show(
	command: RunningCommand,
	fd: 1 | 2,
	wrote: (bytes: Uint8Array) => void,
	isShown: boolean,
): Promise<void> {
	const output = isShown ? new Output(fd) : undefined;
	let unread: number | undefined;
	try {
		for await (const bytes of fd === 1 ? command.stdout : command.stderr) {
			wrote(bytes);
			if (output === undefined) continue;
			if (unread === undefined) {
				const errno = await output.write(bytes);
				if (errno === undefined) continue;
				if (errno !== 'EPIPE') throw cliError('CLI_OUTPUT_FAILED', {stream: fd === 1 ? 'output' : 'error', errno});
				command.kill('SIGPIPE');
				unread = 0;
			} else if (unread <= mostUnread) {
				unread += bytes.length;
				if (unread > mostUnread) command.kill('SIGTERM');
			}
		}
	} finally {
		output?.close();
	}
}

function carryInput({stdin: input}: RunningCommand): void {
	const {stdin} = process;
	stdin.on('error', () => {});
	stdin.on('data', (bytes: Buffer) => {
		if (input.write(bytes)) return;
		stdin.pause();
		input.once('drain', () => stdin.resume());
	});
	stdin.on('end', () => input.end());
}

function statusOf({exitCode, signal}: ExitStatus): number {
	if (exitCode !== undefined) return exitCode;
	if (signal !== undefined && signal in constants.signals) return statusOfSignal(signal as NodeJS.Signals);
	return 128 + Number(signal?.replace('SIG', '') ?? 0);
}

/** Status for a command that could not be started. */
export function startFailureStatus(error: unknown): number {
	const errno = isVmmError(error, 'AGENT_FAILED') ? Math.abs(Number(error.context['errno'])) : 0;
	if (errno === Errno.ENOENT) return commandStatuses.notFound;
	return errno === Errno.EACCES || errno === Errno.ENOEXEC ? commandStatuses.notExecutable : commandStatuses.failed;
}
