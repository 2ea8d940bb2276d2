import {Duplex} from 'node:stream';
import type {OperationSignal} from '#support/abort';
import {type Channel, type Request, readNothing} from './channel.ts';
import {exec, spawn} from './command.ts';
import {type AgentTransport, Connection} from './connection.ts';
import {FileRequests} from './file-requests.ts';
import type {GuestFacts} from './greeting.ts';
import type {GuestFiles} from './guest-files.ts';
import type {CommandOptions, ExecOptions, ExecResult, GuestProcess} from './guest-process.ts';
import {Operands} from './operands.ts';
import {flags, limits} from './protocol.ts';

/** Where in the guest a connection is made to: a TCP port, as the guest sees it, at a numeric address or `localhost`, or a Unix socket. */
export type GuestAddress = {readonly host?: string; readonly port: number} | {readonly path: string};

/** A file system to mount; fields as of mount(2). */
export interface GuestMount {
	readonly source: string;
	readonly target: string;
	readonly type: string;
	readonly readOnly?: boolean;
	/** Of the file system: `trans=virtio,version=9p2000.L`. */
	readonly data?: string;
	/** Makes the folder `target` first. */
	readonly makeTarget?: boolean;
}

/** How a connection to an agent is begun. */
export interface ConnectOptions {
	readonly signal?: OperationSignal | undefined;
	/**
	 * Ends commands of this connection by SIGKILL when it ends. Otherwise they run on, as in clones of a snapshot, whose connections have ended: with their
	 * input at its end, and what they write is dropped.
	 */
	readonly killCommands?: boolean;
}

interface Cancelable {
	readonly signal?: OperationSignal | undefined;
}

/** Port of the guest's vsock where the agent listens if nothing else is said; that of OpenVMM's pipette. */
export const agentPort = 4919;

/** Name of a virtio console's port for an agent. */
export const agentPortName = 'org.openvmm.agent';

const shutdowns = {
	poweroff: flags.SHUTDOWN_POWER_OFF,
	reboot: flags.SHUTDOWN_REBOOT,
	halt: flags.SHUTDOWN_HALT,
} as const;

/** A connection to the agent of a guest. Calls fail with AGENT_CLOSED when it has ended. */
export class GuestAgent implements AsyncDisposable {
	readonly guest: GuestFacts;
	readonly files: GuestFiles;
	readonly #connection: Connection;

	private constructor(connection: Connection, guest: GuestFacts) {
		this.#connection = connection;
		this.guest = guest;
		this.files = new FileRequests(connection);
	}

	/**
	 * Resolves when the guest has mounted its root and the agent answers.
	 * @throws VmmError AGENT_PROTOCOL_VERSION, AGENT_PROTOCOL_BROKEN, AGENT_CLOSED; what the signal is aborted with. The transport is destroyed then
	 */
	static async connect(transport: AgentTransport, options: ConnectOptions = {}): Promise<GuestAgent> {
		const {connection, facts} = await Connection.open(transport, options);
		return new GuestAgent(connection, facts);
	}

	/** Settled when the connection has ended: with nothing after `close`, else with why. It never rejects. */
	get closed(): Promise<Error | undefined> {
		return this.#connection.closed;
	}

	/** @throws VmmError AGENT_FAILED: no such program, user or folder, say */
	spawn(command: readonly string[], options?: CommandOptions): Promise<GuestProcess> {
		return spawn(this.#connection, command, options);
	}

	/** Runs a command to its end, whatever its status. */
	exec(command: readonly string[], options?: ExecOptions): Promise<ExecResult> {
		return exec(this.#connection, command, options);
	}

	/** A stream to a server in the guest, each direction of which ends by itself. */
	async connect(address: GuestAddress, options: Cancelable = {}): Promise<Duplex> {
		const isPath = 'path' in address;
		const what = isPath ? address.path : `${address.host ?? 'localhost'}:${address.port}`;
		const operands = new Operands(`A connection to ${what}`);
		if (isPath) operands.text(address.path, 107);
		else operands.u16(address.port).text(address.host ?? '', 63);
		const channel = this.#ask(
			{
				operation: isPath ? 'CONNECT_UNIX' : 'CONNECT_TCP',
				verb: 'connect to',
				what,
				operands: operands.finish(),
				input: true,
				outputs: 1,
				read: readNothing,
			},
			options,
		);
		await channel.reply;
		const stream = Duplex.from({
			readable: channel.outputs[0] as Channel<void>['outputs'][number],
			writable: channel.input,
		});
		stream.on('error', () => {});
		stream.once('close', () => channel.giveUp(new Error('the stream was closed')));
		return stream;
	}

	/** Steps the guest's clock. @param ms - since 1970, UTC */
	setClock(ms: number, options: Cancelable = {}): Promise<void> {
		const operands = new Operands('The clock').time(ms).finish();
		return this.#do({operation: 'SET_CLOCK', verb: 'set', what: 'its clock', operands}, options);
	}

	/** Gives the guest's random generator new entropy, and has it begin anew. @param bytes - at most 512 */
	reseed(bytes: Uint8Array, options: Cancelable = {}): Promise<void> {
		const operands = new Operands('Entropy').bytes(bytes.subarray(0, limits.MOST_ENTROPY)).finish();
		return this.#do({operation: 'RESEED', verb: 'seed', what: 'its random generator', operands}, options);
	}

	mount(mount: GuestMount, options: Cancelable = {}): Promise<void> {
		const operands = new Operands(`Mounting ${mount.source}`)
			.u8((mount.readOnly ? flags.MOUNT_READ_ONLY : 0) | (mount.makeTarget ? flags.MOUNT_MAKE_TARGET : 0))
			.text(mount.source, limits.MOST_PATH)
			.path(mount.target)
			.text(mount.type, 63)
			.text(mount.data ?? '', limits.MOST_PATH)
			.finish();
		return this.#do({operation: 'MOUNT', verb: 'mount', what: `${mount.source} at ${mount.target}`, operands}, options);
	}

	/** Asks the guest to end: its init where that is another program, else by reboot(2) after a sync. Resolves when it has begun. */
	shutdown(how: 'poweroff' | 'reboot' | 'halt', options: Cancelable = {}): Promise<void> {
		const operands = new Operands('The end').u8(shutdowns[how]).finish();
		return this.#do({operation: 'SHUTDOWN', verb: 'begin', what: `its ${how}`, operands}, options);
	}

	/** Ends the connection. @param cause - why, for who waits for something by it, where that is not its owner's wish */
	close(cause?: string): void {
		this.#connection.close(cause);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.close();
		await this.closed;
	}

	#ask(request: Request, {signal}: Cancelable): Channel<void> {
		return this.#connection.ask(request, signal);
	}

	async #do(request: Omit<Request, 'read'>, options: Cancelable): Promise<void> {
		await this.#ask({...request, read: readNothing}, options).reply;
	}
}
