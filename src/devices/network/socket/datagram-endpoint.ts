import {
	type Endpoint,
	type EndpointHost,
	Frame,
	FrameDescriptor,
	leastFrameBytes,
	mostFrameBytes,
	type Nic,
	noOffloads,
} from '#devices/network/endpoint';
import {close, connectDatagrams, openDatagrams, read, removeUnixSocket, transient, write} from '#support/ffi';
import type {ViewOf} from '#support/wire';
import {SocketCounters} from './counters.ts';
import {socketError} from './errors.ts';

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
	readonly #counters: ViewOf<typeof SocketCounters>;
	readonly #fd: number;
	/** With room for one byte more, by which one that is too long is known. */
	readonly #frame = new Frame(mostFrameBytes + 1);
	readonly #descriptor: FrameDescriptor;

	private constructor(place: DatagramPlace, nic: Nic, {memory, offset, reactor}: EndpointHost, fd: number) {
		this.#place = place;
		this.#counters = SocketCounters.on(memory, offset);
		this.#fd = fd;
		this.#descriptor = new FrameDescriptor({fd, nic, reactor, frame: this.#frame, read: () => this.#read()});
	}

	/** @throws VmmError NETWORK_SOCKET_UNUSABLE for its own path; the other may come later */
	static async open(place: DatagramPlace, nic: Nic, host: EndpointHost): Promise<DatagramEndpoint> {
		await removeUnixSocket(place.local);
		const fd = await openDatagrams(place.local);
		if (fd < 0) throw socketError('NETWORK_SOCKET_UNUSABLE', {path: place.local, errno: fd});
		return new DatagramEndpoint(place, nic, host, fd);
	}

	start(): void {
		this.#descriptor.start();
	}

	send(frame: Frame): boolean {
		if (this.#counters.connected === 0) this.#connect();
		if (this.#counters.connected === 0) {
			this.#counters.lost++;
			return true;
		}
		const count = write(this.#fd, frame.bytes.subarray(0, frame.length));
		if (transient.has(-count)) {
			this.#descriptor.full();
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
		this.#descriptor.room();
	}

	stop(): void {
		this.#descriptor.stop();
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

	#read(): 'frame' | 'wrong' | 'nothing' {
		const length = read(this.#fd, this.#frame.bytes);
		if (length < 0) return 'nothing';
		if (length < leastFrameBytes || length > mostFrameBytes) {
			this.#counters.wrong++;
			return 'wrong';
		}
		this.#frame.become(length);
		return 'frame';
	}
}
