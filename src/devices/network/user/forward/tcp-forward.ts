import {type AddressInfo, createServer, type Server, type Socket} from 'node:net';
import type {Clock} from '../clock.ts';
import {userNetworkError} from '../errors.ts';
import type {HostForward} from './forward.ts';

/** Connections that have been taken and wait for nobody but the guest. */
const backlog = 128;

/** A port of the host whose connections go to a guest. */
export class TcpForward {
	readonly #server: Server;
	readonly #clock: Clock;

	private constructor(server: Server, clock: Clock) {
		this.#server = server;
		this.#clock = clock;
	}

	/** @throws VmmError NETWORK_PORT_UNAVAILABLE */
	static async open(
		{hostAddress, hostPort}: HostForward,
		clock: Clock,
		connected: (socket: Socket) => void,
	): Promise<TcpForward> {
		const server = createServer({allowHalfOpen: true, noDelay: true}, (socket) => {
			// It may fail before the guest's side takes it.
			socket.on('error', () => undefined);
			connected(socket);
		});
		const address = hostAddress ?? '0.0.0.0';
		try {
			await new Promise<void>((resolve, reject) => {
				server.once('error', reject);
				server.listen({host: address, port: hostPort, backlog}, resolve);
				clock.began();
			});
		} catch (error) {
			const code = (error as NodeJS.ErrnoException).code ?? String(error);
			throw userNetworkError(
				'NETWORK_PORT_UNAVAILABLE',
				{protocol: 'tcp', address, port: hostPort, code},
				{cause: error},
			);
		}
		// What a listening socket fails with later is one connection that was not taken.
		server.on('error', () => undefined);
		return new TcpForward(server, clock);
	}

	/** The port that the host gave. */
	get port(): number {
		return (this.#server.address() as AddressInfo).port;
	}

	close(): void {
		this.#server.close();
		this.#clock.began();
	}
}
