import {connect, type Socket} from 'node:net';
import {framePacket} from '../protocol/index.ts';

/** A client that sends what a test tells it to, right or wrong. */
export class RawClient {
	readonly #socket: Socket;
	#received = '';
	#closed = false;

	private constructor(socket: Socket) {
		this.#socket = socket;
		socket.on('data', (bytes) => {
			this.#received += bytes.toString('latin1');
		});
		socket.on('error', () => {});
		socket.on('close', () => {
			this.#closed = true;
		});
	}

	static async connect(path: string): Promise<RawClient> {
		const socket = connect(path);
		const client = new RawClient(socket);
		await new Promise<void>((resolve) => socket.once('connect', () => resolve()).once('close', () => resolve()));
		return client;
	}

	/** Sends bytes as they are. */
	send(bytes: string): void {
		this.#socket.write(Buffer.from(bytes, 'latin1'));
	}

	/** Sends a packet and returns the data of the reply. */
	async ask(data: string): Promise<string> {
		this.#socket.write(framePacket(data));
		return this.reply();
	}

	/** The data of the next packet, which is acknowledged. */
	async reply(): Promise<string> {
		const [whole, data = ''] = await this.receive(/\$([^#]*)#[0-9a-f]{2}/);
		this.#received = this.#received.slice(this.#received.indexOf(whole) + whole.length);
		this.#socket.write('+');
		return data;
	}

	/** Waits for this among what has come and has not been taken. */
	async receive(pattern: RegExp): Promise<RegExpExecArray> {
		for (;;) {
			const match = pattern.exec(this.#received);
			if (match !== null) return match;
			if (this.#closed) throw new Error(`closed after ${JSON.stringify(this.#received.slice(0, 300))}`);
			await new Promise((resolve) => setTimeout(resolve, 5));
		}
	}

	/** Resolves when the other side has closed. */
	async closed(): Promise<void> {
		while (!this.#closed) await new Promise((resolve) => setTimeout(resolve, 5));
	}

	leave(): void {
		this.#socket.destroy();
	}
}
