import {Socket} from 'node:net';
import type {Duplex} from 'node:stream';
import type {Clock} from '../clock.ts';
import {type HostEvents, type HostStream, mostWrites} from './host-stream.ts';

/** A stream of Node's as the host's side: a program's answer, a service of the network's, a connection to a port that is forwarded. */
export class NodeStream implements HostStream {
	readonly #stream: Duplex;
	readonly #clock: Clock;
	/** Writes that it has not taken. */
	#writes = 0;
	#events: HostEvents | undefined;

	constructor(stream: Duplex, clock: Clock) {
		this.#stream = stream;
		this.#clock = clock;
	}

	get waiting(): number {
		return this.#stream.writableLength;
	}

	get takesMore(): boolean {
		return this.#writes < mostWrites;
	}

	get isPaused(): boolean {
		return this.#stream.isPaused();
	}

	start(events: HostEvents): void {
		const stream = this.#stream;
		this.#events = events;
		let hasEnded = false;
		const failed = () => this.#events?.failed();
		stream.on('data', (chunk: Uint8Array) => {
			this.#events?.data(chunk);
			this.#events?.batch();
		});
		stream.on('end', () => {
			hasEnded = true;
			this.#events?.end();
		});
		stream.on('error', failed);
		stream.on('close', () => {
			if (!hasEnded || !stream.writableFinished) failed();
		});
		// It begins to read: see `Clock.began`.
		this.#clock.began();
	}

	write(bytes: Uint8Array): void {
		this.#writes++;
		this.#stream.write(bytes.slice(), (error) => {
			this.#writes--;
			if (!error) this.#events?.taken();
		});
		this.#clock.began();
	}

	flush(): void {}

	end(): void {
		this.#stream.end();
		this.#clock.began();
	}

	pause(): void {
		this.#stream.pause();
	}

	resume(): void {
		this.#stream.resume();
		this.#clock.began();
	}

	abort(): void {
		this.#events = undefined;
		const stream = this.#stream;
		if (stream.destroyed) return;
		// While an end is on its way libuv resets nothing, and Node would keep the descriptor: all that was written is the kernel's by then.
		const isEnding = stream.writableEnded && !stream.writableFinished && stream.writableLength === 0;
		if (stream instanceof Socket && !isEnding) stream.resetAndDestroy();
		else stream.destroy();
		// What it fails with later concerns nobody.
		stream.on('error', () => undefined);
	}
}
