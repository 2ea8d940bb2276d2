import {close, Errno, read, write} from '#support/ffi';
import type {Reactor, Watch} from '#support/reactor';

/** Reasons of read(2) and write(2) that pass by themselves. */
const transient = new Set<number>([Errno.EAGAIN, Errno.EWOULDBLOCK, Errno.EINTR]);

/** Reasons of write(2) that mean that nobody reads any more, rather than that these bytes were refused. */
const departed = new Set<number>([Errno.EPIPE, Errno.ECONNRESET, Errno.ENOTCONN, Errno.EIO, Errno.EBADF]);

/** A descriptor of the host that is read and written without waiting. */
export class HostStream {
	readonly #fd: number;
	readonly #owned: boolean;
	readonly #reactor: Reactor;
	readonly #ready: () => void;
	#watch: Watch | undefined;
	#ended = false;

	/**
	 * @param fd - non-blocking, or one on which writes never wait
	 * @param owned - closed by {@link dispose}
	 * @param ready - called when what {@link interest} asked for may be possible
	 */
	constructor(fd: number, owned: boolean, reactor: Reactor, ready: () => void) {
		this.#fd = fd;
		this.#owned = owned;
		this.#reactor = reactor;
		this.#ready = ready;
	}

	/** True once the other side has closed, or the descriptor failed. */
	get ended(): boolean {
		return this.#ended;
	}

	/** As {@link SerialBackend.read}. */
	read(target: Uint8Array): number {
		if (this.#ended || target.length === 0) return 0;
		const count = read(this.#fd, target);
		if (count > 0) return count;
		if (count === 0 || !transient.has(-count)) this.#end();
		return 0;
	}

	/** As {@link SerialBackend.write}. */
	write(source: Uint8Array): number {
		if (this.#ended) return 0;
		const count = write(this.#fd, source);
		if (count >= 0) return count;
		if (transient.has(-count)) return 0;
		if (!departed.has(-count)) return count;
		this.#end();
		return 0;
	}

	/**
	 * Asks for calls. A descriptor nobody asks about is taken out of the wait altogether: a hang-up is reported however
	 * little was asked for (epoll_ctl(2), EPOLLHUP), and would keep the thread spinning.
	 */
	interest(readable: boolean, writable: boolean): void {
		if (this.#ended || (!readable && !writable)) {
			this.#watch?.close();
			this.#watch = undefined;
		} else if (this.#watch === undefined) {
			this.#watch = this.#reactor.watch(this.#fd, {readable, writable}, this.#ready);
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
