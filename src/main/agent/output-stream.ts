import {Readable} from 'node:stream';
import {rule} from './answer.ts';
import {limits} from './protocol.ts';

/**
 * What a stream of the agent's brings. At most a window of it is kept: the agent may send more as it is read, and all the same when nobody
 * is to read it any more.
 */
export class OutputStream extends Readable {
	readonly #give: (bytes: number) => void;
	/** What the agent may still send. */
	#credit: number = limits.WINDOW;
	#isEnded = false;

	/** @param give - gives the agent credit */
	constructor(give: (bytes: number) => void) {
		super({highWaterMark: limits.WINDOW / 2});
		this.#give = give;
		// A program that does not look at a stream is not ended by it: what awaits the command or the file hears of it.
		this.on('error', () => {});
	}

	/** The agent will send nothing more. */
	get isEnded(): boolean {
		return this.#isEnded;
	}

	/** @throws BrokenRule where there is no credit for it, or it has ended */
	receive(bytes: Buffer): void {
		rule(!this.#isEnded, 'data behind the end of a stream');
		rule(bytes.length > 0 && bytes.length <= this.#credit, 'data without credit');
		this.#credit -= bytes.length;
		// The frame's buffer is one of many frames: a short rest of it would keep all.
		if (!this.destroyed) this.push(Buffer.from(bytes));
		this.#account();
	}

	/** @throws BrokenRule where it has ended */
	receiveEnd(): void {
		rule(!this.#isEnded, 'two ends of a stream');
		this.#isEnded = true;
		if (!this.destroyed) this.push(null);
	}

	// Whoever reads comes by here, and takes all that is kept at once where it can: _read comes before that.
	override read(size?: number): unknown {
		const bytes: unknown = super.read(size);
		this.#account();
		return bytes;
	}

	override _read(): void {}

	override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
		done(error);
		this.#account();
	}

	/** A quarter of the window at a time: less would be a frame for each read. */
	#account(): void {
		const kept = this.destroyed ? 0 : this.readableLength;
		const bytes = limits.WINDOW - this.#credit - kept;
		if (this.#isEnded || bytes < limits.WINDOW / 4) return;
		this.#credit += bytes;
		this.#give(bytes);
	}
}
