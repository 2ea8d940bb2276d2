import {once} from 'node:events';
import {type AddressInfo, createServer, type Server, type Socket} from 'node:net';
import {pipeline} from 'node:stream';
import type {GuestAddress, GuestAgent} from '#main/agent';
import type {OperationSignal} from '#support/abort';
import {errnoOf} from '#support/ffi';
import {apiError} from './errors.ts';

/** Where connections are taken on the host. */
export interface ForwardOptions {
	/** An address of the host's; 127.0.0.1 if not given, which nobody else's machine reaches. */
	readonly address?: string;
	/** Ends it, as `close` does. */
	readonly signal?: OperationSignal;
}

/** A port of the host's that leads into a guest. It ends with its machine. */
export interface PortForward extends AsyncDisposable {
	readonly address: string;
	readonly port: number;
	/** Takes no more connections, and ends those that there are. */
	close(): Promise<void>;
}

/** Connections that wait for the guest's answer at once: who asks for more is refused, so that nobody fills the guest. */
const mostOpening = 256;

/**
 * Takes connections for a guest: each is made again in the guest, by its agent, so that it needs no network.
 * @throws VmmError VM_FORWARD_FAILED
 */
export async function forwardPort(
	agent: () => Promise<GuestAgent>,
	{
		name,
		hostPort,
		to,
		address = '127.0.0.1',
		signal,
	}: {name: string; hostPort: number; to: GuestAddress} & ForwardOptions,
): Promise<PortForward> {
	const sockets = new Set<Socket>();
	const giveUp = new AbortController();
	let opening = 0;
	const server = createServer({allowHalfOpen: true, pauseOnConnect: true}, (socket) => {
		sockets.add(socket);
		socket.once('close', () => sockets.delete(socket));
		socket.on('error', () => {});
		if (opening >= mostOpening) return void socket.resetAndDestroy();
		opening++;
		connect(agent, to, socket, giveUp.signal)
			// A guest that does not listen is a connection that is refused.
			.catch(() => void socket.resetAndDestroy())
			.finally(() => opening--);
	});
	await listening(server, name, hostPort, address);
	const bound = server.address() as AddressInfo;
	const close = async () => {
		signal?.removeEventListener('abort', close);
		giveUp.abort();
		for (const socket of sockets) socket.destroy();
		if (!server.listening) return;
		const closed = once(server, 'close');
		server.close();
		await closed;
	};
	signal?.addEventListener('abort', close, {once: true});
	if (signal?.aborted) await close();
	signal?.throwIfAborted();
	return {address: bound.address, port: bound.port, close, [Symbol.asyncDispose]: close};
}

async function listening(server: Server, name: string, port: number, address: string): Promise<void> {
	try {
		server.listen(port, address);
		await once(server, 'listening');
		// Later ones are of a host that has no descriptors: that connection is gone.
		server.on('error', () => {});
	} catch (cause) {
		const errno = errnoOf(cause);
		if (errno === undefined) throw cause;
		throw apiError('VM_FORWARD_FAILED', {name, address: `${address}:${port}`, errno}, {cause});
	}
}

async function connect(
	agent: () => Promise<GuestAgent>,
	to: GuestAddress,
	socket: Socket,
	signal: AbortSignal,
): Promise<void> {
	const guest = await (await agent()).connect(to, {signal});
	if (socket.destroyed) return void guest.destroy();
	// Each direction ends by itself; one that breaks takes the other along.
	pipeline(socket, guest, (error) => void (error && socket.destroy()));
	pipeline(guest, socket, (error) => void (error && guest.destroy()));
}
