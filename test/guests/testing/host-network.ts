import {once} from 'node:events';
import {type AddressInfo, createServer, type Server, type Socket} from 'node:net';
import type {ExecutionContext} from 'ava';
import type {ConnectPolicy} from '#main/api';

/** An address of the internet, by which guests of tests reach servers of the test: their network's policy leads them there. */
export const serverAddress = '93.184.216.7';

/** A policy that has ports of {@link serverAddress} be ports of the host's loopback, and refuses all else. @param ports - of the host by the guest's */
export const leadsTo =
	(ports: Readonly<Record<number, number>>): ConnectPolicy =>
	({protocol, address, port = 0}) => {
		const hostPort = ports[port];
		if (protocol !== 'tcp' || address !== serverAddress || hostPort === undefined)
			return {kind: 'refuse', reason: 'the test has nothing there'};
		return {kind: 'redirect', address: '127.0.0.1', port: hostPort};
	};

/** Has a server listen on the host's loopback as long as its test lasts; returns its port. */
export async function onLoopback(t: ExecutionContext, server: Server): Promise<number> {
	const sockets = new Set<Socket>();
	server.on('connection', (socket: Socket) => {
		sockets.add(socket);
		socket.once('close', () => sockets.delete(socket)).on('error', () => {});
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	t.teardown(() => {
		for (const socket of sockets) socket.destroy();
		server.close();
	});
	return (server.address() as AddressInfo).port;
}

/** Ports of the host's that nobody had a moment ago. */
export async function freePorts(count: number): Promise<readonly number[]> {
	const servers = Array.from({length: count}, () => createServer().listen(0, '127.0.0.1'));
	await Promise.all(servers.map((server) => once(server, 'listening')));
	const ports = servers.map((server) => (server.address() as AddressInfo).port);
	await Promise.all(servers.map((server) => once(server.close(), 'close')));
	return ports;
}

/** One such port. */
export const freePort = async (): Promise<number> => (await freePorts(1))[0] as number;
