import type {Socket} from 'node:net';
import type {VmEnd} from '#main/vm';
import {isVmmError} from '#support/errors';
import {noBreakpoints} from '#vcpu-worker/debug';
import {failure, findCommand, type Reply} from './commands/index.ts';
import type {Debuggee} from './debuggee.ts';
import {type ClientEvent, framePacket, PacketReader} from './protocol/index.ts';
import {Session} from './session.ts';
import {endReply} from './stop-reply.ts';

/** Replies that a client has not read. One that asks and asks and never reads is dropped. */
const maxUnreadBytes = 2 ** 20;

/** The connection has broken: the errno's name, or what Node makes of it. */
const isConnectionError = (error: unknown): boolean =>
	/^(E[A-Z]+|ERR_STREAM_PREMATURE_CLOSE)$/.test((error as NodeJS.ErrnoException).code ?? '');

const farewellMs = 1000;

/** A debugger at the other end of a connection. It is attached to the machine until the connection is over. */
export class Client {
	readonly #socket: Socket;
	readonly #machine: Debuggee;
	readonly #session: Session;
	readonly #reader = new PacketReader();
	#lastReply: Uint8Array = new Uint8Array(0);
	#leaving = false;

	constructor(socket: Socket, machine: Debuggee) {
		this.#socket = socket;
		this.#machine = machine;
		this.#session = new Session(machine, (reply) => this.#send(reply));
	}

	/** Serves the client; resolves when it has gone. @throws VmmError when the machine cannot be debugged */
	async serve(): Promise<void> {
		// The reason does not matter: the connection is over.
		this.#socket.on('error', () => {});
		this.#socket.setNoDelay(true);
		try {
			this.#machine.attachDebugger((stop) => this.#session.stopped(stop));
			await this.#attached();
		} finally {
			this.#socket.destroy();
		}
	}

	async #attached(): Promise<void> {
		try {
			await this.#machine.pause();
			for await (const chunk of this.#socket) {
				for (const event of this.#reader.push(chunk as Buffer)) await this.#take(event);
				if (this.#leaving) break;
			}
		} catch (error) {
			if (!isConnectionError(error)) throw error;
		} finally {
			// A guest that runs goes on; one that stands still waits for the console or the next debugger.
			await this.#machine.detachDebugger();
		}
	}

	/** The machine is over: tells a client that waits for it, and resolves when it has been told. */
	async over(end: VmEnd): Promise<void> {
		if (this.#session.waiting) this.#send(endReply(end));
		if (this.#socket.destroyed) return;
		await new Promise<void>((resolve) => {
			this.#socket.once('close', () => resolve());
			this.#socket.end(() => this.#socket.destroy());
			// A client that reads nothing does not keep the machine's owner waiting.
			this.#socket.setTimeout(farewellMs, () => this.#socket.destroy());
		});
	}

	/** Ends the connection. */
	drop(): void {
		this.#socket.destroy();
	}

	async #take(event: ClientEvent): Promise<void> {
		switch (event.kind) {
			case 'ack':
				return;
			case 'resend':
				this.#write(this.#lastReply);
				return;
			case 'damaged':
				if (!this.#session.noAcks) this.#write(Buffer.from('-'));
				return;
			case 'too long':
				this.#socket.destroy();
				return;
			case 'interrupt':
				await this.#machine.pause();
				return;
			case 'packet':
				if (!this.#session.noAcks) this.#write(Buffer.from('+'));
				return this.#serve(event.data);
		}
	}

	async #serve(packet: string): Promise<void> {
		if (packet.startsWith('D')) return this.#detach();
		const found = findCommand(packet);
		const reply = found === undefined ? '' : await this.#answer(() => found.command(this.#session, found.argument));
		if (reply !== undefined) this.#send(reply);
	}

	async #answer(act: () => Reply | Promise<Reply>): Promise<Reply> {
		try {
			return await act();
		} catch (error) {
			if (!isVmmError(error)) throw error;
			return failure.permission;
		}
	}

	async #detach(): Promise<void> {
		this.#leaving = true;
		this.#send('OK');
		await this.#machine.detachDebugger();
		await this.#machine.runDebugged(noBreakpoints);
		this.#socket.end();
	}

	#send(data: string): void {
		this.#lastReply = framePacket(data);
		this.#write(this.#lastReply);
	}

	#write(bytes: Uint8Array): void {
		if (this.#socket.writableLength > maxUnreadBytes) this.#socket.destroy();
		else if (this.#socket.writable) this.#socket.write(bytes);
	}
}
