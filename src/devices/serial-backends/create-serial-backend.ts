import {ipVersion, listenTcp, listenUnix, removeUnixSocket, unixPathLimit} from '#support/ffi';
import type {Reactor} from '#support/reactor';
import {adoptDescriptor} from './adopt-descriptor.ts';
import type {StreamOwner} from './byte-stream.ts';
import type {SerialBackendConfig} from './config.ts';
import {ConsoleLog} from './console-log.ts';
import {serialError} from './errors.ts';
import {ListenerBackend, type ListeningSocket} from './listener-backend.ts';
import {LoggedStream} from './logged-stream.ts';
import {OpeningStream} from './opening-stream.ts';
import type {SerialBackend} from './serial-backend.ts';
import {StreamBackend} from './stream-backend.ts';

const stderrFd = 2;

/** The backend of a port with nothing attached. */
const disconnected: SerialBackend = {
	connected: false,
	flushed: true,
	write: () => 0,
	read: () => 0,
	interest() {},
	feed: () => 0,
	dispose() {},
};

/**
 * Opens a serial port's host side. What is in a file system is open when {@link SerialBackend.ready} resolves.
 * @param owner - told also when a client came
 * @throws VmmError `SERIAL_…` when the file, address or descriptor cannot be used
 */
export function createSerialBackend(config: SerialBackendConfig, reactor: Reactor, owner: StreamOwner): SerialBackend {
	switch (config.kind) {
		case 'none':
			return disconnected;
		case 'console': {
			const stream = adoptDescriptor(config.outputFd, 'write', reactor, owner);
			const output = config.log === undefined ? stream : new LoggedStream(stream, new ConsoleLog(config.log));
			if (config.inputFd === undefined) return new StreamBackend(output, {feedable: true});
			return new StreamBackend(output, {
				feedable: true,
				input: adoptDescriptor(config.inputFd, 'read', reactor, owner),
			});
		}
		case 'stderr':
			return new StreamBackend(adoptDescriptor(stderrFd, 'write', reactor, owner));
		case 'file':
			return new StreamBackend(new OpeningStream(config.path, reactor, owner));
		case 'listen-unix':
			return listenOnPath(config.path, reactor, owner);
		case 'listen-tcp':
			return new ListenerBackend(listenOnTcp(config.host, config.port), reactor, owner);
	}
}

function listenOnTcp(host: string, port: number): ListeningSocket {
	if (ipVersion(host) === 0 || !Number.isInteger(port) || port < 0 || port > 0xffff) {
		throw serialError('SERIAL_ADDRESS_INVALID', {host, port});
	}
	const name = `tcp:${host}:${port}`;
	const fd = listenTcp(host, port);
	if (fd < 0) throw serialError('SERIAL_LISTEN_FAILED', {address: name, errno: fd});
	return {name, fd};
}

function listenOnPath(path: string, reactor: Reactor, owner: StreamOwner): SerialBackend {
	const length = Buffer.byteLength(path);
	if (length > unixPathLimit) throw serialError('SERIAL_SOCKET_PATH_TOO_LONG', {path, length, limit: unixPathLimit});
	const listen = async () => {
		await removeUnixSocket(path);
		const fd = await listenUnix(path);
		if (fd < 0) throw serialError('SERIAL_LISTEN_FAILED', {address: path, errno: fd});
		return fd;
	};
	return new ListenerBackend({name: path, fd: listen(), closed: () => removeUnixSocket(path)}, reactor, owner);
}
