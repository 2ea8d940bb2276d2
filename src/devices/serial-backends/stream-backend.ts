import type {ByteStream} from './byte-stream.ts';
import type {SerialBackend} from './serial-backend.ts';

/** Input that the terminal's owner may feed ahead of the guest. */
const feedCapacity = 4096;

/** Output to a stream; input from another one or fed, where the kind has input. */
export class StreamBackend implements SerialBackend {
	readonly #output: ByteStream;
	readonly #input: ByteStream | undefined;
	readonly #fed: Uint8Array;
	#fedLength = 0;

	constructor(output: ByteStream, options: {readonly input?: ByteStream; readonly feedable?: boolean} = {}) {
		this.#output = output;
		this.#input = options.input;
		this.#fed = new Uint8Array(options.feedable === true ? feedCapacity : 0);
	}

	get connected(): boolean {
		return !this.#output.ended;
	}

	get flushed(): boolean {
		return this.#output.flushed;
	}

	write(source: Uint8Array): number {
		return this.#output.write(source);
	}

	read(target: Uint8Array): number {
		if (this.#fedLength === 0) return this.#input?.read(target) ?? 0;
		const count = Math.min(this.#fedLength, target.length);
		target.set(this.#fed.subarray(0, count));
		this.#fed.copyWithin(0, count, this.#fedLength);
		this.#fedLength -= count;
		return count;
	}

	interest(readable: boolean, writable: boolean): void {
		this.#output.interest(false, writable);
		this.#input?.interest(readable, false);
	}

	feed(source: Uint8Array): number {
		const count = Math.min(this.#fed.length - this.#fedLength, source.length);
		this.#fed.set(source.subarray(0, count), this.#fedLength);
		this.#fedLength += count;
		return count;
	}

	get ready(): Promise<void> {
		return this.#output.ready ?? Promise.resolve();
	}

	get inFlight(): string | undefined {
		return this.#output.doing;
	}

	async dispose(): Promise<void> {
		await Promise.all([this.#output.dispose(), this.#input?.dispose()]);
	}
}
