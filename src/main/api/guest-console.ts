import {Socket} from 'node:net';
import {StringDecoder} from 'node:string_decoder';
import {setTimeout as sleep} from 'node:timers/promises';
import type {Vm} from '#main/vm';
import {abortable, longestTimerMs, type OperationSignal, untilAborted} from '#support/abort';
import {close, errnoName, pipe} from '#support/ffi';
import {apiError} from './errors.ts';

/** Characters of a guest's output that are kept. */
const keptCharacters = 2 ** 20;
/** Output comes in many small pieces, and a pattern is looked for in all that is kept. */
const lookMs = 10;
const usualTimeoutMs = 60_000;

/** Choices for {@link GuestConsole.find}. */
export interface FindOptions {
	/** Milliseconds; 60 000 if not given, `Infinity` for as long as the machine is there. */
	readonly timeout?: number;
	readonly signal?: OperationSignal;
}

/** A machine, as far as a console has to do with it. */
type ConsoleOwner = Pick<Vm, 'feedConsole' | 'ended'>;

/** What is told of a guest's output, as it comes. */
export type ConsoleListener = (text: string) => void;

/** The guest's first serial port, COM1: what it writes, and what is written to it. Of its output the last mebibyte is kept. */
export interface GuestConsole {
	/** Its output, of which the last 2²⁰ characters are there. */
	readonly text: string;
	/**
	 * Types into it. Resolves when the port has all of it, or the machine has ended.
	 * @param options - `signal`: types no more of it, for a guest that does not read
	 * @throws VmmError OPERATION_ABORTED
	 */
	write(text: string | Uint8Array, options?: {readonly signal?: OperationSignal}): Promise<void>;
	/** Has a function told of output as it comes. @returns ends that */
	listen(listener: ConsoleListener): () => void;
	/**
	 * Waits until the guest has written something that the pattern matches. Each search begins behind what the one before has found, so that
	 * one prompt after the other is waited for.
	 * @throws VmmError VM_CONSOLE_TIMEOUT and VM_CONSOLE_ENDED, which show what there is instead; OPERATION_ABORTED
	 */
	find(pattern: RegExp | string, options?: FindOptions): Promise<RegExpMatchArray>;
}

/** The console of a machine, which writes to a pipe. */
export class MachineConsole implements GuestConsole {
	readonly #name: string;
	readonly #decoder = new StringDecoder('utf8');
	readonly #listeners = new Set<ConsoleListener>();
	readonly #source: Socket;
	#writeFd: number;
	#owner: ConsoleOwner | undefined;
	/** What has been typed before goes first. */
	#typed: Promise<void> = Promise.resolve();
	#text = '';
	/** Characters that are kept no more. */
	#dropped = 0;
	/** Place behind what was found last, in all that was ever written. */
	#found = 0;
	#isOver = false;
	#changed = Promise.withResolvers<void>();

	/** @param name - of the machine @throws VmmError VM_CONSOLE_FAILED */
	constructor(name: string) {
		this.#name = name;
		const ends = pipe();
		if (typeof ends === 'number') throw apiError('VM_CONSOLE_FAILED', {name, errno: errnoName(ends)});
		const [readFd, writeFd] = ends;
		this.#writeFd = writeFd;
		this.#source = new Socket({fd: readFd, readable: true, writable: false});
		this.#source.on('data', (bytes) => this.#take(this.#decoder.write(bytes)));
		this.#source.on('error', () => {});
		this.#source.on('close', () => this.#end());
		// Nobody is kept from ending by a machine that is quiet.
		this.#source.unref();
	}

	/** The descriptor that the port writes to. */
	get outputFd(): number {
		return this.#writeFd;
	}

	/** Has what is typed go to a machine, until that ends: then all that it wrote is read, and no more comes. */
	attach(machine: ConsoleOwner): void {
		this.#owner = machine;
		void machine.ended.then(() => this.close());
	}

