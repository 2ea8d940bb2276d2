import type {Server, Socket} from 'node:net';
import type {DeviceInstance} from '#devices/device';
import {portPath, type VirtioVsockConfig, virtioVsockKind} from '#devices/virtio/vsock';
import type {OperationSignal} from '#support/abort';
import {errorTable} from '#support/errors';
import {errnoOf} from '#support/ffi';

const socketsError = errorTable({
	VM_VSOCK_MISSING: (_: Record<never, never>) => ({
		message: 'The machine has no virtio socket device',
		remedy: 'Give it one: --virtio-vsock-path PATH, or a device of the kind virtio-vsock or virtio-vsock-mmio',
	}),
	VM_VSOCK_REFUSED: ({port}: {port: number}) => ({
		message: `Nobody in the guest takes a connection to its port ${port}`,
		remedy: 'Look whether the guest has its driver and listens there, and try again when it does',
	}),
	VM_VSOCK_UNREACHABLE: ({path, cause}: {path: string; cause: string}) => ({
		message: `The virtio socket device cannot be reached by ${path}: ${cause}`,
		remedy: 'Look whether somebody has removed the socket, and whether the machine runs',
	}),
	VM_VSOCK_LISTEN_FAILED: ({path, cause}: {path: string; cause: string}) => ({
		message: `Connections of the guest cannot be taken at ${path}: ${cause}`,
		remedy:
			'Look whether somebody else listens there, and remove the socket where nobody does: a process that was killed leaves its own',
	}),
});

/**
 * Bytes both ways between a program and its guest, each direction of which ends by itself. It is a `Duplex` of Node's, but one that the guest may break
 * off without a listener to `error` in the program: reading and writing then fail.
 */
export interface GuestStream extends AsyncIterable<Uint8Array> {
	/** Sends bytes; false asks to wait for the event `drain`. */
	write(bytes: Uint8Array | string, sent?: (error?: Error | null) => void): boolean;
	/** Sends the last bytes: the guest reads to the end. */
	end(bytes?: Uint8Array | string): unknown;
	/** Ends both directions at once. */
	destroy(): unknown;
	once(event: 'drain' | 'close' | 'end', listener: () => void): unknown;
	on(event: 'error', listener: (error: Error) => void): unknown;
}

/** Connections that a guest makes to a port of the host's, one after the other. Leaving a loop over them closes it, and the machine's end ends it. */
export interface GuestListener extends AsyncIterable<GuestStream> {
	/** Takes no more connections. Those that there are go on. */
	close(): void;
}

/** A device as its machine has it. */
interface PlacedKind {
	readonly placed: Pick<DeviceInstance, 'kind' | 'config'>;
}

/** Longest answer to a request for a connection. */
const mostAnswer = 32;
const newline = 0x0a;

/** A program's connections to ports of its guest, by its virtio socket device. */
export class GuestSockets {
	readonly #devices: () => readonly PlacedKind[];
	readonly #ended: Promise<unknown>;

	/**
	 * @param devices - of the machine, as they are now
	 * @param ended - settled when it has ended
	 */
	constructor(devices: () => readonly PlacedKind[], ended: Promise<unknown>) {
		this.#devices = devices;
		this.#ended = ended;
	}

	/**
	 * Connects to a port of the guest's.
	 * @throws VmmError VM_VSOCK_MISSING, VM_VSOCK_REFUSED, VM_VSOCK_UNREACHABLE; what the signal is aborted with
	 */
	async connect(port: number, {signal}: {readonly signal?: OperationSignal} = {}): Promise<GuestStream> {
		const path = this.#path;
		const {createConnection} = await import('node:net');
		signal?.throwIfAborted();
		const socket = createConnection({path, allowHalfOpen: true});
		const stream = asStream(socket);
		const give = () => void socket.destroy(signal?.reason as Error);
		signal?.addEventListener('abort', give, {once: true});
		try {
			socket.write(`CONNECT ${port}\n`);
			if (!(await isAgreed(socket))) throw socketsError('VM_VSOCK_REFUSED', {port});
			return stream;
		} catch (error) {
			socket.destroy();
			signal?.throwIfAborted();
			const cause = errnoOf(error);
			// A device that closes a connection does not wait for what nobody has read.
			if (cause === 'ECONNRESET' || cause === 'EPIPE') throw socketsError('VM_VSOCK_REFUSED', {port});
			throw cause === undefined ? error : socketsError('VM_VSOCK_UNREACHABLE', {path, cause});
		} finally {
			signal?.removeEventListener('abort', give);
		}
	}

