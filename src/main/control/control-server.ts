import {once} from 'node:events';
import {chmodSync, rmSync} from 'node:fs';
import type {Server, Socket} from 'node:net';
import {join, resolve} from 'node:path';
import {Readable} from 'node:stream';
import {type Machine, machineOperations} from '#main/operations';
import {errnoName} from '#support/ffi';
import {answer, type Served} from './answer.ts';
import {canConnect} from './control-client.ts';
import {entryFiles} from './entry-files.ts';
import {controlError} from './errors.ts';
import {lines, lineTooLong} from './lines.ts';
import {claimEntry, type MachineEntry} from './machine-entry.ts';
import {
	type Hello,
	maxClients,
	maxRequestBytes,
	maxWaiting,
	type Progress,
	progressMs,
	protocolName,
	protocolVersion,
	type Response,
} from './protocol.ts';

/** Ways to reach a machine. */
export interface ControlOptions {
	/** Path of the socket; without it one in the folder of an entry, where `openvmm ps` finds it. */
	readonly path?: string;
	/** The entry, which stays its owner's; without it, and without a path, one is made for as long as the socket is open. */
	readonly entry?: MachineEntry;
	/** Name of the machine, where there is no entry; a machine that is to have one and has no name gets one. */
	readonly name?: string;
	/** Called when a client asks the machine to end; without it the machine is stopped. */
	quit?(): void;
}

/** A machine's open control socket. */
export interface ControlServer {
	readonly path: string;
	/** Ends all connections and removes the socket. Idempotent. */
	close(): void;
}

/**
 * Lets clients of this user look at a machine and drive it. Does not keep the process.
 * @param operations - what clients may ask
 * @throws VmmError CONTROL_SOCKET_TAKEN, CONTROL_SOCKET_FAILED, CONTROL_DIRECTORY_UNSAFE, CONTROL_NAME_TAKEN, CONTROL_NAME_INVALID
 */
export async function serveControl(
	machine: Machine,
	options: ControlOptions = {},
	operations = machineOperations,
): Promise<ControlServer> {
	const {createServer} = await import('node:net');
	const served: Served = {machine, operations, quit: () => void (options.quit ? options.quit() : machine.stop())};
	const own =
		options.path === undefined && options.entry === undefined ? await ownEntry(machine, options.name) : undefined;
	const entry = options.entry ?? own;
	const hello = helloOf(entry?.name ?? options.name, operations);
	const path = options.path ?? join(entry?.folder ?? '', entryFiles.socket);
	const clients = new Set<Socket>();
	const server = createServer((client) => {
		client.on('error', () => {});
		if (clients.size >= maxClients) {
			const error = controlError('CONTROL_TOO_MANY_CLIENTS', {limit: maxClients}).toData();
			client.end(line({id: null, error}));
			return;
		}
		clients.add(client);
		client.unref();
		void serveClient(client, hello, served).finally(() => {
			clients.delete(client);
			client.destroy();
		});
	});
	try {
		await listenAlone(server, path);
	} catch (error) {
		own?.end(0);
		throw error;
	}
	// Who finds the machine by its entry reaches its agent too.
	const sockets = entry && machine.vsock.path;
	if (sockets !== undefined) entry?.describe({sockets: resolve(sockets)});
	server.unref();
	let isOpen = true;
	return {
		path,
		close() {
			if (!isOpen) return;
			isOpen = false;
			for (const client of clients) client.destroy();
			// Removes the socket as well.
			server.close();
			own?.end(0);
		},
	};
}

/** The program has the console itself, wherever it leads. */
const ownEntry = ({processors}: Machine, name: string | undefined): Promise<MachineEntry> =>
	claimEntry({about: {processors, hasConsole: false}, ...(name !== undefined && {name})});

/**
 * One client's requests, one after another: it has as many answers in memory as it reads. When it goes away, what takes long is
 * given up and nothing more is begun. So its requests are read ahead: a stream only ends when what is before its end is read.
 */
async function serveClient(client: Socket, hello: Hello['hello'], served: Served): Promise<void> {
	const gone = new AbortController();
	for (const end of ['end', 'close']) client.once(end, () => gone.abort(new Error('the client has gone away')));
	try {
		await send(client, {hello}, gone.signal);
		// The stream is not ended with the last line: a client that sent too much is still to be told so.
		const requests = lines(client.iterator({destroyOnReturn: false}), maxRequestBytes);
		for await (const request of Readable.from(requests, {highWaterMark: maxWaiting})) {
			if (gone.signal.aborted) return;
			if (request === lineTooLong) {
				const error = controlError('CONTROL_REQUEST_TOO_LARGE', {limitBytes: maxRequestBytes}).toData();
				return await new Promise((resolve) => void client.end(line({id: null, error}), resolve));
			}
			await send(client, await answer(request, served, gone.signal, teller(client)), gone.signal);
		}
	} catch {
		// The client has gone away.
	}
}

/** Tells a client how far its request is, not too often, and only while it reads. */
function teller(client: Socket): (progress: Progress) => void {
	let last = 0;
	return (progress) => {
		const now = performance.now();
		if (now - last < progressMs || client.destroyed || client.writableNeedDrain) return;
		last = now;
		client.write(line(progress));
	};
}

const line = (message: Hello | Response | Progress): string => `${JSON.stringify(message)}\n`;

/** Resolves when the client has taken it. @throws AbortError when it goes before */
async function send(client: Socket, message: Hello | Response, signal: AbortSignal): Promise<void> {
	if (!client.destroyed && !client.write(line(message))) await once(client, 'drain', {signal});
}

const helloOf = (name: string | undefined, operations: Served['operations']): Hello['hello'] => ({
	protocol: protocolName,
	version: protocolVersion,
	pid: process.pid,
	...(name !== undefined && {name}),
	methods: operations.map((operation) => operation.name),
});

/** Listens where nobody else does: a socket that a dead process left is removed. */
async function listenAlone(server: Server, path: string): Promise<void> {
	const first = await listen(server, path);
	if (first === undefined) return;
	if (first !== 'EADDRINUSE') throw controlError('CONTROL_SOCKET_FAILED', {path, errno: first});
	if (await canConnect(path)) throw controlError('CONTROL_SOCKET_TAKEN', {path});
	rmSync(path, {force: true});
	const second = await listen(server, path);
	if (second !== undefined) throw controlError('CONTROL_SOCKET_FAILED', {path, errno: second});
}

/** The name of the error that prevented it, or undefined. */
function listen(server: Server, path: string): Promise<string | undefined> {
	return new Promise((resolve) => {
		const failed = ({code, errno}: NodeJS.ErrnoException) => resolve(code ?? errnoName(errno ?? 0));
		server.once('error', failed);
		server.listen(path, () => {
			server.off('error', failed);
			resolve(undefined);
		});
		// At once, where the directory lets others in. Not by umask(2): other threads create files meanwhile.
		if (server.listening) keepToOwner(path);
	});
}

function keepToOwner(path: string): void {
	try {
		chmodSync(path, 0o600);
	} catch {
		// Somebody has removed the socket: nobody reaches it then.
	}
}
