import type {constants} from 'node:os';
import {join} from 'node:path';
import {type ControlClient, connectListed, entryFiles, findMachine, type ListedMachine} from '#main/control';
import {mostConsoleBytes} from '#main/operations';
import {ConsoleInput} from './console-input.ts';
import {bytesOf, LogReader} from './console-log.ts';
import {ConsoleSize} from './console-size.ts';
import {DetachKeys, parseDetachKeys, usualDetachKeys} from './detach-keys.ts';
import {endingMs, untilEnded} from './end-machines.ts';
import {cliError} from './errors.ts';
import {statusOfSignal} from './exit-status.ts';
import {Foreground} from './foreground.ts';
import {readLines} from './logs.ts';
import {Output} from './output.ts';
import type {FlagValues} from './parse.ts';
import {print} from './print.ts';

/** Lines of what the console has shown that are seen at first. */
const usualLines = 100;

/** `openvmm attach NAME`. @throws VmmError CLI_*, CONFIG_*, CONTROL_* */
export async function attach(name: string, flags: FlagValues<string>): Promise<number> {
	const keys = parseDetachKeys(flags.last('detach-keys') ?? usualDetachKeys, '--detach-keys');
	const lines = readLines(flags, usualLines);
	const machine = await findMachine(name);
	if (machine.record.about.hasConsole === false) throw cliError('CLI_NO_CONSOLE', {name: machine.name});
	// One hears of its end, the other types.
	const over = await connectListed(machine);
	const log = new LogReader(join(machine.folder, entryFiles.console));
	const typing = flags.has('read-only') ? undefined : await connectListed(machine);
	const keyboard = new Keyboard(typing, new DetachKeys(keys));
	// Who only looks changes nothing.
	const size = typing && process.stdout.isTTY ? new ConsoleSize(await connectListed(machine)) : undefined;
	const output = new Output(1);
	try {
		// Whoever sees the first of it may type.
		keyboard.open();
		size?.open();
		const first = output.write(bytesOf(log.take(), lines));
		const ended = over.closed().then(() => 'ended' as const);
		// A reader that does not read keeps the console's output, and nobody who wants to leave.
		return await Promise.race([follow(log, machine, output, first, ended), keyboard.left]);
	} finally {
		keyboard.close();
		size?.close();
		output.close();
		for (const client of [over, typing]) client?.close();
		log.close();
	}
}

/** Shows output until the machine's end, or until nobody reads it any more. @returns the status to end with */
async function follow(
	log: LogReader,
	machine: ListedMachine,
	output: Output,
	first: Promise<string | undefined>,
	end: Promise<'ended'>,
): Promise<number> {
	let failed = await first;
	while (failed === undefined) {
		const came = await Promise.race([log.changed(), end]);
		if (came === 'ended') await untilEnded(machine, endingMs);
		failed = await output.write(bytesOf(log.take()));
		if (came === 'ended') return (await findMachine(machine.name).catch(() => machine)).record.ended?.status ?? 0;
	}
	return statusOfSignal('SIGPIPE');
}

const signals = [
	'SIGINT',
	'SIGTERM',
	'SIGHUP',
	'SIGQUIT',
] as const satisfies readonly (keyof typeof constants.signals)[];

/** This process's standard input, which types into a machine's console; without a connection only the keys that leave it are looked for. */
class Keyboard {
	/** Resolves with the status to end with. */
	readonly left: Promise<number>;
	readonly #leave: (status: number) => void;
	readonly #input: ConsoleInput | undefined;
	readonly #keys: DetachKeys;
	#foreground: Foreground | undefined;
	#isOpen = false;
	readonly #handlers = signals.map((signal) => [signal, () => this.#leave(statusOfSignal(signal))] as const);

	constructor(client: ControlClient | undefined, keys: DetachKeys) {
		({promise: this.left, resolve: this.#leave} = Promise.withResolvers<number>());
		this.#input = client && new ConsoleInput({feedConsole: (bytes) => feed(client, bytes)});
		this.#keys = keys;
	}

	open(): void {
		const {stdin} = process;
		this.#isOpen = true;
		for (const [signal, handler] of this.#handlers) process.on(signal, handler);
		stdin.on('error', () => {});
		if (stdin.isTTY) {
			stdin.on('data', this.#typed);
			this.#foreground = new Foreground(0, (isOurs) => this.#settle(isOurs));
			this.#foreground.look();
		} else if (this.#input !== undefined) stdin.on('data', this.#carried);
	}

	/** Gives the terminal back in the mode it was found in. Idempotent. */
	close(): void {
		if (!this.#isOpen) return;
		this.#isOpen = false;
		for (const [signal, handler] of this.#handlers) process.off(signal, handler);
		const {stdin} = process;
		stdin.off('data', this.#typed);
		stdin.off('data', this.#carried);
		this.#foreground?.close();
		// In the background the mode is the shell's.
		if (this.#foreground?.isOurs) stdin.setRawMode(false);
		stdin.destroy();
	}

	#settle(isOurs: boolean): void {
		const {stdin} = process;
		if (!isOurs) return void stdin.pause();
		// The shell may have changed the mode, and Node.js does not set the one that it believes to be there.
		stdin.setRawMode(false);
		stdin.setRawMode(true);
		stdin.resume();
	}

	readonly #typed = (typed: Buffer): void => {
		const {bytes, detached} = this.#keys.pass(typed);
		// The bell, as a terminal driver does when its queue is full.
		if (this.#input?.type(bytes) === false) print(2, '\x07');
		if (detached) this.#leave(0);
	};

	readonly #carried = (bytes: Buffer): void => {
		process.stdin.pause();
		void this.#input?.send(bytes).then(() => process.stdin.resume());
	};
}

/** Offers bytes to a machine's console; one that is over takes all. */
async function feed(client: ControlClient, bytes: Uint8Array): Promise<number> {
	const piece = Buffer.from(bytes.subarray(0, mostConsoleBytes)).toString('base64');
	try {
		return ((await client.call('feed-console', {bytes: piece})) as {taken: number}).taken;
	} catch {
		return bytes.length;
	}
}