	/**
	 * Takes the guest's connections to a port of the host's, until the machine ends, or the signal is aborted: those that there are go on.
	 * @throws VmmError VM_VSOCK_MISSING, VM_VSOCK_LISTEN_FAILED; what the signal is aborted with
	 */
	async listen(port: number, {signal}: {readonly signal?: OperationSignal} = {}): Promise<GuestListener> {
		const path = portPath(this.#path, port);
		const {createServer} = await import('node:net');
		const server = createServer({allowHalfOpen: true});
		const connections = new Connections(server);
		await new Promise<void>((resolve, reject) => {
			// Later ones are of the host, which has no descriptors for a connection, say: that one is gone, and the guest sees it.
			server.on('error', (error) => {
				reject(socketsError('VM_VSOCK_LISTEN_FAILED', {path, cause: errnoOf(error) ?? error.message}));
			});
			server.listen(path, resolve);
		});
		const close = () => connections.close();
		signal?.addEventListener('abort', close, {once: true});
		server.once('close', () => signal?.removeEventListener('abort', close));
		if (signal?.aborted) close();
		signal?.throwIfAborted();
		const end = () => connections.end();
		void this.#ended.then(end, end);
		return connections;
	}

	/** Path of the Unix socket by which other programs of this user reach ports of the guest: `CONNECT PORT`, and a line of answer; undefined without a device. */
	get path(): string | undefined {
		const kinds = [virtioVsockKind, `${virtioVsockKind}-mmio`];
		const found = this.#devices().find(({placed}) => kinds.includes(placed.kind));
		return (found?.placed.config as VirtioVsockConfig | undefined)?.path;
	}

	/** @throws VmmError VM_VSOCK_MISSING */
	get #path(): string {
		const {path} = this;
		if (path === undefined) throw socketsError('VM_VSOCK_MISSING', {});
		return path;
	}
}

/** Leaves what is written alone when a loop over what is read ends. */
const asStream = (socket: Socket): GuestStream =>
	// Node ends a program that listens to no error, and the guest is not to.
	Object.assign(
		socket.on('error', () => {}),
		{
			[Symbol.asyncIterator]: () => socket.iterator({destroyOnReturn: false}),
		},
	);

/** Reads the answer, and not a byte of what is behind it. False where there is none. */
async function isAgreed(socket: Socket): Promise<boolean> {
	const line: number[] = [];
	for (;;) {
		const byte: Buffer | null = socket.read(1);
		if (byte === null) {
			if (socket.readableEnded || socket.destroyed) return false;
			await change(socket);
		} else if (byte[0] === newline) return /^OK \d+$/.test(String.fromCharCode(...line));
		else if (line.push(byte[0] as number) > mostAnswer) return false;
	}
}

/** Resolves when there is something to read, or no more; rejects with the socket's error. */
function change(socket: Socket): Promise<void> {
	return new Promise((resolve, reject) => {
		const events = ['readable', 'end', 'close'] as const;
		const over = (error?: Error) => {
			for (const event of events) socket.off(event, done);
			socket.off('error', over);
			if (error === undefined) resolve();
			else reject(error);
		};
		const done = () => over();
		for (const event of events) socket.on(event, done);
		socket.on('error', over);
	});
}

/** Connections as they come. */
class Connections implements GuestListener {
	readonly #server: Server;
	readonly #come: GuestStream[] = [];
	#isClosed = false;
	#changed = Promise.withResolvers<void>();

	constructor(server: Server) {
		this.#server = server;
		server.on('connection', (socket) => {
			this.#come.push(asStream(socket));
			this.#change();
		});
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<GuestStream, void, void> {
		try {
			for (;;) {
				const stream = this.#come.shift();
				if (stream !== undefined) yield stream;
				else if (this.#isClosed) return;
				else await this.#changed.promise;
			}
		} finally {
			this.close();
		}
	}

	close(): void {
		this.end();
		for (const stream of this.#come.splice(0)) stream.destroy();
	}

	/** Takes no more, and still gives those that have come. */
	end(): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		this.#server.close();
		this.#change();
	}

	#change(): void {
		this.#changed.resolve();
		this.#changed = Promise.withResolvers();
	}
}
