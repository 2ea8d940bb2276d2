import {once} from 'node:events';
import type {AddressInfo} from 'node:net';
import {createServer, type Socket} from 'node:net';
import type {ExecutionContext} from 'ava';

/** A server on the host's loopback, whose connections a test has one after the other. */
export async function tcpServer(t: ExecutionContext, host = '127.0.0.1') {
	const server = createServer({allowHalfOpen: true});
	const sockets: Socket[] = [];
	server.on('connection', (socket) => {
		sockets.push(socket);
		socket.on('error', () => undefined);
	});
	server.listen(0, host);
	await once(server, 'listening');
	t.teardown(() => {
		server.close();
		for (const socket of sockets) socket.destroy();
	});
	return {
		port: (server.address() as AddressInfo).port,
		sockets,
		async accepted(): Promise<Socket> {
			while (sockets.length === 0) await once(server, 'connection');
			return sockets.shift() as Socket;
		},
		close: () => server.close(),
	};
}

/** Reads so many bytes. */
export async function readBytes(socket: Socket, length: number): Promise<Buffer> {
	for (;;) {
		const bytes: Buffer | null = socket.read(length);
		if (bytes !== null) return bytes;
		await once(socket, 'readable');
	}
}
