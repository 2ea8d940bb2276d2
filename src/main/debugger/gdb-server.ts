import {rmSync, statSync} from 'node:fs';
import type {Server, Socket} from 'node:net';
import type {GdbAddress} from '#main/config';
import type {VmEnd} from '#main/vm';
import {isVmmError} from '#support/errors';
import type {DebugSupport} from '#vcpu-worker/debug';
import {Client} from './client.ts';
import type {Debuggee} from './debuggee.ts';
import {debuggerError} from './errors.ts';

/** Takes 6 ms to load, in the file that every machine's start loads, and few machines are debugged. */
const net = () => process.getBuiltinModule('node:net');

/** Lets a debugger attach to a machine: one at a time, any number after each other. */
export class GdbServer {
	readonly #server: Server;
	readonly #machine: Debuggee;
	readonly #support: DebugSupport;
	#client: Client | undefined;

	private constructor(server: Server, machine: Debuggee, support: DebugSupport) {
		this.#server = server;
		this.#machine = machine;
		this.#support = support;
		// Further clients are turned away at once, instead of waiting for an answer.
		server.maxConnections = 1;
		server.on('connection', (socket) => void this.#serve(socket));
	}

	/** Listens. @throws GDB_LISTEN_FAILED */
	static async listen(address: GdbAddress, machine: Debuggee, support: DebugSupport): Promise<GdbServer> {
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
		return new GdbServer(server, machine, support);
	}

	/** Where it listens: a path, or an IP address and the port that the host may have chosen. */
	get where(): string {
		const address = this.#server.address();
		if (address === null || typeof address === 'string') return address ?? '';
		return `${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
	}

	/** The machine is over: tells the client and stops listening. */
	async close(end: VmEnd): Promise<void> {
		this.#server.close();
		await this.#client?.over(end);
	}

	async #serve(socket: Socket): Promise<void> {
		const client = new Client(socket, this.#machine, this.#support);
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
