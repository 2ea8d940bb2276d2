import type {Duplex} from 'node:stream';
import type {OperationSignal} from '#support/abort';
import type {GuestFiles} from './guest-files.ts';
import type {CommandOptions, ExecOptions, ExecResult, GuestProcess} from './guest-process.ts';

/** What goes to the agent and comes from it: a `Duplex` of Node's, or a `GuestStream` of `vm.vsock`. */
export interface AgentTransport extends AsyncIterable<Uint8Array> {
	write(bytes: Uint8Array): boolean;
	destroy(): unknown;
	once(event: 'drain' | 'close', listener: () => void): unknown;
	on(event: 'error', listener: (error: Error) => void): unknown;
}

/** What the agent says of its guest when it answers. */
export interface GuestFacts {
	/** Of the protocol. */
	readonly version: number;
	/** `Linux 6.1.0-37-cloud-amd64`. */
	readonly kernel: string;
	/** `x86_64` or `aarch64`. */
	readonly architecture: string;
	readonly hostname: string;
	/** The same until the guest boots anew. */
	readonly bootId: string;
	/** The agent is the guest's pid 1. */
	readonly isInit: boolean;
	readonly pid: number;
}

/** Where in the guest a connection is made to: a TCP port, as the guest sees it, or a Unix socket. */
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

/** A connection to the agent of a guest. Calls fail with AGENT_CLOSED when it has ended. */
export interface GuestAgent extends AsyncDisposable {
	readonly guest: GuestFacts;
	readonly files: GuestFiles;
	/** Settled when the connection has ended: with nothing after `close`, else with why. It never rejects. */
	readonly closed: Promise<Error | undefined>;
	/** @throws VmmError AGENT_FAILED: no such program, user or folder, say */
	spawn(command: readonly string[], options?: CommandOptions): Promise<GuestProcess>;
	/** Runs a command to its end, whatever its status. */
	exec(command: readonly string[], options?: ExecOptions): Promise<ExecResult>;
	connect(address: GuestAddress, options?: {readonly signal?: OperationSignal}): Promise<Duplex>;
	/** Steps the guest's clock. @param ms - since 1970, UTC */
	setClock(ms: number): Promise<void>;
	/** Gives the guest's random generator new entropy, and has it begin anew. @param bytes - at most 512 */
	reseed(bytes: Uint8Array): Promise<void>;
	mount(mount: GuestMount): Promise<void>;
	/** Asks the guest to end: its init where that is another program, else by reboot(2) after a sync. Resolves when it has begun. */
	shutdown(how: 'poweroff' | 'reboot' | 'halt'): Promise<void>;
	/** Ends the connection; commands that it started are ended by SIGKILL. */
	close(): void;
}

/** How a connection to an agent is begun. */
export interface ConnectOptions {
	readonly signal?: OperationSignal;
	/** Lets commands of this connection run on when it is lost. */
	readonly keepCommands?: boolean;
}

/**
 * `GuestAgent.connect`: resolves when the guest has mounted its root and the agent answers.
 * @throws VmmError AGENT_PROTOCOL_VERSION, AGENT_PROTOCOL_BROKEN, AGENT_CLOSED; what the signal is aborted with. The transport is destroyed then
 */
export type ConnectAgent = (transport: AgentTransport, options?: ConnectOptions) => Promise<GuestAgent>;
