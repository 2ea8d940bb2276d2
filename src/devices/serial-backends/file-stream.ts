import {close, read, write} from 'node:fs';
import {Errno} from '#support/ffi';
import type {Reactor} from '#support/reactor';
import {type ByteStream, departed, type StreamOwner} from './byte-stream.ts';

/** Most that is read ahead. */
const chunkBytes = 4096;

/**
 * A file that cannot be waited for, and may take its time: threads of Node's pool read and write it, one buffer each way at
 * a time, at the place where the descriptor is.
 */
export class FileStream implements ByteStream {
	readonly #fd: number;
	readonly #owned: boolean;
	readonly #reactor: Reactor;
	readonly #owner: StreamOwner;
	#wanted = {readable: false, writable: false};
	#isWriting = false;
	#isReading = false;
	#ahead = new Uint8Array(0);
	#hasNoMore = false;
	#ended = false;
	#isDisposed = false;
	readonly #idle = Promise.withResolvers<void>();

	/** @param owned - closed by {@link dispose}, or by the end of what is under way then */
	constructor(fd: number, owned: boolean, reactor: Reactor, owner: StreamOwner) {
		this.#fd = fd;
		this.#owned = owned;
		this.#reactor = reactor;
		this.#owner = owner;
	}

	get ended(): boolean {
		return this.#ended;
	}

	get flushed(): boolean {
		return !this.#isWriting;
	}

	write(source: Uint8Array): number {
		if (this.#ended || this.#isWriting || source.length === 0) return 0;
		this.#isWriting = true;
		this.#put(source.slice());
		return source.length;
	}

	read(target: Uint8Array): number {
		const piece = this.#ahead.subarray(0, target.length);
		target.set(piece);
		this.#ahead = this.#ahead.subarray(piece.length);
		return piece.length;
	}

	interest(readable: boolean, writable: boolean): void {
		this.#wanted = {readable, writable};
		if (readable && this.#ahead.length === 0) this.#fetch();
		this.#tell();
	}

	get doing(): string | undefined {
		if (this.#isWriting) return 'writing to';
		if (this.#isReading) return 'reading';
		return this.#isDisposed ? 'closing' : undefined;
	}

	dispose(): Promise<void> {
		this.#ended = true;
		this.#isDisposed = true;
		this.#closeWhenIdle();
		return this.#idle.promise;
	}

	#put(bytes: Uint8Array): void {
		write(this.#fd, bytes, 0, bytes.length, null, (error, count) => {
			const errno = error === null ? 0 : Math.abs(error.errno ?? Errno.EIO);
			if (errno === 0 && count < bytes.length) return this.#put(bytes.subarray(count));
			this.#isWriting = false;
			if (departed.has(errno)) this.#ended = true;
			if (errno !== 0) this.#reactor.defer(() => this.#owner.refused(bytes.length, errno));
			this.#tell();
			this.#closeWhenIdle();
		});
	}

	#fetch(): void {
		if (this.#isReading || this.#hasNoMore || this.#isDisposed) return;
		this.#isReading = true;
		const chunk = new Uint8Array(chunkBytes);
		read(this.#fd, chunk, 0, chunkBytes, null, (error, count) => {
			this.#isReading = false;
			this.#hasNoMore = error !== null || count === 0;
			this.#ahead = chunk.subarray(0, count);
			this.#tell();
			this.#closeWhenIdle();
		});
	}

	/** Tells the owner of what it asked for, in the reactor's next turn. */
	#tell(): void {
		const {readable, writable} = this.#wanted;
		if ((readable && this.#ahead.length > 0) || (writable && !this.#isWriting))
			this.#reactor.defer(() => this.#owner.changed());
	}

	/** Nothing may use the descriptor's number when it is somebody else's. */
	#closeWhenIdle(): void {
		if (!this.#isDisposed || this.#isWriting || this.#isReading) return;
		const {resolve} = this.#idle;
		if (this.#owned) close(this.#fd, () => resolve());
		else resolve();
	}
}
