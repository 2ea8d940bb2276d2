import {rmSync, statSync} from 'node:fs';
import type {Server, Socket} from 'node:net';
import type {GdbAddress} from '#main/config';
import {errorTable, isVmmError} from '#support/errors';
import {Client} from './client.ts';
import type {Debuggee} from './debuggee.ts';

/** Errors of serving a debugger. */
const debuggerError = errorTable({
	GDB_LISTEN_FAILED: (c: {where: string; reason: string}) => ({
		message: `The debugger's socket ${c.where} cannot be opened: ${c.reason}`,
		remedy: 'Choose another one with --gdb PORT, --gdb IP:PORT or --gdb unix:PATH',
	}),
});

/** Takes 6 ms to load, in the file that every machine's start loads, and few machines are debugged. */
const net = () => process.getBuiltinModule('node:net');

/**
 * Lets debuggers attach to a machine, until it is over: one at a time, any number after each other.
 * @throws GDB_LISTEN_FAILED, and what {@link Vm.debugSupport} throws
 */
export async function serveGdb(machine: Debuggee, address: GdbAddress): Promise<GdbServer> {
	// The first breakpoint needs the answer, and a client should neither wait for it nor meet its failure.
	machine.debugSupport();
	const server = net().createServer();
	try {
		if (address.kind === 'unix') await removeStale(address.path);
		await new Promise<void>((resolve, reject) => {
			server.once('error', reject);
			const where = address.kind === 'unix' ? {path: address.path} : {host: address.host, port: address.port};
			server.listen(where, resolve);
		});
	} catch (error) {
		const reason = (error as NodeJS.ErrnoException).code ?? String(error);
		throw debuggerError('GDB_LISTEN_FAILED', {where: addressText(address), reason}, {cause: error});
	}
	// A connection that fails while it is accepted is no client.
	server.on('error', () => {});
	return new GdbServer(server, machine);
}

/** The open socket that debuggers attach by. */
export class GdbServer {
	/** Resolves when nobody listens any more and no debugger is connected: one that was has been told of the machine's end. */
	readonly closed: Promise<void>;
	readonly #server: Server;
	readonly #machine: Debuggee;
	#client: Client | undefined;

	/** @internal See {@link serveGdb}. */
	constructor(server: Server, machine: Debuggee) {
		this.#server = server;
		this.#machine = machine;
		this.closed = new Promise((resolve) => server.once('close', () => resolve()));
		// Further clients are turned away at once, instead of waiting for an answer.
		server.maxConnections = 1;
		server.on('connection', (socket) => void this.#serve(socket));
		void machine.ended.then((end) => {
			server.close();
			return this.#client?.over(end);
		});
	}

	/** Address where it listens: a path, or an IP address and the port that the host may have chosen. */
	get where(): string {
		const address = this.#server.address();
		if (address === null || typeof address === 'string') return address ?? '';
		return `${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
	}

	/** Stops serving while the machine goes on: a debugger that is attached loses its connection. Idempotent. */
	close(): Promise<void> {
		this.#server.close();
		this.#client?.drop();
		return this.closed;
	}

	async #serve(socket: Socket): Promise<void> {
		const client = new Client(socket, this.#machine);
		this.#client = client;
		try {
			await client.serve();
		} catch (error) {
			// The machine cannot be debugged, or not any more: the client sees the connection close.
			if (!isVmmError(error)) throw error;
		} finally {
			if (this.#client === client) this.#client = undefined;
		}
	}
}

const addressText = (address: GdbAddress): string =>
	address.kind === 'unix' ? address.path : `${address.host}:${address.port}`;

/** A socket that nobody listens on is what an earlier process left. */
async function removeStale(path: string): Promise<void> {
	if (statSync(path, {throwIfNoEntry: false})?.isSocket() !== true) return;
	const isAlive = await new Promise<boolean>((resolve) => {
		const probe = net()
			.connect(path, () => resolve(true))
			.on('error', () => resolve(false));
		probe.on('close', () => resolve(false)).on('connect', () => probe.destroy());
	});
	if (!isAlive) rmSync(path, {force: true});
}
