import {createConnection, type Socket} from 'node:net';
import {StringDecoder} from 'node:string_decoder';
import type {OperationSignal} from '#support/abort';
import {apiError} from './errors.ts';

/** Characters of a guest's output that are kept. */
export const keptCharacters: number = 2 ** 20;
/** Output comes in many small pieces, and a pattern is looked for in all that is kept. */
const lookMs = 10;
const usualTimeoutMs = 60_000;

/** Choices for {@link GuestConsole.find}. */
export interface FindOptions {
	/** Milliseconds; 60 000 if not given, `Infinity` for as long as the machine is there. */
	readonly timeout?: number;
	readonly signal?: OperationSignal;
}

/** What is told of a guest's output, as it comes. */
export type ConsoleListener = (text: string) => void;

/** The guest's first serial port, COM1: what it writes, and what is written to it. Of its output the last mebibyte is kept. */
export class GuestConsole {
	readonly #name: string;
	readonly #decoder = new StringDecoder('utf8');
	readonly #listeners = new Set<ConsoleListener>();
	#socket: Socket | undefined;
	#text = '';
	/** Characters that are kept no more. */
	#dropped = 0;
	/** Place behind what was found last, in all that was ever written. */
	#found = 0;
	#isOver = false;
	#changed = Promise.withResolvers<void>();

	/** @internal @param name - of the machine */
	constructor(name: string) {
		this.#name = name;
	}

	/** @internal Connects to the port's socket. @throws NodeJS.ErrnoException */
	async open(path: string): Promise<void> {
		const socket = createConnection({path, allowHalfOpen: true});
		const connected = Promise.withResolvers<void>();
		socket.once('connect', () => connected.resolve());
		socket.on('error', (error) => connected.reject(error));
		socket.on('data', (bytes) => this.#take(this.#decoder.write(bytes)));
		// The port is closed when the machine ends, and all that was written comes before.
		socket.on('end', () => this.close());
		socket.on('close', () => this.close());
		this.#socket = socket;
		await connected.promise;
	}

	/** @internal Ends it. */
	close(): void {
		if (this.#isOver) return;
		this.#isOver = true;
		this.#take(this.#decoder.end());
		this.#socket?.destroy();
		this.#change();
	}

	/** The guest's output, of which the last {@link keptCharacters} are there. */
	get text(): string {
		return this.#text;
	}

	/** Types into it. */
	write(text: string | Uint8Array): void {
		this.#socket?.write(text);
	}

	/** Has a function told of output as it comes. @returns ends that */
	listen(listener: ConsoleListener): () => void {
		this.#listeners.add(listener);
		return () => void this.#listeners.delete(listener);
	}

	/**
	 * Waits until the guest has written something that the pattern matches. Each search begins behind what the one before has found, so that
	 * one prompt after the other is waited for.
	 * @throws VmmError VM_CONSOLE_TIMEOUT and VM_CONSOLE_ENDED, which show what there is instead; what the signal is aborted with
	 */
	async find(
		pattern: RegExp | string,
		{timeout = usualTimeoutMs, signal}: FindOptions = {},
	): Promise<RegExpMatchArray> {
		const wanted = typeof pattern === 'string' ? literal(pattern) : unanchored(pattern);
		const context = {name: this.#name, pattern: String(pattern)};
		const late = Promise.withResolvers<'late'>();
		const end = Math.min(timeout, 2 ** 31 - 1);
		const timer = setTimeout(() => late.resolve('late'), end);
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
				await new Promise<void>((resolve) => setTimeout(resolve, lookMs));
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

/** The pattern without what would have it remember where it was. */
const unanchored = ({source, flags}: RegExp): RegExp => new RegExp(source, flags.replace(/[gy]/g, ''));

const literal = (text: string): RegExp => new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
