import {type Endpoint, type EndpointHost, type Frame, type Nic, noOffloads} from '#devices/network/endpoint';
import {accept, clientLeft, close, connectUnix, listenUnix, removeUnixSocket} from '#support/ffi';
import type {Timer, Watch} from '#support/reactor';
import type {ViewOf} from '#support/wire';
import {SocketCounters} from './counters.ts';
import {socketError} from './errors.ts';
import {FrameStream} from './frame-stream.ts';

/** Time between attempts to reach somebody. */
const retryNs = 500e6;

/** A path of a Unix socket, at which somebody else listens, or this does. */
export interface StreamPlace {
	readonly path: string;
	readonly listens: boolean;
}

/**
 * Carries frames over a Unix socket as QEMU's `-netdev stream` has them. Frames of the guest's are lost while nobody is there, and wait
 * while somebody does not read; those that come wait in the socket while the guest has no room. Whoever sends what is no frame is let go of.
 */
export class StreamEndpoint implements Endpoint {
	readonly takes = noOffloads;
	readonly #place: StreamPlace;
	readonly #nic: Nic;
	readonly #host: EndpointHost;
	readonly #counters: ViewOf<typeof SocketCounters>;
	readonly #listener: number;
	#waiting: Watch | undefined;
	#retry: Timer | undefined;
	#stream: FrameStream | undefined;
	#isRunning = false;
	#isDisposed = false;
	#isConnecting = false;

	private constructor(place: StreamPlace, nic: Nic, host: EndpointHost, listener: number) {
		this.#place = place;
		this.#nic = nic;
		this.#host = host;
		this.#counters = SocketCounters.on(host.memory, host.offset);
		this.#listener = listener;
	}

	/** @throws VmmError NETWORK_SOCKET_UNUSABLE where it cannot listen; who is to be reached may come later */
	static async open(place: StreamPlace, nic: Nic, host: EndpointHost): Promise<StreamEndpoint> {
		if (!place.listens) return new StreamEndpoint(place, nic, host, -1);
		await removeUnixSocket(place.path);
		const listener = await listenUnix(place.path);
		if (listener < 0) throw socketError('NETWORK_SOCKET_UNUSABLE', {path: place.path, errno: listener});
		return new StreamEndpoint(place, nic, host, listener);
	}

	start(): void {
		this.#isRunning = true;
		if (this.#stream !== undefined) this.#stream.start();
		else {
			this.#nic.carrier(false);
			this.#reach();
		}
	}

	send(frame: Frame): boolean {
		if (this.#stream !== undefined) return this.#stream.send(frame);
		this.#counters.lost++;
		return true;
	}

	room(): void {
		this.#stream?.room();
	}

	stop(): void {
		this.#isRunning = false;
		this.#retry?.cancel();
		this.#waiting?.close();
		this.#waiting = undefined;
		this.#stream?.stop();
	}

	async dispose(): Promise<void> {
		this.stop();
		this.#isDisposed = true;
		this.#stream?.close();
		this.#counters.connected = 0;
		if (this.#listener < 0) return;
		close(this.#listener);
		await removeUnixSocket(this.#place.path);
	}

	/** Looks for somebody, as long as there is nobody. */
	#reach(): void {
		if (!this.#isRunning || this.#stream !== undefined) return;
		if (this.#listener >= 0) {
			const interest = {readable: true, writable: false};
			this.#waiting ??= this.#host.reactor.watch(this.#listener, interest, () => this.#accept());
		} else if (!this.#isConnecting) {
			this.#isConnecting = true;
			this.#host.track(this.#connect(), 'connecting to a socket for frames');
		}
	}

	#accept(): void {
		const fd = accept(this.#listener);
		if (fd >= 0) this.#met(fd);
		else if (!clientLeft.has(-fd)) {
			// The host has no descriptor for who is there, who keeps the listener readable meanwhile.
			this.#counters.errno = -fd;
			this.#waiting?.close();
			this.#waiting = undefined;
			this.#tryLater();
		}
	}

	#tryLater(): void {
		this.#retry = this.#host.reactor.after(retryNs, () => this.#reach());
	}

	async #connect(): Promise<void> {
		const fd = await connectUnix(this.#place.path);
		this.#isConnecting = false;
		if (this.#isDisposed) {
			if (fd >= 0) close(fd);
		} else if (fd >= 0) this.#met(fd);
		else {
			this.#counters.errno = -fd;
			if (this.#isRunning) this.#tryLater();
		}
	}

	/** Somebody is there. One at a time is. */
	#met(fd: number): void {
		this.#waiting?.close();
		this.#waiting = undefined;
		const {reactor} = this.#host;
		this.#stream = new FrameStream({fd, nic: this.#nic, reactor, left: (what) => this.#left(what)});
		this.#counters.connected = 1;
		this.#counters.errno = 0;
		this.#nic.carrier(true);
		if (this.#isRunning) this.#stream.start();
	}

	/** Nobody is there any more: the next one is waited for. */
	#left({isWrong, isLost}: {readonly isWrong: boolean; readonly isLost: boolean}): void {
		if (isWrong) this.#counters.wrong++;
		if (isLost) this.#counters.lost++;
		this.#stream = undefined;
		this.#counters.connected = 0;
		this.#nic.carrier(false);
		// Whoever goes as soon as it comes is not run after.
		if (this.#isRunning) this.#tryLater();
	}
}