	/** Ends it when what has been written is read. */
	close(): void {
		if (this.#writeFd < 0) return;
		close(this.#writeFd);
		this.#writeFd = -1;
	}

	get text(): string {
		return this.#text;
	}

	write(text: string | Uint8Array, {signal}: {readonly signal?: OperationSignal} = {}): Promise<void> {
		const bytes = typeof text === 'string' ? Buffer.from(text) : text;
		// What a port does not take that has failed is lost with it.
		this.#typed = this.#typed.then(() => this.#feed(bytes, signal)).catch(() => {});
		return abortable('console.write', signal, () => untilAborted(this.#typed, signal));
	}

	async #feed(bytes: Uint8Array, signal: OperationSignal | undefined): Promise<void> {
		for (let rest = bytes; rest.length > 0 && !this.#isOver && !signal?.aborted; ) {
			const taken = (await this.#owner?.feedConsole(rest)) ?? rest.length;
			rest = rest.subarray(taken);
			// The guest reads as fast as it can, and nobody tells when it has.
			if (rest.length > 0) await sleep(lookMs);
		}
	}

	listen(listener: ConsoleListener): () => void {
		this.#listeners.add(listener);
		return () => void this.#listeners.delete(listener);
	}

	find(pattern: RegExp | string, options: FindOptions = {}): Promise<RegExpMatchArray> {
		return abortable('console.find', options.signal, () => this.#find(pattern, options));
	}

	async #find(pattern: RegExp | string, {timeout = usualTimeoutMs, signal}: FindOptions): Promise<RegExpMatchArray> {
		const wanted = typeof pattern === 'string' ? literal(pattern) : unanchored(pattern);
		const context = {name: this.#name, pattern: String(pattern)};
		const late = Promise.withResolvers<'late'>();
		const timer = setTimeout(() => late.resolve('late'), Math.min(timeout, longestTimerMs));
		const abort = () => late.reject(signal?.reason);
		signal?.addEventListener('abort', abort, {once: true});
		late.promise.catch(() => {});
		try {
			signal?.throwIfAborted();
			for (;;) {
				const isOver = this.#isOver;
				const match = this.#match(wanted);
				if (match !== undefined) return match;
				if (isOver) throw apiError('VM_CONSOLE_ENDED', {...context, console: this.#text});
				const next = await Promise.race([this.#changed.promise, late.promise]);
				if (next === 'late') throw apiError('VM_CONSOLE_TIMEOUT', {...context, ms: timeout, console: this.#text});
				await sleep(lookMs);
			}
		} finally {
			clearTimeout(timer);
			signal?.removeEventListener('abort', abort);
		}
	}

	#match(pattern: RegExp): RegExpMatchArray | undefined {
		const start = Math.max(0, this.#found - this.#dropped);
		const match = pattern.exec(this.#text.slice(start));
		if (match === null) return undefined;
		this.#found = this.#dropped + start + match.index + match[0].length;
		return match;
	}

	#end(): void {
		this.#isOver = true;
		this.#take(this.#decoder.end());
		this.#change();
	}

	#take(text: string): void {
		if (text === '') return;
		this.#text += text;
		const surplus = this.#text.length - keptCharacters;
		// Seldom, and then more than there has to be: each time all of it is copied.
		if (surplus > keptCharacters / 4) {
			this.#text = this.#text.slice(surplus);
			this.#dropped += surplus;
		}
		for (const listener of this.#listeners) listener(text);
		this.#change();
	}

	#change(): void {
		this.#changed.resolve();
		this.#changed = Promise.withResolvers();
	}
}

const readMs = 5000;

/** Waits until all that a machine has written is read, when it has ended: its pipe may hold more. */
export const allRead = (console: GuestConsole): Promise<void> =>
	console.find(/(?!)/, {timeout: readMs}).then(
		() => {},
		() => {},
	);

/** The pattern without what would have it remember where it was. */
const unanchored = ({source, flags}: RegExp): RegExp => new RegExp(source, flags.replace(/[gy]/g, ''));

const literal = (text: string): RegExp => new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
