import {randomBytes} from 'node:crypto';
import {isVmmError} from '#support/errors';
import {BrokenRule, rule} from './answer.ts';
import {Channel, type Request} from './channel.ts';
import {agentError} from './errors.ts';
import {FrameReader} from './frame-reader.ts';
import {GreetingReader, type GuestFacts, makeGreeting} from './greeting.ts';
import {flags, frames, limits, magic, operations} from './protocol.ts';

/** What goes to the agent and comes from it: a `Duplex` of Node's, or a `GuestStream` of `vm.vsock`. */
export interface AgentTransport extends AsyncIterable<Uint8Array> {
	write(bytes: Uint8Array): boolean;
	destroy(): unknown;
	once(event: 'drain', listener: () => void): unknown;
	on(event: 'error', listener: (error: Error) => void): unknown;
}

/** One connection to the agent: its channels, and the frames of all of them on one stream of bytes. */
export class Connection {
	/** Settled when it has ended: with nothing after `close`, else with why. */
	readonly closed: Promise<Error | undefined>;
	readonly #transport: AgentTransport;
	readonly #channels = new Map<number, Pick<Channel<unknown>, 'receive' | 'lose' | 'isOver'>>();
	readonly #nonce = randomBytes(limits.NONCE_SIZE);
	readonly #facts = Promise.withResolvers<GuestFacts>();
	readonly #closed = Promise.withResolvers<Error | undefined>();
	/** Settled when the transport takes more. */
	#drained: PromiseWithResolvers<void> | undefined;
	#ended: Error | undefined;

	private constructor(transport: AgentTransport) {
		this.#transport = transport;
		this.closed = this.#closed.promise;
		transport.on('error', (error) => this.#end(agentError('AGENT_CLOSED', {cause: error.message})));
	}

	/** Says who is there, and resolves when the agent has answered. */
	static async open(
		transport: AgentTransport,
		options: {readonly signal?: AbortSignal | undefined; readonly killCommands?: boolean | undefined},
	): Promise<{connection: Connection; facts: GuestFacts}> {
		const connection = new Connection(transport);
		const abort = () => connection.#end(options.signal?.reason as Error);
		if (options.signal?.aborted) abort();
		options.signal?.addEventListener('abort', abort, {once: true});
		try {
			if (connection.#ended === undefined) {
				transport.write(makeGreeting(connection.#nonce, options.killCommands ? flags.GREETING_KILL : 0));
				void connection.#read();
			}
			return {connection, facts: await connection.#facts.promise};
		} finally {
			options.signal?.removeEventListener('abort', abort);
		}
	}

	/**
	 * Asks the agent for something.
	 * @param signal - gives it up
	 * @throws VmmError AGENT_BUSY, AGENT_CLOSED; what the signal is aborted with
	 */
	ask<T>(request: Request<T>, signal?: AbortSignal): Channel<T> {
		signal?.throwIfAborted();
		if (this.#ended !== undefined) throw this.#ended;
		let number = 1;
		while (this.#channels.has(number)) number++;
		if (number > limits.MOST_CHANNEL) throw agentError('AGENT_BUSY', {most: limits.MOST_CHANNEL});
		const channel = new Channel<T>(request, {
			send: (type, flag, payload) => this.#send(number, type, flag, payload),
			ready: () => this.#ready(),
		});
		this.#channels.set(number, channel);
		this.#send(number, frames.OPEN, operations[request.operation], request.operands);
		const abort = () => channel.giveUp(signal?.reason as Error);
		signal?.addEventListener('abort', abort, {once: true});
		void channel.gone.then(() => signal?.removeEventListener('abort', abort));
		return channel;
	}

	/** Ends it for a rule that was found broken when an answer was read. @returns why it ended */
	broken(rule: BrokenRule): Error {
		this.#end(endOf(rule));
		return this.#ended as Error;
	}

	/** Ends it, whatever goes on. @param cause - why, where that is not its owner's wish */
	close(cause?: string): void {
		this.#end(cause === undefined ? undefined : agentError('AGENT_CLOSED', {cause}));
	}

	async #read(): Promise<void> {
		const greeting = new GreetingReader(this.#nonce);
		const reader = new FrameReader((number, type, flag, payload) => this.#receive(number, type, flag, payload));
		let isGreeted = false;
		try {
			for await (const chunk of this.#transport) {
				if (this.#ended !== undefined) return;
				const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
				if (isGreeted) {
					reader.take(bytes);
					continue;
				}
				const answer = greeting.take(bytes);
				if (answer === undefined) continue;
				isGreeted = true;
				this.#facts.resolve(answer.facts);
				reader.take(answer.rest);
			}
			this.#end(agentError('AGENT_CLOSED', {cause: 'the other side has ended it'}));
		} catch (error) {
			this.#end(endOf(error));
		}
	}

	/** @throws BrokenRule */
	#receive(number: number, type: number, flag: number, payload: Buffer): void {
		if (this.#ended !== undefined) return;
		if (number === 0 && type === frames.CLOSED && payload.length === 0) {
			this.#end(agentError('AGENT_CLOSED', {cause: 'the agent has given up all that was begun by it'}));
			return;
		}
		const channel = this.#channels.get(number);
		rule(channel !== undefined, `a frame of channel ${number}, which there is not`);
		channel.receive(type, flag, payload);
		if (channel.isOver) this.#channels.delete(number);
	}

	/** Sends a frame, or several where a greeting would be seen in it. */
	#send(number: number, type: number, flag: number, payload: Uint8Array = nothing): void {
		if (this.#ended !== undefined) return;
		const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
		const greeting = type === frames.DATA ? bytes.indexOf(magic) : -1;
		if (greeting !== -1) {
			const within = greeting + limits.MAGIC_SIZE / 2;
			this.#send(number, type, flag, bytes.subarray(0, within));
			this.#send(number, type, flag, bytes.subarray(within));
			return;
		}
		const frame = Buffer.allocUnsafe(limits.HEADER_SIZE + bytes.length);
		frame.writeUInt32LE(bytes.length, 0);
		frame.writeUInt16LE(number, 4);
		frame.writeUInt8(type, 6);
		frame.writeUInt8(flag, 7);
		frame.set(bytes, limits.HEADER_SIZE);
		if (this.#transport.write(frame) || this.#drained !== undefined) return;
		const drained = Promise.withResolvers<void>();
		this.#drained = drained;
		this.#transport.once('drain', () => {
			this.#drained = undefined;
			drained.resolve();
		});
	}

	async #ready(): Promise<void> {
		while (this.#drained !== undefined && this.#ended === undefined) await this.#drained.promise;
	}

	/** @param reason - why, unless this side closes it */
	#end(reason: Error | undefined): void {
		if (this.#ended !== undefined) return;
		this.#ended = reason ?? agentError('AGENT_CLOSED', {cause: 'it was closed'});
		this.#facts.promise.catch(() => {});
		this.#facts.reject(this.#ended);
		this.#closed.resolve(reason);
		for (const channel of this.#channels.values()) channel.lose(this.#ended);
		this.#channels.clear();
		this.#drained?.resolve();
		this.#transport.destroy();
	}
}

const nothing = new Uint8Array(0);

/** A rule that was broken is one error, whatever the rule; what else fails is the stream. */
function endOf(error: unknown): Error {
	if (error instanceof BrokenRule) return agentError('AGENT_PROTOCOL_BROKEN', {rule: error.message});
	if (isVmmError(error)) return error;
	return agentError('AGENT_CLOSED', {cause: error instanceof Error ? error.message : String(error)});
}
