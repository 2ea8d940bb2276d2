import type {Socket} from 'node:net';
import {type ErrorData, VmmError} from '#support/errors';
import {controlError} from './errors.ts';
import {lines, type lineTooLong} from './lines.ts';
import {type Hello, type Progress, protocolName, protocolVersion, type Response} from './protocol.ts';

/** Larger than any tree. */
const maxResponseBytes = 256 * 2 ** 20;
const helloTimeoutMs = 5000;

/** A connection to a running machine. */
export class ControlClient {
	readonly hello: Hello['hello'];
	readonly #socket: Socket;
	readonly #lines: AsyncGenerator<string | typeof lineTooLong>;
	#nextId = 1;

	private constructor(socket: Socket, hello: Hello['hello'], messages: AsyncGenerator<string | typeof lineTooLong>) {
		this.#socket = socket;
		this.hello = hello;
		this.#lines = messages;
	}

	/** @throws VmmError CONTROL_UNREACHABLE, CONTROL_NOT_OURS */
	static async connect(path: string): Promise<ControlClient> {
		const socket = await openSocket(path);
		const messages = lines(socket, maxResponseBytes);
		// A process that is stopped accepts connections and says nothing.
		const timer = setTimeout(() => socket.destroy(), helloTimeoutMs);
		try {
			const {value} = await messages.next();
			if (typeof value !== 'string') throw controlError('CONTROL_UNREACHABLE', {path, errno: 'it says nothing'});
			return new ControlClient(socket, parseHello(value, path), messages);
		} catch (error) {
			socket.destroy();
			throw error;
		} finally {
			clearTimeout(timer);
		}
	}

	/**
	 * Asks and waits for the answer. One call at a time.
	 * @param progress - told how far it is
	 * @throws VmmError what the machine answers, CONTROL_CONNECTION_LOST
	 */
	async call(
		method: string,
		params: Readonly<Record<string, unknown>> = {},
		progress?: (done: number, total: number) => void,
	): Promise<unknown> {
		const asks = progress && {progress: true};
		this.#socket.write(`${JSON.stringify({id: this.#nextId++, method, params, ...asks})}\n`);
		for (;;) {
			const {value} = await this.#lines.next();
			if (typeof value !== 'string') throw controlError('CONTROL_CONNECTION_LOST', {method});
			const message = JSON.parse(value) as Response | Progress;
			if ('error' in message) throw new VmmError(message.error as ErrorData);
			if (!('progress' in message)) return message.result;
			progress?.(message.progress.done, message.progress.total);
		}
	}

	/** Resolves when the machine's side has closed the connection. */
	async closed(): Promise<void> {
		while (!(await this.#lines.next()).done);
	}

	close(): void {
		this.#socket.destroy();
	}
}

/** @throws VmmError CONTROL_NOT_OURS */
function parseHello(line: string, path: string): Hello['hello'] {
	let message: Partial<Hello> & Partial<Extract<Response, {error: ErrorData}>>;
	try {
		message = JSON.parse(line);
	} catch {
		throw controlError('CONTROL_NOT_OURS', {path, found: 'no JSON'});
	}
	if (message.error !== undefined) throw new VmmError(message.error);
	const {hello} = message;
	if (hello?.protocol !== protocolName) throw controlError('CONTROL_NOT_OURS', {path, found: 'another protocol'});
	if (hello.version !== protocolVersion) {
		const found = `version ${hello.version} of the protocol, this is ${protocolVersion}`;
		throw controlError('CONTROL_NOT_OURS', {path, found});
	}
	return hello;
}

async function openSocket(path: string): Promise<Socket> {
	const {connect} = await import('node:net');
	return new Promise((resolve, reject) => {
		const socket = connect(path);
		socket.once('error', (cause: NodeJS.ErrnoException) =>
			reject(controlError('CONTROL_UNREACHABLE', {path, errno: cause.code ?? cause.message}, {cause})),
		);
		socket.once('connect', () => {
			socket.removeAllListeners('error');
			socket.on('error', () => {});
			resolve(socket);
		});
	});
}

/** True when somebody listens there. */
export async function canConnect(path: string): Promise<boolean> {
	try {
		(await openSocket(path)).destroy();
		return true;
	} catch {
		return false;
	}
}
