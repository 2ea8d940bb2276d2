import type {EndpointKind} from '#devices/network/endpoint';
import {unixPathLimit} from '#support/ffi';
import {checkPath, invalidValue} from '#support/options';
import {SocketCounters, socketReport} from './counters.ts';
import {DatagramEndpoint, type DatagramPlace} from './datagram-endpoint.ts';
import {StreamEndpoint, type StreamPlace} from './stream-endpoint.ts';

/** Frames over a Unix socket for streams. */
export interface StreamSource extends StreamPlace {
	readonly kind: 'stream';
}

/** Frames over Unix sockets for datagrams. */
export interface DatagramSource extends DatagramPlace {
	readonly kind: 'dgram';
}

/** A Unix socket may be there. */
export const isSocketPath = (path: unknown): path is string =>
	typeof path === 'string' && path !== '' && Buffer.byteLength(path) <= unixPathLimit;

/** `stream:connect=PATH`, `stream:listen=PATH`. */
export const streamKind: EndpointKind<StreamSource> = {
	prefix: 'stream',
	form: 'stream:connect=PATH or stream:listen=PATH (a Unix socket, by which another machine or a QEMU with -netdev stream is reached, or reaches this one)',
	parse(text, option) {
		const [, word, path] = /^(connect|listen)=(.*)$/s.exec(text ?? '') ?? [];
		if (!isSocketPath(path))
			throw invalidValue(
				option,
				`stream:${text ?? ''}`,
				`connect=PATH or listen=PATH, of at most ${unixPathLimit} bytes`,
			);
		return {kind: 'stream', path, listens: word === 'listen'};
	},
	isRight: ({path, listens}) => isSocketPath(path) && typeof listens === 'boolean',
	checkHost: ({path, listens}, option, host) => (listens ? checkPath(host, 'listen', path, option) : undefined),
	sharedBytes: () => SocketCounters.byteLength,
	open: (source, nic, host) => StreamEndpoint.open(source, nic, host),
	report: (_source, memory, offset) => socketReport(memory, offset),
};

/** `dgram:local=PATH;remote=PATH`. */
export const datagramKind: EndpointKind<DatagramSource> = {
	prefix: 'dgram',
	form: 'dgram:local=PATH;remote=PATH (Unix datagrams, to another machine or a QEMU with -netdev dgram)',
	parse(text, option) {
		const [, local, remote] = /^local=([^;]*);remote=([^;]*)$/s.exec(text ?? '') ?? [];
		if (!isSocketPath(local) || !isSocketPath(remote))
			throw invalidValue(
				option,
				`dgram:${text ?? ''}`,
				`local=PATH;remote=PATH, each of at most ${unixPathLimit} bytes`,
			);
		return {kind: 'dgram', local, remote};
	},
	isRight: ({local, remote}) => isSocketPath(local) && isSocketPath(remote),
	checkHost: ({local}, option, host) => checkPath(host, 'listen', local, option),
	sharedBytes: () => SocketCounters.byteLength,
	open: (source, nic, host) => DatagramEndpoint.open(source, nic, host),
	report: (_source, memory, offset) => socketReport(memory, offset),
};
