import {constants} from 'node:os';
import type {ExitStatus, TerminalSize} from '#main/agent';
import {isVmmError} from '#support/errors';
import {Errno} from '#support/ffi';
import {statusOfSignal} from './exit-status.ts';
import {printBytes} from './print.ts';

/** Statuses of ends that are not the command's own, as shells and other programs of this kind have them. */
export const commandStatuses = {failed: 125, notExecutable: 126, notFound: 127} as const;

/** A command in a guest: of an agent, or of a `VM`. */
export interface RunningCommand {
	readonly stdin: {
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
	/** Also told of what it writes. */
	readonly wrote?: (bytes: Uint8Array) => void;
}

/** Signals that go on to the command. */
const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const;

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
	const {interactive, tty, wrote = () => {}} = streams;
	const {stdin, stdout} = process;
	const isRaw = interactive && tty && stdin.isTTY;
	const handlers = forwarded.map((signal) => [signal, () => command.kill(signal)] as const);
	for (const [signal, handler] of handlers) process.on(signal, handler);
	const resize = () => command.resize(terminalSize());
	if (tty) stdout.on('resize', resize);
	command.stdin.on('error', () => {});
	if (interactive) carryInput(command);
	try {
		if (isRaw) stdin.setRawMode(true);
		const show = async (fd: 1 | 2, output: AsyncIterable<Uint8Array>) => {
			for await (const bytes of output) {
				wrote(bytes);
				printBytes(fd, Buffer.from(bytes));
			}
		};
		const shown = Promise.all([show(1, command.stdout), show(2, command.stderr)]);
		const [ended] = await Promise.all([command.exited, shown]);
		return statusOf(ended);
	} finally {
		if (isRaw) stdin.setRawMode(false);
		stdin.removeAllListeners('data');
		stdin.pause();
		stdout.off('resize', resize);
		for (const [signal, handler] of handlers) process.off(signal, handler);
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
