import type {EndpointHost, Frame, Nic} from '#devices/network/endpoint';
import {PlainSender} from '#devices/network/packet';
import {FrameStream, socketError} from '#devices/network/socket';
import {accept, clientLeft, close, listenUnix, removeUnixSocket} from '#support/ffi';
import {type Children, object} from '#support/inspect';
import type {Timer, Watch} from '#support/reactor';
import {f64, wire} from '#support/wire';
import {portNodes, SwitchCounters, SwitchEndpoint} from './switch-endpoint.ts';

/** Clients that are served at once: half of the ports stay for NICs of this process. */
export const mostClients = 16;
/** Clients that the kernel keeps besides. */
const mostWaiting = 8;
/** For so long nobody has the place of one who has gone, and nobody is let in where the host had no room: whoever comes and goes is not run after. */
const restNs = 500e6;

/** What a listener tells the machine's owner. */
const ListenerCounters = wire('switch-listener', {
	/** Clients that were let go of, since they have sent what is no frame. */
	wrong: f64,
	/** Clients for which there was no port, or nothing of the host's. */
	refused: f64,
});
const clientOffset = (place: number): number => ListenerCounters.byteLength + place * SwitchCounters.byteLength;

/** Memory that a listener tells by. */
export const listenerBytes: number = clientOffset(mostClients);

/** For inspect: what there is to tell of a listener, and of each client by its place. */
export function listenerNodes(memory: SharedArrayBuffer, offset: number): Children {
	const counters = ListenerCounters.on(memory, offset);
	const places = Array.from({length: mostClients}, (_, place) =>
		SwitchCounters.on(memory, offset + clientOffset(place)),
	);
	const children = () =>
		Object.fromEntries(
			places.flatMap((place, index) => (place.port > 0 ? [[index + 1, object(() => portNodes(place))]] : [])),
		);
	return {wrong: counters.wrong, refused: counters.refused, clients: object(children)};
}

/** A client of a listener. */
interface Client {
	readonly port: SwitchEndpoint;
	readonly stream: FrameStream;
}

/**
 * Lets others join a switch by a Unix socket, as QEMU's `-netdev stream` does and `stream:connect=` of another process: each has a port of its own, and
 * may send from any address, as whoever is plugged in a switch. They get plain frames. Nobody waits for one that does not read: its port loses what it has no room for.
 */
export class SwitchListener {
	readonly #name: string;
	readonly #path: string;
	readonly #host: EndpointHost;
	readonly #fd: number;
	readonly #counters;
	/** By their places. One that has gone is undefined until its place is free. */
	readonly #clients = new Map<number, Client | undefined>();
	readonly #rests = new Set<Timer>();
	#waiting: Watch | undefined;
	#isRunning = false;
	/** The host had no room for the last one. */
	#isResting = false;

	private constructor(name: string, path: string, host: EndpointHost, fd: number) {
		this.#name = name;
		this.#path = path;
		this.#host = host;
		this.#fd = fd;
		this.#counters = ListenerCounters.on(host.memory, host.offset);
	}

	/**
	 * @param name - the switch's
	 * @param host - with the switch's memory, and {@link listenerBytes}
	 * @throws VmmError NETWORK_SOCKET_UNUSABLE
	 */
	static async open(name: string, path: string, host: EndpointHost): Promise<SwitchListener> {
		await removeUnixSocket(path);
		const fd = await listenUnix(path, mostWaiting);
		if (fd < 0) throw socketError('NETWORK_SOCKET_UNUSABLE', {path, errno: fd});
		return new SwitchListener(name, path, host, fd);
	}

	start(): void {
		this.#isRunning = true;
		for (const client of this.#clients.values()) {
			client?.port.start();
			client?.stream.start();
		}
		this.#listen();
	}

	/** Clients stay, and their frames wait in their sockets. */
	stop(): void {
		this.#isRunning = false;
		for (const client of this.#clients.values()) {
			client?.stream.stop();
			client?.port.stop();
		}
		this.#listen();
	}

	async dispose(): Promise<void> {
		this.stop();
		for (const rest of this.#rests) rest.cancel();
		for (const place of this.#clients.keys()) this.#letGo(place);
		this.#clients.clear();
		close(this.#fd);
		await removeUnixSocket(this.#path);
	}

	/** Waits for clients while there is a place for one, and nothing else to wait for. */
	#listen(): void {
		const isOpen = this.#isRunning && this.#clients.size < mostClients && !this.#isResting;
		if (isOpen) {
			const interest = {readable: true, writable: false};
			this.#waiting ??= this.#host.reactor.watch(this.#fd, interest, () => this.#accept());
		} else {
			this.#waiting?.close();
			this.#waiting = undefined;
		}
	}

	#accept(): void {
		const fd = accept(this.#fd);
		if (fd < 0 && clientLeft.has(-fd)) return;
		if (fd >= 0 && this.#join(fd)) this.#listen();
		else {
			this.#counters.refused++;
			this.#isResting = true;
			this.#listen();
			this.#later(() => {
				this.#isResting = false;
			});
		}
	}

	/** False where there is no port for it. */
	#join(fd: number): boolean {
		let place = 0;
		while (this.#clients.has(place)) place++;
		const plain = new PlainSender((frame) => stream.send(frame));
		const receive = (frame: Frame) => plain.send(frame);
		const nic: Nic = {mac: new Uint8Array(6), mtu: 65_535, pairs: 1, receive, room() {}, carrier() {}};
		let port: SwitchEndpoint;
		try {
			port = new SwitchEndpoint({name: this.#name}, nic, {...this.#host, offset: this.#offsetOf(place)});
		} catch {
			// All ports are taken, or the process has no descriptor left: neither is a fault of this machine's.
			close(fd);
			return false;
		}
		const own = {
			receive: (frame: Frame) => port.send(frame),
			room: () => {
				if (plain.flush()) port.room();
			},
		};
		const {reactor} = this.#host;
		const stream = new FrameStream({fd, nic: own, reactor, left: ({isWrong}) => this.#left(place, isWrong)});
		this.#clients.set(place, {port, stream});
		try {
			port.start();
			stream.start();
			return true;
		} catch {
			// There is one descriptor more than may be waited for.
			this.#letGo(place);
			this.#clients.delete(place);
			return false;
		}
	}

	#left(place: number, isWrong: boolean): void {
		if (isWrong) this.#counters.wrong++;
		// It may have gone amid a frame of its port's, which is to have been taken out by then.
		this.#host.reactor.defer(() => {
			if (!this.#letGo(place)) return;
			this.#clients.set(place, undefined);
			this.#later(() => this.#clients.delete(place));
		});
	}

	/** False where it has gone already. */
	#letGo(place: number): boolean {
		const client = this.#clients.get(place);
		if (client === undefined) return false;
		client.stream.close();
		client.port.stop();
		client.port.dispose();
		SwitchCounters.on(this.#host.memory, this.#offsetOf(place)).$bytes.fill(0);
		return true;
	}

	#offsetOf(place: number): number {
		return this.#host.offset + clientOffset(place);
	}

	#later(action: () => void): void {
		const rest = this.#host.reactor.after(restNs, () => {
			this.#rests.delete(rest);
			action();
			this.#listen();
		});
		this.#rests.add(rest);
	}
}
