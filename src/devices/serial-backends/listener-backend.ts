import {accept, close, Errno} from '#support/ffi';
import type {Reactor, Timer, Watch} from '#support/reactor';
import type {StreamOwner} from './byte-stream.ts';
import {HostStream} from './host-stream.ts';
import type {SerialBackend} from './serial-backend.ts';

/** Reasons of accept(2) that concern the client alone, which is as if it had never come. */
const clientLeft = new Set<number>([Errno.EAGAIN, Errno.EINTR, Errno.ECONNABORTED]);

/** Pause after the host had no descriptor or memory for a client, who keeps the listener readable meanwhile. */
const shortageNs = 100e6;

/** Serves one client of a listening socket at a time; the next one is accepted when that has gone. */
export class ListenerBackend implements SerialBackend {
	readonly #fd: number;
	readonly #reactor: Reactor;
	readonly #owner: StreamOwner;
	readonly #closed: () => void;
	#waiting: Watch | undefined;
	#retry: Timer | undefined;
	#client: HostStream | undefined;

	/**
	 * @param fd - listening and non-blocking; owned
	 * @param closed - called by {@link dispose}, after the socket was closed
	 */
	constructor(fd: number, reactor: Reactor, owner: StreamOwner, closed: () => void) {
		this.#fd = fd;
		this.#reactor = reactor;
		this.#owner = owner;
		this.#closed = closed;
		this.#await();
	}

	get connected(): boolean {
		return this.#client !== undefined;
	}

	readonly flushed = true;

	write(source: Uint8Array): number {
		const taken = this.#client?.write(source) ?? 0;
		this.#dropEnded();
		return taken;
	}

	read(target: Uint8Array): number {
		const count = this.#client?.read(target) ?? 0;
		this.#dropEnded();
		return count;
	}

	interest(readable: boolean, writable: boolean): void {
		this.#client?.interest(readable, writable);
	}

	feed(): number {
		return 0;
	}

	dispose(): void {
		this.#client?.dispose();
		this.#client = undefined;
		this.#waiting?.close();
		this.#retry?.cancel();
		close(this.#fd);
		this.#closed();
	}

	/** Looks for clients only while there is none: others stay in the kernel's backlog. */
	#await(): void {
		this.#waiting = this.#reactor.watch(this.#fd, {readable: true, writable: false}, () => this.#accept());
	}

	#accept(): void {
		const fd = accept(this.#fd);
		if (clientLeft.has(-fd)) return;
		this.#waiting?.close();
		this.#waiting = undefined;
		if (fd < 0) {
			this.#retry = this.#reactor.after(shortageNs, () => this.#await());
			return;
		}
		this.#client = new HostStream(fd, true, this.#reactor, this.#owner);
		this.#owner.changed();
	}

	#dropEnded(): void {
		if (this.#client?.ended !== true) return;
		this.#client.dispose();
		this.#client = undefined;
		this.#await();
	}
}
