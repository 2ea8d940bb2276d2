import {close, read, transient, write} from '#support/ffi';
import type {Reactor, Watch} from '#support/reactor';
import {type ByteStream, departed, type StreamOwner} from './byte-stream.ts';

/** Reasons of read(2) and write(2) that pass by themselves. */

/** A descriptor of the host that can be waited for. */
export class HostStream implements ByteStream {
	readonly #fd: number;
	readonly #owned: boolean;
	readonly #reactor: Reactor;
	readonly #owner: StreamOwner;
	#watch: Watch | undefined;
	#ended = false;

	/**
	 * @param fd - non-blocking
	 * @param owned - closed by {@link dispose}
	 */
	constructor(fd: number, owned: boolean, reactor: Reactor, owner: StreamOwner) {
		this.#fd = fd;
		this.#owned = owned;
		this.#reactor = reactor;
		this.#owner = owner;
	}

	readonly flushed = true;

	get ended(): boolean {
		return this.#ended;
	}

	read(target: Uint8Array): number {
		if (this.#ended || target.length === 0) return 0;
		const count = read(this.#fd, target);
		if (count > 0) return count;
		if (count === 0 || !transient.has(-count)) this.#end();
		return 0;
	}

	write(source: Uint8Array): number {
		if (this.#ended) return 0;
		const count = write(this.#fd, source);
		if (count >= 0) return count;
		if (transient.has(-count)) return 0;
		if (departed.has(-count)) {
			this.#end();
			return 0;
		}
		this.#owner.refused(source.length, -count);
		return source.length;
	}

	/**
	 * A descriptor nobody asks about is taken out of the wait altogether: a hang-up is reported however
	 * little was asked for (epoll_ctl(2), EPOLLHUP), and would keep the thread spinning.
	 */
	interest(readable: boolean, writable: boolean): void {
		if (this.#ended || (!readable && !writable)) {
			this.#watch?.close();
			this.#watch = undefined;
		} else if (this.#watch === undefined) {
			this.#watch = this.#reactor.watch(this.#fd, {readable, writable}, () => this.#owner.changed());
		} else {
			this.#watch.interest(readable, writable);
		}
	}

	dispose(): void {
		this.#end();
		if (this.#owned) close(this.#fd);
	}

	#end(): void {
		this.#ended = true;
		this.interest(false, false);
	}
}
