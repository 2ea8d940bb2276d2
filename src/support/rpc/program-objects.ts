import {MessageChannel, type MessagePort, receiveMessageOnPort} from 'node:worker_threads';
import type {Answered, Asked, ProgramAnswer, ProgramHandle, ProgramObject} from './program-object.ts';

/**
 * The objects of a program that devices of one machine call, on the program's thread. Each device worker has a channel of its own: comlink knows
 * neither of callers who give up nor of ends that go.
 */
export class ProgramObjects {
	readonly #objects = new Map<number, ProgramObject>();
	readonly #threads = new Set<Thread>();
	#next = 1;

	/** Keeps an object until it is forgotten, or the machine ends. */
	keep(object: ProgramObject): ProgramHandle {
		const programObject = this.#next++;
		this.#objects.set(programObject, object);
		return {programObject};
	}

	/** Its device has gone: what that has said before is heard, and who calls it now hears so. */
	forget({programObject}: ProgramHandle): void {
		for (const thread of this.#threads) thread.hear();
		this.#objects.delete(programObject);
	}

	/** Number of objects that are kept. */
	get size(): number {
		return this.#objects.size;
	}

	/** Calls that somebody waits for: one that is given up is forgotten, whether or not it comes to an end. */
	get underWay(): number {
		return [...this.#threads].reduce((sum, thread) => sum + thread.underWay, 0);
	}

	/** Opens a channel for a thread, whose end it is to be given. It keeps no process from its end. */
	connect(): MessagePort {
		const {port1, port2} = new MessageChannel();
		const thread = new Thread(port1, (handle) => this.#objects.get(handle));
		this.#threads.add(thread);
		port1.on('close', () => {
			thread.end();
			this.#threads.delete(thread);
		});
		port1.unref();
		return port2;
	}

	/** The machine has ended. What its threads have said before is heard. */
	close(): void {
		for (const thread of this.#threads) thread.close();
		this.#objects.clear();
	}
}

/** One thread's calls. */
class Thread {
	readonly #port: MessagePort;
	readonly #find: (object: number) => ProgramObject | undefined;
	readonly #running = new Map<number, AbortController>();

	constructor(port: MessagePort, find: (object: number) => ProgramObject | undefined) {
		this.#port = port;
		this.#find = find;
		port.on('message', (asked: Asked) => this.#heard(asked));
	}

	get underWay(): number {
		return this.#running.size;
	}

	/** Nobody waits for what runs. */
	end(): void {
		for (const abort of this.#running.values()) abort.abort();
		this.#running.clear();
	}

	/** Hears what has been said, and waits in the channel. */
	hear(): void {
		for (let left = receiveMessageOnPort(this.#port); left !== undefined; left = receiveMessageOnPort(this.#port))
			this.#heard(left.message as Asked);
	}

	close(): void {
		this.hear();
		this.#port.close();
	}

	#heard(asked: Asked): void {
		if ('call' in asked) void this.#serve(asked);
		else this.#giveUp(asked.giveUp);
	}

	/** Who never comes to an end would otherwise be kept for ever, as often as a guest wants. */
	#giveUp(call: number): void {
		const abort = this.#running.get(call);
		this.#running.delete(call);
		abort?.abort();
	}

	async #serve({call, object, method, argument}: Exclude<Asked, {giveUp: number}>): Promise<void> {
		const abort = new AbortController();
		this.#running.set(call, abort);
		const answer = await answerOf(this.#find(object), method, argument, abort.signal);
		if (!this.#running.delete(call)) return;
		try {
			this.#port.postMessage({call, answer} satisfies Answered);
		} catch (cause) {
			this.#port.postMessage({call, answer: failureOf(cause)} satisfies Answered);
		}
	}
}

async function answerOf(
	object: ProgramObject | undefined,
	method: string,
	argument: unknown,
	signal: AbortSignal,
): Promise<ProgramAnswer> {
	if (object === undefined) return {kind: 'gone'};
	try {
		const value: unknown = await object[method]?.(argument, signal);
		return {kind: 'value', value};
	} catch (cause) {
		return failureOf(cause);
	}
}

/** What is thrown may be anything, and may throw when it is looked at. */
function failureOf(cause: unknown): ProgramAnswer {
	try {
		const {message, code} =
			cause instanceof Error ? (cause as NodeJS.ErrnoException) : {message: cause, code: undefined};
		return {kind: 'failed', message: String(message), code: typeof code === 'string' ? code : undefined};
	} catch {
		return {kind: 'failed', message: 'it has thrown what cannot be shown', code: undefined};
	}
}
