import {Writable} from 'node:stream';
import {rule} from './answer.ts';
import {limits} from './protocol.ts';

/** What is sent at once of one stream, before others have their turn. */
const piece = 32768;

/** How an input stream sends. */
export interface InputSender {
	/** Resolves when the transport takes more. */
	ready(): Promise<void>;
	data(bytes: Uint8Array): void;
	/** Tells that nothing more comes, and resolves when its writer may hear that all has been taken. */
	end(): Promise<void>;
}

/** What a stream of the host's brings to the agent, as much as the agent has room for. */
export class InputStream extends Writable {
	readonly #sender: InputSender;
	#credit: number = limits.WINDOW;
	#given = Promise.withResolvers<void>();

	constructor(sender: InputSender) {
		super({highWaterMark: piece * 2});
		this.#sender = sender;
		// As of an output stream: who writes hears of it.
		this.on('error', () => {});
	}

	/** @throws BrokenRule where it is more than was sent */
	receiveCredit(bytes: number): void {
		rule(bytes > 0 && this.#credit + bytes <= limits.WINDOW, 'credit for what was not sent');
		this.#credit += bytes;
		this.#wake();
	}

	override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
		this.#send(chunk).then(() => done(), done);
	}

	override _final(done: (error?: Error | null) => void): void {
		this.#sender.end().then(() => done(), done);
	}

	override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
		this.#wake();
		done(error);
	}

	async #send(chunk: Buffer): Promise<void> {
		for (let at = 0; at < chunk.length; ) {
			while (this.#credit === 0 && !this.destroyed) await this.#given.promise;
			await this.#sender.ready();
			if (this.destroyed) return;
			const size = Math.min(piece, this.#credit, chunk.length - at);
			this.#credit -= size;
			this.#sender.data(chunk.subarray(at, at + size));
			at += size;
		}
	}

	#wake(): void {
		this.#given.resolve();
		this.#given = Promise.withResolvers();
	}
}
