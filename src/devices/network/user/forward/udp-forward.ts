import {createSocket, type RemoteInfo, type Socket} from 'node:dgram';
import {isIPv6} from 'node:net';
import type {Clock} from '../clock.ts';
import {userNetworkError} from '../errors.ts';
import {bytesOf} from '../packets/index.ts';
import type {HostForward} from './forward.ts';

/** Ends that one port hears from, as ports of the gateway that the guest answers to. */
const mostClients = 512;
/** The ports that they have (RFC 6335, 6). */
const firstPort = 49_152;

interface Client {
	readonly key: string;
	readonly address: string;
	readonly port: number;
	readonly gatewayPort: number;
	/** Whose port that is: another guest may come to the same address. */
	readonly guest: DatagramReceiver;
}

/** What a forward needs of its guest. */
export interface DatagramReceiver {
	/** Ports of the gateway whose datagrams are an answer to somebody. */
	readonly answers: Map<number, (payload: Uint8Array, sourcePort: number) => void>;
	/** @param address - of the guest's; the one that it was given first without this */
	deliver(gatewayPort: number, guestPort: number, payload: Uint8Array, address?: Uint8Array): void;
}

/**
 * A port of the host whose datagrams go to a guest, which sees each sender as a port of the gateway. Who has not sent anything for the
 * longest is forgotten when there are too many.
 */
export class UdpForward {
	readonly #socket: Socket;
	readonly #forward: HostForward;
	readonly #guest: () => DatagramReceiver | undefined;
	readonly #address: Uint8Array | undefined;
	readonly #clock: Clock;
	/** The last that was heard from comes last. */
	readonly #clients = new Map<string, Client>();

	private constructor(socket: Socket, forward: HostForward, guest: () => DatagramReceiver | undefined, clock: Clock) {
		this.#socket = socket;
		this.#forward = forward;
		this.#address = forward.guestAddress === undefined ? undefined : bytesOf(forward.guestAddress);
		this.#guest = guest;
		this.#clock = clock;
		socket.on('message', (message, from) => this.#hear(message, from));
		socket.on('error', () => undefined);
	}

	/** @param guest - gives the guest that is there now @throws VmmError NETWORK_PORT_UNAVAILABLE */
	static async open(
		forward: HostForward,
		clock: Clock,
		guest: () => DatagramReceiver | undefined,
	): Promise<UdpForward> {
		const address = forward.hostAddress ?? '0.0.0.0';
		const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
		try {
			await new Promise<void>((resolve, reject) => {
				socket.once('error', reject);
				socket.bind({address, port: forward.hostPort}, resolve);
				clock.began();
			});
		} catch (error) {
			const code = (error as NodeJS.ErrnoException).code ?? String(error);
			const context = {protocol: 'udp', address, port: forward.hostPort, code};
			throw userNetworkError('NETWORK_PORT_UNAVAILABLE', context, {cause: error});
		}
		socket.removeAllListeners('error');
		return new UdpForward(socket, forward, guest, clock);
	}

	/** The port that the host gave. */
	get port(): number {
		return this.#socket.address().port;
	}

	close(): void {
		for (const client of this.#clients.values()) this.#forget(client);
		this.#socket.close();
		this.#clock.began();
	}

	#hear(message: Buffer, {address, port}: RemoteInfo): void {
		// Who has no port wants no answer (RFC 768), and none can be sent.
		if (port === 0) return;
		const guest = this.#guest();
		const key = `${address} ${port}`;
		const known = this.#clients.get(key);
		if (known !== undefined && known.guest !== guest) this.#forget(known);
		if (guest === undefined) return;
		const client = this.#clients.get(key) ?? this.#welcome(guest, key, address, port);
		if (client === undefined) return;
		this.#clients.delete(key);
		this.#clients.set(key, client);
		guest.deliver(client.gatewayPort, this.#forward.guestPort, message, this.#address);
	}

	#forget({key, guest, gatewayPort}: Client): void {
		this.#clients.delete(key);
		guest.answers.delete(gatewayPort);
	}

	#welcome(guest: DatagramReceiver, key: string, address: string, port: number): Client | undefined {
		const [oldest] = this.#clients.values();
		if (this.#clients.size >= mostClients && oldest !== undefined) this.#forget(oldest);
		const {answers} = guest;
		let gatewayPort = firstPort;
		while (gatewayPort <= 65_535 && answers.has(gatewayPort)) gatewayPort++;
		if (gatewayPort > 65_535) return undefined;
		answers.set(gatewayPort, (payload, sourcePort) => {
			if (sourcePort !== this.#forward.guestPort) return;
			this.#socket.send(payload.slice(), port, address, () => undefined);
			this.#clock.began();
		});
		return {key, address, port, gatewayPort, guest};
	}
}
