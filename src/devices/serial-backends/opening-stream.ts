import {close, open} from 'node:fs';
import {Errno, O} from '#support/ffi';
import type {Reactor} from '#support/reactor';
import {openStream} from './adopt-descriptor.ts';
import type {ByteStream, StreamOwner} from './byte-stream.ts';
import {serialError} from './errors.ts';

/**
 * A file that is opened for output, and created or emptied, by a thread of Node's pool: a file system may take its time, or hang. Until it
 * is open it takes nothing.
 */
export class OpeningStream implements ByteStream {
	/** Rejects with VmmError SERIAL_FILE_UNUSABLE. */
	readonly ready: Promise<void>;
	readonly #path: string;
	#stream: ByteStream | undefined;
	#wanted = {readable: false, writable: false};
	#isDisposed = false;
	#hasFailed = false;

	constructor(path: string, reactor: Reactor, owner: StreamOwner) {
		this.#path = path;
		this.ready = openInPool(path).then(async (fd) => {
			this.#hasFailed = fd < 0;
			if (fd < 0) throw serialError('SERIAL_FILE_UNUSABLE', {path, errno: fd});
			if (this.#isDisposed) return closeInPool(fd);
			this.#stream = openStream(fd, true, reactor, owner);
			this.#stream.interest(this.#wanted.readable, this.#wanted.writable);
		});
		// Whoever waits for it handles this.
		this.ready.catch(() => {});
	}

	get ended(): boolean {
		return this.#stream?.ended ?? this.#hasFailed;
	}

	get flushed(): boolean {
		return this.#stream?.flushed ?? true;
	}

	get doing(): string | undefined {
		if (this.#stream === undefined) return `opening ${this.#path}`;
		const doing = this.#stream.doing;
		return doing && `${doing} ${this.#path}`;
	}

	write(source: Uint8Array): number {
		return this.#stream?.write(source) ?? 0;
	}

	read(target: Uint8Array): number {
		return this.#stream?.read(target) ?? 0;
	}

	interest(readable: boolean, writable: boolean): void {
		this.#wanted = {readable, writable};
		this.#stream?.interest(readable, writable);
	}

	async dispose(): Promise<void> {
		this.#isDisposed = true;
		if (this.#stream !== undefined) return this.#stream.dispose();
		await this.ready.catch(() => {});
	}
}

/** Resolves with the descriptor or the negated errno. */
const openInPool = (path: string): Promise<number> =>
	new Promise((resolve) =>
		open(path, O.WRONLY | O.CREAT | O.TRUNC | O.NONBLOCK | O.NOCTTY, 0o644, (error, fd) =>
			resolve(error === null ? fd : (error.errno ?? -Errno.EIO)),
		),
	);

const closeInPool = (fd: number): Promise<void> => new Promise((resolve) => close(fd, () => resolve()));
