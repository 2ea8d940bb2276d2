/** A session with the incubator: one boot, any number of commands. */

import type {ChildProcess} from 'node:child_process';
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import {createServer, type Server, type Socket} from 'node:net';
import {availableParallelism, tmpdir} from 'node:os';
import {basename, join, resolve} from 'node:path';
import {build} from 'esbuild';
import {type CommandOptions, type CommandResult, RunningCommand} from './command.ts';
import {BootTimeoutError, IncubatorError} from './errors.ts';
import {encodeFrame, encodeJsonFrame, FRAME, FrameReader, HEARTBEAT_MS, type StartRequest} from './frames.ts';
import {startMachine} from './machine.ts';

const REPO = resolve(import.meta.dirname, '../..');
const LOG_FOLDER = join(REPO, '.build/incubator');
/** The console of the incubator that started last. */
const LATEST_CONSOLE = join(LOG_FOLDER, 'console.log');
const CONSOLE_KEPT_MS = 24 * 3600_000;
const RUN_FOLDER_PREFIX = 'openvmm-incubator-';
const KERNEL = join(REPO, '.packages/linux/vmlinuz');
const INITRD = join(REPO, '.packages/incubator/initrd.cpio');
const CONSOLE_TAIL_LINES = 20;

/** As many as the host has, because more get in each other's way; at least 2, because that is what is to be tested. */
export const DEFAULT_PROCESSORS = Math.max(2, availableParallelism());

/** The size of the incubator and how long it may take to come up. */
export interface IncubatorOptions {
	/** Processors of the incubator. Default {@link DEFAULT_PROCESSORS}. */
	readonly processors?: number;
	/** Memory of the incubator; only what it touches is taken from the host. Default 6144, for guests with memory above 4 GiB. */
	readonly memoryMib?: number;
	/** After this it is started once more. Default 90 s, for a busy host; it takes about 7 s on an idle one. */
	readonly bootTimeoutMs?: number;
}

/** A running incubator. */
export interface Incubator {
	/** Time it took to come up. */
	readonly bootMs: number;
	/**
	 * Runs a command inside and resolves when it has ended, whatever its status. Several may run at once.
	 * Rejects with {@link IncubatorError} when the incubator dies.
	 */
	run(argv: readonly string[], options?: CommandOptions): Promise<CommandResult>;
	/** Ends the incubator and all that runs in it. */
	close(): Promise<void>;
	[Symbol.asyncDispose](): Promise<void>;
}

/** Boots an incubator. Needs what `restore-packages` fetches, and QEMU. */
export async function startIncubator(options: IncubatorOptions = {}): Promise<Incubator> {
	requirePackages();
	mkdirSync(LOG_FOLDER, {recursive: true});
	removeOldConsoles();
	const agentPath = await bundleAgent();
	try {
		return await startSession(options, agentPath);
	} catch (error) {
		if (error instanceof BootTimeoutError) {
			// Seen once in about forty starts on an overloaded host, cause unknown: no agent after two minutes.
			return await startSession(options, agentPath);
		}
		throw error;
	}
}

async function startSession(options: IncubatorOptions, agentPath: string): Promise<Session> {
	const session = new Session(mkdtempSync(join(tmpdir(), RUN_FOLDER_PREFIX)));
	try {
		await session.start(options, agentPath);
		return session;
	} catch (error) {
		await session.close();
		throw error;
	}
}

function requirePackages(): void {
	for (const path of [KERNEL, INITRD]) {
		if (!existsSync(path)) {
			throw new IncubatorError(`The incubator needs ${path}`, 'Fetch it: npm run flowey restore-packages');
		}
	}
}

/** One plain file starts faster under emulation than TypeScript modules do. */
async function bundleAgent(): Promise<string> {
	const path = join(LOG_FOLDER, 'agent.mjs');
	const {outputFiles} = await build({
		entryPoints: [join(import.meta.dirname, 'agent.ts')],
		bundle: true,
		write: false,
		format: 'esm',
		platform: 'node',
		target: 'node24',
		external: ['koffi'],
	});
	const temporary = `${path}.${process.pid}`;
	writeFileSync(temporary, outputFiles[0]?.contents ?? '');
	renameSync(temporary, path);
	return path;
}

/** The agent says every few seconds that it is there. After this long without a sign the machine stands still. */
const SILENCE_MS = 12 * HEARTBEAT_MS;

class Session implements Incubator {
	bootMs = 0;
	readonly #runFolder: string;
	readonly #consoleLog: string;
	readonly #server: Server = createServer();
	readonly #commands = new Map<number, RunningCommand>();
	readonly #died: PromiseWithResolvers<never> = Promise.withResolvers();
	#machine: ChildProcess[] = [];
	#agent: Socket | undefined;
	#lastId = 0;
	#isClosed = false;
	#lastSign = 0;
	#watch: NodeJS.Timeout | undefined;

