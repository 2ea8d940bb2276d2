import {accept, clientLeft, close, connectUnix, listenUnix, removeUnixSocket} from '#support/ffi';
import type {Reactor, Timer, Watch} from '#support/reactor';
import {vsockError} from './errors.ts';
import {portPath} from './handle.ts';
import {HostSocket} from './host-socket.ts';

/** Clients that the kernel keeps until they are accepted. */
const mostWaiting = 128;
/** Clients that have not said which port they want, at most: the one that has been silent for the longest goes. */
const mostAsking = 64;
/** Bytes of the line that says it. */
const mostLine = 32;
/** Pause after the host had no descriptor or memory for a client, who keeps the listener readable meanwhile. */
const shortageNs = 100e6;

/** A client of the host's that has asked for a port of the guest's. */
export interface Asker {
	readonly socket: HostSocket;
	readonly port: number;
	/** Bytes behind its line. */
	readonly rest: Uint8Array;
}

/**
 * The host's sockets in Firecracker's manner: a listener whose clients say which port of the guest they want, and a socket of its own for each port
 * that the guest connects to.
 */
export class HostSide {
	readonly #path: string;
	readonly #reactor: Reactor;
	readonly #asked: (asker: Asker) => void;
	readonly #asking = new Set<HostSocket>();
	#listener = -1;
	#waiting: Watch | undefined;
	#retry: Timer | undefined;
	#isRunning = false;
	#isDisposed = false;
	#opening: Promise<void> | undefined;

	/** @param asked - takes a client, whose socket is its own from then on */
	constructor(path: string, reactor: Reactor, asked: (asker: Asker) => void) {
		this.#path = path;
		this.#reactor = reactor;
		this.#asked = asked;
	}

	/** Begins to listen. @throws VmmError VIRTIO_VSOCK_LISTEN_FAILED */
	open(): Promise<void> {
		this.#opening = this.#listen();
		return this.#opening;
	}

	/** Clients are served from now on, or again. */
	start(): void {
		this.#isRunning = true;
		for (const socket of this.#asking) socket.interest(true, false);
		this.#await();
	}

	/** Clients wait. */
	stop(): void {
		this.#isRunning = false;
		for (const socket of this.#asking) socket.rest();
		this.#rest();
	}

	/**
	 * Connects to the host's socket for a port. Resolves in Node's loop.
	 * @returns undefined where nobody listens there
	 */
	async dial(port: number): Promise<HostSocket | undefined> {
		const fd = await connectUnix(portPath(this.#path, port));
		return fd < 0 ? undefined : new HostSocket(fd, this.#reactor);
	}

	/** What is under way with the host's files, for people. */
	get inFlight(): string | undefined {
		if (this.#listener < 0) return this.#opening && `opening ${this.#path}`;
		return this.#isDisposed ? `removing ${this.#path}` : undefined;
	}

	async dispose(): Promise<void> {
		this.stop();
		this.#isDisposed = true;
		for (const socket of this.#asking) socket.close();
		this.#asking.clear();
		await this.#opening?.catch(() => {});
		if (this.#listener < 0) return;
		close(this.#listener);
		await removeUnixSocket(this.#path);
	}

	async #listen(): Promise<void> {
		await removeUnixSocket(this.#path);
		const fd = await listenUnix(this.#path, mostWaiting);
		if (fd < 0) throw vsockError('VIRTIO_VSOCK_LISTEN_FAILED', {path: this.#path, errno: fd});
		this.#listener = fd;
	}

	/** Looks for clients. */
	#await(): void {
		if (!this.#isRunning || this.#waiting !== undefined || this.#retry !== undefined) return;
		this.#waiting = this.#reactor.watch(this.#listener, {readable: true, writable: false}, () => this.#accept());
	}

	#rest(): void {
		this.#waiting?.close();
		this.#waiting = undefined;
		this.#retry?.cancel();
		this.#retry = undefined;
	}

	#accept(): void {
		const fd = accept(this.#listener);
		if (clientLeft.has(-fd)) return;
		if (fd < 0) {
			this.#rest();
			this.#retry = this.#reactor.after(shortageNs, () => {
				this.#retry = undefined;
				this.#await();
			});
			return;
		}
		const line = new Uint8Array(mostLine);
		let length = 0;
		const socket = new HostSocket(fd, this.#reactor);
		socket.ready = () => {
			length += socket.read(line.subarray(length));
			const end = line.subarray(0, length).indexOf(newline);
			if (end < 0 && length < mostLine && !socket.hasEnded && !socket.isGone) return socket.interest(true, false);
			this.#asking.delete(socket);
			const port = end < 0 ? undefined : portIn(line.subarray(0, end));
			if (port === undefined) socket.close();
			else this.#asked({socket, port, rest: line.slice(end + 1, length)});
		};
		this.#asking.add(socket);
		socket.interest(true, false);
		if (this.#asking.size > mostAsking) this.#makeRoom();
	}

	/** Who says nothing keeps nobody else from being heard. */
	#makeRoom(): void {
		const [oldest] = this.#asking;
		// It may have said it just now.
		oldest?.ready();
		if (oldest === undefined || !this.#asking.delete(oldest)) return;
		oldest.close();
	}
}

const newline = 0x0a;

/** The port in a line `CONNECT PORT`. */
function portIn(line: Uint8Array): number | undefined {
	const [, digits] = /^CONNECT (\d{1,10})\r?$/i.exec(String.fromCharCode(...line)) ?? [];
	const port = Number(digits);
	return port < 2 ** 32 - 1 ? port : undefined;
}
