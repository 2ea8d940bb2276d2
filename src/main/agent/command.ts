import {constants} from 'node:os';
import {Readable} from 'node:stream';
import {setTimeout as sleep} from 'node:timers/promises';
import {longestTimerMs} from '#support/abort';
import type {Channel, ProcessEnd} from './channel.ts';
import type {Connection} from './connection.ts';
import {agentError} from './errors.ts';
import type {CommandOptions, ExecOptions, ExecResult, ExitStatus, GuestProcess, TerminalSize} from './guest-process.ts';
import {Operands} from './operands.ts';
import {flags, frames, limits} from './protocol.ts';

const mostOutput = 16 * 2 ** 20;
/** How long the agent has to confirm the end of a command that is given up: one that never does keeps nobody. */
const goneMs = 5000;
/** Of Linux; 0 only asks whether a process is there. */
const mostSignal = 64;
const signalNames = new Map<number, string>(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** Starts a command of the guest's. */
export async function spawn(
	connection: Connection,
	command: readonly string[],
	options: CommandOptions = {},
): Promise<GuestProcess> {
	const name = command[0] ?? '';
	const channel = connection.ask(
		{
			operation: 'SPAWN',
			verb: 'run',
			what: name,
			operands: operandsOf(command, options),
			input: true,
			outputs: options.tty === undefined ? 2 : 1,
			read: (answer) => answer.u32(),
		},
		options.signal,
	);
	const {timeout, timeoutBegan: began = performance.now()} = options;
	if (timeout !== undefined && timeout <= longestTimerMs) {
		const late = () => channel.giveUp(agentError('AGENT_TIMEOUT', {command: name, ms: timeout, isBegun: true}));
		const timer = setTimeout(late, began + timeout - performance.now());
		void channel.gone.then(() => clearTimeout(timer));
	}
	const pid = await channel.reply;
	if (options.stdin === false) channel.input?.end();
	return new Command(channel, pid);
}

/** Runs a command to its end and keeps what it writes. */
export async function exec(
	connection: Connection,
	command: readonly string[],
	options: ExecOptions = {},
): Promise<ExecResult> {
	const {input, mostOutput: most = mostOutput, ...rest} = options;
	const hasInput = input !== undefined;
	await using process = await spawn(connection, command, {...rest, stdin: hasInput});
	if (hasInput) process.stdin.end(input);
	const [stdout, stderr, exit] = await Promise.all([
		collect(process.stdout, `What ${command[0]} writes to its standard output`, most),
		collect(process.stderr, `What ${command[0]} writes to its standard error`, most),
		process.exited,
	]);
	return {...exit, stdout, stderr};
}

/** All that a stream brings. @throws VmmError AGENT_OUTPUT_TOO_LONG */
export async function collect(stream: AsyncIterable<Buffer>, what: string, most: number): Promise<Buffer> {
	const pieces: Buffer[] = [];
	let size = 0;
	for await (const piece of stream) {
		size += piece.length;
		if (size > most) throw agentError('AGENT_OUTPUT_TOO_LONG', {what, most});
		pieces.push(piece);
	}
	return Buffer.concat(pieces);
}

function operandsOf(command: readonly string[], options: CommandOptions): Buffer {
	const what = `The command ${command[0] ?? ''}`;
	const variables = Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`);
	const invalid = (found: string) => agentError('AGENT_REQUEST_INVALID', {what, found});
	if (command.length === 0) throw invalid('it has no words');
	if (command.length + variables.length > limits.MOST_WORDS - 1)
		throw invalid(
			`it has ${command.length + variables.length} words and variables, of ${limits.MOST_WORDS - 1} at most`,
		);
	const {columns, rows} = options.tty ?? {columns: 0, rows: 0};
	const isFlagged = (flag: number, is: boolean | undefined) => (is ? flag : 0);
	const operands = new Operands(what)
		.u8(
			isFlagged(flags.SPAWN_TERMINAL, options.tty !== undefined) |
				isFlagged(flags.SPAWN_CLEAR_ENVIRONMENT, options.clearEnv) |
				isFlagged(flags.SPAWN_NO_INPUT, options.stdin === false && options.tty === undefined),
		)
		.u16(columns)
		.u16(rows)
		.text(options.user ?? '', 127)
		.text(options.cwd ?? '', limits.MOST_PATH)
		.u16(command.length);
	for (const word of command) operands.text(word);
	operands.u16(variables.length);
	for (const variable of variables) operands.text(variable);
	return operands.finish();
}

const exitOf = ({isSignal, code}: ProcessEnd): ExitStatus =>
	isSignal ? {exitCode: undefined, signal: signalNames.get(code) ?? `SIG${code}`} : {exitCode: code, signal: undefined};

/** A command that runs. */
class Command implements GuestProcess {
	readonly pid: number;
	readonly exited: Promise<ExitStatus>;
	readonly stderr: Readable;
	readonly #channel: Channel<number>;

	constructor(channel: Channel<number>, pid: number) {
		this.#channel = channel;
		this.pid = pid;
		this.stderr = channel.outputs[1] ?? Readable.from([]);
		this.exited = channel.exit.then(exitOf);
		this.exited.catch(() => {});
	}

	get stdin() {
		return this.#channel.input as NonNullable<Channel<number>['input']>;
	}

	get stdout() {
		return this.#channel.outputs[0] as Channel<number>['outputs'][number];
	}

	kill(signal: NodeJS.Signals | number = 'SIGTERM'): void {
		const number = typeof signal === 'number' ? signal : constants.signals[signal];
		if (number === undefined || !Number.isInteger(number) || number < 1 || number > mostSignal) {
			const found = `it is none of Linux: a name, or 1 to ${mostSignal}`;
			throw agentError('AGENT_REQUEST_INVALID', {what: `The signal ${signal}`, found});
		}
		this.#channel.tell(frames.SIGNAL, new Operands(`The signal ${signal}`).u32(number).finish());
	}

	resize({columns, rows}: TerminalSize): void {
		this.#channel.tell(frames.RESIZE, new Operands('The size of a terminal').u16(columns).u16(rows).finish());
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#channel.giveUp(agentError('AGENT_CLOSED', {cause: 'the command was given up'}));
		const {gone} = this.#channel;
		const late = new AbortController();
		await Promise.race([gone, sleep(goneMs, undefined, {signal: late.signal}).catch(() => {})]);
		late.abort();
	}
}
