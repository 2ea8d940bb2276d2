import {accept, clientLeft, close} from '#support/ffi';
import type {Reactor, Timer, Watch} from '#support/reactor';
import type {StreamOwner} from './byte-stream.ts';
import {HostStream} from './host-stream.ts';
import type {SerialBackend} from './serial-backend.ts';

/** Pause after the host had no descriptor or memory for a client, who keeps the listener readable meanwhile. */
const shortageNs = 100e6;

/** A socket that listens, or will. */
export interface ListeningSocket {
	/** For people. */
	readonly name: string;
	/** Non-blocking; the backend's. */
	readonly fd: number | Promise<number>;
	/** Called when it has been closed. */
	closed?(): Promise<void>;
}

/** Serves one client of a listening socket at a time; the next one is accepted when that has gone. */
export class ListenerBackend implements SerialBackend {
	readonly ready: Promise<void>;
	readonly #socket: ListeningSocket;
	#fd = -1;
	#isDisposed = false;
	readonly #reactor: Reactor;
	readonly #owner: StreamOwner;
	#waiting: Watch | undefined;
	#retry: Timer | undefined;
	#client: HostStream | undefined;

	constructor(socket: ListeningSocket, reactor: Reactor, owner: StreamOwner) {
		this.#socket = socket;
		this.#reactor = reactor;
		this.#owner = owner;
		this.ready = Promise.resolve(socket.fd).then((fd) => {
			this.#fd = fd;
			if (!this.#isDisposed) this.#await();
		});
		// Whoever waits for it handles this.
		this.ready.catch(() => {});
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

	get inFlight(): string | undefined {
		const {name} = this.#socket;
		return this.#fd < 0 ? `opening ${name}` : this.#isDisposed ? `removing ${name}` : undefined;
	}

	async dispose(): Promise<void> {
		this.#isDisposed = true;
		this.#client?.dispose();
		this.#client = undefined;
		this.#waiting?.close();
		this.#retry?.cancel();
		await this.ready.catch(() => {});
		if (this.#fd < 0) return;
		close(this.#fd);
		await this.#socket.closed?.();
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