	constructor(runFolder: string) {
		this.#runFolder = runFolder;
		this.#consoleLog = join(LOG_FOLDER, `console${basename(runFolder).slice(RUN_FOLDER_PREFIX.length - 1)}.log`);
		pointLatestTo(this.#consoleLog);
		// Whoever waits for something races with it; nobody else has to care.
		this.#died.promise.catch(() => undefined);
	}

	async start(options: IncubatorOptions, agentPath: string): Promise<void> {
		const started = performance.now();
		const agentSocket = join(this.#runFolder, 'agent.sock');
		await new Promise<void>((done) => this.#server.listen(agentSocket, done));
		const ready = this.#acceptAgent();
		this.#machine = await startMachine({
			processors: options.processors ?? DEFAULT_PROCESSORS,
			memoryMib: options.memoryMib ?? 6144,
			kernel: KERNEL,
			initrd: INITRD,
			environment: {INCUBATOR_REPO: REPO, INCUBATOR_NODE: process.execPath, INCUBATOR_AGENT: agentPath},
			runFolder: this.#runFolder,
			consoleLog: this.#consoleLog,
			agentSocket,
			shares: [
				{tag: 'root', folder: '/', isStable: true},
				{tag: 'build', folder: join(REPO, '.build'), isStable: false},
			],
		});
		for (const child of this.#machine) {
			child.on('exit', () => this.#die('The incubator has died'));
			child.on('error', (cause) => this.#die('The incubator cannot start', cause));
		}
		const limitMs = options.bootTimeoutMs ?? 90_000;
		const timer = setTimeout(() => {
			this.#died.reject(new BootTimeoutError(this.#report(`The incubator is not up after ${limitMs / 1000} s`)));
		}, limitMs);
		try {
			await Promise.race([ready, this.#died.promise]);
		} finally {
			clearTimeout(timer);
		}
		this.bootMs = performance.now() - started;
		this.#watch = setInterval(() => this.#checkSign(), HEARTBEAT_MS);
	}

	async run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
		this.#lastId += 1;
		const id = this.#lastId;
		const command = new RunningCommand(options, {
			stdin: (bytes) => this.#send(encodeFrame(FRAME.stdin, id, bytes)),
			signal: (name) => this.#send(encodeFrame(FRAME.signal, id, Buffer.from(name))),
		});
		this.#commands.set(id, command);
		const request: StartRequest = {
			argv,
			cwd: options.cwd ?? REPO,
			env: options.env ?? {},
			...(options.terminal === undefined ? {} : {terminal: options.terminal}),
		};
		try {
			this.#send(encodeJsonFrame(FRAME.start, id, request));
			command.feed();
			return await Promise.race([command.ended, this.#died.promise]);
		} finally {
			command.release();
			this.#commands.delete(id);
		}
	}

	async close(): Promise<void> {
		this.#isClosed = true;
		clearInterval(this.#watch);
		this.#died.reject(new IncubatorError('The incubator was closed', 'Wait for commands before closing it.'));
		const exits = this.#machine.map(
			(child) =>
				new Promise<void>((done) => {
					if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
						done();
					} else {
						child.once('exit', () => done());
						child.kill('SIGKILL');
					}
				}),
		);
		this.#agent?.destroy();
		this.#server.close();
		await Promise.all(exits);
		rmSync(this.#runFolder, {recursive: true, force: true});
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.close();
	}

	#acceptAgent(): Promise<void> {
		return new Promise((ready) => {
			this.#server.once('connection', (socket) => {
				this.#agent = socket;
				// QEMU's end is reported by its exit, with the console.
				socket.on('error', () => undefined);
				const reader = new FrameReader();
				socket.on('data', (chunk) => {
					this.#lastSign = performance.now();
					for (const frame of reader.push(chunk)) {
						if (frame.kind === FRAME.ready) {
							ready();
						} else {
							this.#commands.get(frame.id)?.take(frame);
						}
					}
				});
			});
		});
	}

	#send(bytes: Uint8Array): void {
		this.#agent?.write(bytes);
	}

	#checkSign(): void {
		const silentMs = performance.now() - this.#lastSign;
		if (silentMs > SILENCE_MS) {
			this.#die(`The incubator has not moved for ${Math.round(silentMs / 1000)} s`);
		}
	}

	#die(what: string, cause?: Error): void {
		if (!this.#isClosed) {
			const options = cause === undefined ? {} : {cause};
			this.#died.reject(new IncubatorError(this.#report(what), 'Try again; if it repeats, read that log.', options));
		}
	}

	#report(what: string): string {
		const console = `The end of its console, ${this.#consoleLog}:\n${tail(this.#consoleLog)}`;
		return `${what}. ${console}\nQEMU and its file servers say:\n${this.#machineLogs()}`;
	}

	/** Their text, because the folder goes away with the session. */
	#machineLogs(): string {
		const logs = ['qemu', 'root', 'build'].map((name) => {
			const path = join(this.#runFolder, `${name}.log`);
			return existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
		});
		return logs.filter((text) => text !== '').join('\n') || '(empty)';
	}
}

/** Two incubators that start at the same time may both try; either result will do. */
function pointLatestTo(consoleLog: string): void {
	try {
		rmSync(LATEST_CONSOLE, {force: true});
		symlinkSync(basename(consoleLog), LATEST_CONSOLE);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
			throw error;
		}
	}
}

function tail(path: string): string {
	if (!existsSync(path)) {
		return '(nothing)';
	}
	return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-CONSOLE_TAIL_LINES).join('\n');
}

/** Several incubators may run at once, each with a log of its own. */
function removeOldConsoles(): void {
	for (const name of readdirSync(LOG_FOLDER).filter((entry) => /^console-.*\.log$/.test(entry))) {
		const path = join(LOG_FOLDER, name);
		if (Date.now() - statSync(path).mtimeMs > CONSOLE_KEPT_MS) {
			rmSync(path, {force: true});
		}
	}
}
