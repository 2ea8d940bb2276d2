import type {ByteStream} from './byte-stream.ts';
import type {ConsoleLog} from './console-log.ts';

/** Output to a stream, which is logged too. It goes on when nobody reads the stream any more. */
export class LoggedStream implements ByteStream {
	readonly #output: ByteStream;
	readonly #log: ConsoleLog;
	readonly ended = false;

	constructor(output: ByteStream, log: ConsoleLog) {
		this.#output = output;
		this.#log = log;
	}

	get flushed(): boolean {
		return this.#output.ended || this.#output.flushed;
	}

	get doing(): string | undefined {
		return this.#output.doing;
	}

	write(source: Uint8Array): number {
		const taken = this.#output.write(source);
		// It may have ended just now.
		const count = this.#output.ended ? source.length : taken;
		this.#log.append(source.subarray(0, count));
		return count;
	}

	read(target: Uint8Array): number {
		return this.#output.read(target);
	}

	interest(readable: boolean, writable: boolean): void {
		this.#output.interest(readable, writable);
	}

	dispose(): void | Promise<void> {
		this.#log.close();
		return this.#output.dispose();
	}
}
