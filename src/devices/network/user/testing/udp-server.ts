import {createSocket} from 'node:dgram';
import {once} from 'node:events';
import type {ExecutionContext} from 'ava';

/** A socket on the host's loopback that answers datagrams. */
export async function udpServer(
	t: ExecutionContext,
	answer: (message: Buffer) => Buffer | string | undefined,
	host = '127.0.0.1',
) {
	const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
	const senders: number[] = [];
	socket.on('message', (message, from) => {
		senders.push(from.port);
		const reply = answer(message);
		if (reply !== undefined) socket.send(reply, from.port, from.address);
	});
	socket.bind(0, host);
	await once(socket, 'listening');
	t.teardown(() => socket.close());
	return {socket, port: socket.address().port, senders};
}
