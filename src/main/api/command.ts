import {
	agentError,
	type CommandOptions,
	type ExecOptions,
	type ExitStatus,
	type GuestAgent,
	type GuestProcess,
	type TerminalSize,
} from '#main/agent';
import {abortable, longestTimerMs} from '#support/abort';
import type {AgentLink} from './agent-link.ts';
import {apiError} from './errors.ts';

/** A line for `/bin/sh -c`, or a program and its words, which nothing changes on their way. */
export type VmCommand = string | readonly [file: string, ...words: string[]];

/** How a command is started in a guest. */
export type VmCommandOptions = Pick<CommandOptions, 'cwd' | 'env' | 'user' | 'signal' | 'timeout'>;

/** How a command is run to its end. */
export interface VmExecOptions extends VmCommandOptions, Pick<ExecOptions, 'input' | 'mostOutput'> {
	/** Has a status other than 0 and a signal throw VM_EXEC_FAILED. */
	readonly check?: boolean;
	/** `bytes` gives its output as it is, and not as text in UTF-8. */
	readonly output?: 'text' | 'bytes';
}

/** A command that has ended, and what it wrote. */
export interface VmExecResult<Output = string> extends ExitStatus {
	readonly stdout: Output;
	readonly stderr: Output;
}

/** What a command writes: a `Readable` of Node's. */
export interface VmOutput extends AsyncIterable<Uint8Array> {
	on(event: 'data', listener: (bytes: Uint8Array) => void): unknown;
	on(event: 'end' | 'close', listener: () => void): unknown;
	on(event: 'error', listener: (error: Error) => void): unknown;
	destroy(): unknown;
}

/** What a command reads: a `Writable` of Node's. */
export interface VmInput {
	/** It has as much as it keeps: see `write`. */
	readonly writableNeedDrain: boolean;
	/** False asks to wait for the event `drain`. */
	write(bytes: Uint8Array | string): boolean;
	end(bytes?: Uint8Array | string): unknown;
	once(event: 'drain' | 'finish' | 'close', listener: () => void): unknown;
	on(event: 'error', listener: (error: Error) => void): unknown;
}

/** How a command is started whose streams are the program's. */
export type VmSpawnOptions = VmCommandOptions & Pick<CommandOptions, 'tty' | 'stdin'>;

/** A command that runs in a guest, the leader of a session and of a process group. */
export interface VmProcess extends AsyncDisposable {
	/** In the guest. */
	readonly pid: number;
	readonly stdin: VmInput;
	readonly stdout: VmOutput;
	readonly stderr: VmOutput;
	/** Its end, whether its output has been read or not. @throws VmmError VM_STOPPED_AGENT where the machine ends before it, OPERATION_ABORTED, AGENT_* */
	readonly exited: Promise<ExitStatus>;
	/** Sends a signal to its process group: `SIGTERM` if not given. */
	kill(signal?: string | number): void;
	/** Tells its terminal a size. */
	resize(size: TerminalSize): void;
}

const words = (command: VmCommand): readonly string[] =>
	typeof command === 'string' ? ['/bin/sh', '-c', command] : command;

/** Waits for the agent no longer than the command may take. @throws VmmError AGENT_TIMEOUT, VM_STOPPED_AGENT; what the signal is aborted with */
async function agentInTime(
	link: AgentLink,
	command: readonly string[],
	{timeout, signal}: VmCommandOptions,
): Promise<GuestAgent> {
	if (timeout === undefined || timeout > longestTimerMs) return link.get(signal);
	const late = new AbortController();
	const error = () => agentError('AGENT_TIMEOUT', {command: command[0] ?? '', ms: timeout, isBegun: false});
	const timer = setTimeout(() => late.abort(error()), timeout);
	try {
		return await link.get(signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]));
	} finally {
		clearTimeout(timer);
	}
}

/** Runs a command to its end. @throws VmmError VM_EXEC_FAILED where that is asked for, AGENT_*, VM_STOPPED_AGENT */
export async function runCommand(
	link: AgentLink,
	name: string,
	command: VmCommand,
	{check = false, output = 'text', ...options}: VmExecOptions,
): Promise<VmExecResult<string> | VmExecResult<Uint8Array>> {
	const all = words(command);
	const timeoutBegan = performance.now();
	const agent = await agentInTime(link, all, options);
	const {exitCode, signal, stdout, stderr} = await link.done(agent.exec(all, {...options, timeoutBegan}));
	if (check && exitCode !== 0) {
		const said = stderr.toString('utf8');
		throw apiError('VM_EXEC_FAILED', {name, command: all, exitCode, signal, stderr: said});
	}
	const status = {exitCode, signal};
	if (output === 'bytes') return {...status, stdout, stderr};
	return {...status, stdout: stdout.toString('utf8'), stderr: stderr.toString('utf8')};
}

/** Starts a command. @throws VmmError AGENT_*, VM_STOPPED_AGENT */
export async function startCommand(link: AgentLink, command: VmCommand, options: VmSpawnOptions): Promise<VmProcess> {
	const all = words(command);
	const timeoutBegan = performance.now();
	const agent = await agentInTime(link, all, options);
	const started: GuestProcess = await link.done(agent.spawn(all, {...options, timeoutBegan}));
	const exited = abortable('spawn', options.signal, () => link.done(started.exited));
	// Who does not ask is not told.
	exited.catch(() => {});
	return {
		pid: started.pid,
		stdin: started.stdin,
		stdout: started.stdout,
		stderr: started.stderr,
		exited,
		kill: (signal) => started.kill(signal as NodeJS.Signals),
		resize: (size) => started.resize(size),
		[Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
	};
}
