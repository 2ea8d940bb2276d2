import {
	type Endpoint,
	type EndpointHost,
	Frame,
	leastFrameBytes,
	mostFrameBytes,
	type Nic,
	noOffloads,
} from '#devices/network/endpoint';
import {close, connectDatagrams, openDatagrams, read, removeUnixSocket, transient, write} from '#support/ffi';
import type {Watch} from '#support/reactor';
import type {ViewOf} from '#support/wire';
import {SocketCounters} from './counters.ts';
import {socketError} from './errors.ts';

/** Frames that are read in one turn of the thread. */
const framesPerTurn = 64;

/** Paths of two Unix sockets for datagrams: one's own, and the other's. */
export interface DatagramPlace {
	readonly local: string;
	readonly remote: string;
}

/**
 * Carries frames over Unix datagrams, one in each, as QEMU's `-netdev dgram` has them. Frames of the guest's are lost while nobody is
 * there, and wait while somebody does not read; those that come wait in the socket, which has room for few, while the guest has none.
 */
export class DatagramEndpoint implements Endpoint {
	readonly takes = noOffloads;
	readonly #place: DatagramPlace;
	readonly #nic: Nic;
	readonly #host: EndpointHost;
	readonly #counters: ViewOf<typeof SocketCounters>;
	readonly #fd: number;
	/** With room for one byte more, by which one that is too long is known. */
	readonly #frame = new Frame(mostFrameBytes + 1);
	#watch: Watch | undefined;
	#isRunning = false;
	/** The guest has no room for the frame that was read last; the other's socket has none. */
	#isBlocked = false;
	#isFull = false;

	private constructor(place: DatagramPlace, nic: Nic, host: EndpointHost, fd: number) {
		this.#place = place;
		this.#nic = nic;
		this.#host = host;
		this.#counters = SocketCounters.on(host.memory, host.offset);
		this.#fd = fd;
	}

	/** @throws VmmError NETWORK_SOCKET_UNUSABLE for its own path; the other may come later */
	static async open(place: DatagramPlace, nic: Nic, host: EndpointHost): Promise<DatagramEndpoint> {
		await removeUnixSocket(place.local);
		const fd = await openDatagrams(place.local);
		if (fd < 0) throw socketError('NETWORK_SOCKET_UNUSABLE', {path: place.local, errno: fd});
		return new DatagramEndpoint(place, nic, host, fd);
	}

	start(): void {
		this.#isRunning = true;
		this.#isBlocked = false;
		this.#interest();
	}

	send(frame: Frame): boolean {
		if (this.#counters.connected === 0) this.#connect();
		if (this.#counters.connected === 0) {
			this.#counters.lost++;
			return true;
		}
		const count = write(this.#fd, frame.bytes.subarray(0, frame.length));
		if (transient.has(-count)) {
			this.#isFull = true;
			this.#interest();
			return false;
		}
		if (count < 0) {
			// It has gone, or its socket is another one now.
			this.#counters.connected = 0;
			this.#counters.errno = -count;
			this.#counters.lost++;
		}
		return true;
	}

	room(): void {
		if (!this.#isBlocked) return;
		this.#isBlocked = !this.#nic.receive(this.#frame);
		this.#interest();
	}

	stop(): void {
		this.#isRunning = false;
		this.#watch?.close();
		this.#watch = undefined;
	}

	async dispose(): Promise<void> {
		this.stop();
		close(this.#fd);
		await removeUnixSocket(this.#place.local);
	}

	/** From then on nobody else can send here. */
	#connect(): void {
		const result = connectDatagrams(this.#fd, this.#place.remote);
		this.#counters.connected = result < 0 ? 0 : 1;
		this.#counters.errno = -result;
	}

	#interest(): void {
		const [readable, writable] = [!this.#isBlocked, this.#isFull];
		if (!this.#isRunning || (!readable && !writable)) {
			this.#watch?.close();
			this.#watch = undefined;
		} else if (this.#watch !== undefined) this.#watch.interest(readable, writable);
		else {
			this.#watch = this.#host.reactor.watch(this.#fd, {readable, writable}, (state) => {
				if (state.writable && this.#isFull) {
					this.#isFull = false;
					this.#nic.room();
					this.#interest();
				}
				if (!this.#isBlocked) this.#receive();
			});
		}
	}

	#receive(): void {
		for (let count = 0; count < framesPerTurn; count++) {
			const length = read(this.#fd, this.#frame.bytes);
			if (length < 0) return;
			if (length < leastFrameBytes || length > mostFrameBytes) {
				this.#counters.wrong++;
				continue;
			}
			this.#frame.become(length);
			if (this.#nic.receive(this.#frame)) continue;
			this.#isBlocked = true;
			this.#interest();
			return;
		}
	}
}
