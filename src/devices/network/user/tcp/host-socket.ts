import {
	close,
	connectTcp,
	Errno,
	endDirection,
	read,
	resetOnClose,
	sendAtOnce,
	sendNow,
	socketError,
	transient,
} from '#support/ffi';
import type {Watch} from '#support/reactor';
import type {Clock} from '../clock.ts';
import type {Chunks} from './chunks.ts';
import type {Gather} from './gather.ts';
import {type HostEvents, type HostStream, mostWrites} from './host-stream.ts';
import {SendQueue} from './send-queue.ts';

/** Reads of one socket before others have their turn. */
const readsPerTurn = 8;
/** What is as long goes to the kernel as it is. */
const directBytes = 16 * 1024;

/** What all sockets of a guest's connections have in common. */
export interface SocketParts {
	readonly clock: Clock;
	readonly chunks: Chunks;
	readonly gather: Gather;
}

/** How a try to connect ends. */
export interface Connecting {
	connected(socket: HostSocket): void;
	/** @param errno - negated */
	failed(errno: number): void;
}

/**
 * A TCP socket of the host's, by its descriptor. Node's own would do, and was measured at two to four times this: it makes memory for each read, a
 * request for each write, and is waited for through two loops.
 */
export class HostSocket implements HostStream {
	readonly #parts: SocketParts;
	readonly #unsent = new SendQueue();
	#fd: number;
	#watch: Watch | undefined;
	#events: HostEvents | undefined;
	#connecting: Connecting | undefined;
	isPaused = false;
	/** What nobody writes to needs no such option. */
	#sendsAtOnce = false;
	/** Both directions: the host's has ended, ours is to end and has. */
	#hasRead = false;
	#isEnding = false;
	#hasEnded = false;

	private constructor(fd: number, parts: SocketParts) {
		this.#fd = fd;
		this.#parts = parts;
	}

	/**
	 * Connects. What comes of it may be told before this returns.
	 * @param address - of `inetAddress`
	 * @returns how to give it up meanwhile
	 */
	static connect(address: Uint8Array, parts: SocketParts, connecting: Connecting): () => void {
		const begun = connectTcp(address);
		if (typeof begun === 'number') {
			connecting.failed(begun);
			return () => undefined;
		}
		const socket = new HostSocket(begun.fd, parts);
		if (begun.isConnected) connecting.connected(socket);
		else {
			socket.#connecting = connecting;
			socket.#interest();
		}
		return () => socket.abort();
	}

	get waiting(): number {
		return this.#unsent.length + this.#parts.gather.lengthOf(this);
	}

	get takesMore(): boolean {
		return this.#unsent.pieces < mostWrites;
	}

	start(events: HostEvents): void {
		this.#events = events;
		this.#interest();
	}

	write(bytes: Uint8Array): void {
		if (this.#fd < 0 || this.#isEnding) return;
		if (bytes.length < directBytes && this.#unsent.length === 0) {
			this.#parts.gather.add(this, bytes);
			return;
		}
		this.flush();
		this.#send(bytes);
	}

	flush(): void {
		const gathered = this.#parts.gather.take(this);
		if (gathered !== undefined) this.#send(gathered);
	}

	end(): void {
		this.flush();
		this.#isEnding = true;
		this.#mayEnd();
	}

	pause(): void {
		this.isPaused = true;
		this.#interest();
	}

	resume(): void {
		this.isPaused = false;
		this.#interest();
	}

	abort(): void {
		if (this.#fd < 0) return;
		resetOnClose(this.#fd);
		this.#close();
	}

	/** Waits for what can be done something with: a descriptor that is waited for in vain is ready for ever once both ends have gone. */
	#interest(): void {
		const readable = !this.#hasRead && !this.isPaused && this.#events !== undefined;
		const writable = this.#unsent.length > 0 || this.#connecting !== undefined;
		if (this.#fd < 0 || (!readable && !writable)) {
			this.#watch?.close();
			this.#watch = undefined;
		} else if (this.#watch !== undefined) this.#watch.interest(readable, writable);
		else {
			try {
				this.#watch = this.#parts.clock.watch(this.#fd, {readable, writable}, ({writable: isWritable, failed}) => {
					if (this.#connecting !== undefined) this.#tried(this.#connecting);
					else {
						if (isWritable || failed) this.#sendMore();
						this.#read();
					}
				});
			} catch {
				// The host has no room for one more that is waited for. Whoever asked for this is in the middle of something.
				this.#parts.clock.defer(() => this.#unwatched());
			}
		}
	}

	#unwatched(): void {
		const connecting = this.#connecting;
		if (connecting === undefined) this.#failed();
		else {
			this.#close();
			connecting.failed(-Errno.ENOMEM);
		}
	}

	#tried(connecting: Connecting): void {
		const error = socketError(this.#fd);
		this.#connecting = undefined;
		if (error === 0) {
			connecting.connected(this);
			return;
		}
		this.#close();
		connecting.failed(error);
	}

	#read(): void {
		for (let reads = 0; reads < readsPerTurn && this.#fd >= 0 && !this.isPaused && !this.#hasRead; reads++) {
			const chunk = this.#parts.chunks.take();
			const {bytes} = chunk;
			const count = read(this.#fd, bytes);
			if (count > bytes.length / 2) this.#events?.data(bytes.subarray(0, count), chunk);
			else {
				// A chunk is not kept for little, and a buffer of Node's takes less than one of its own.
				if (count > 0) this.#events?.data(Buffer.from(bytes.subarray(0, count)));
				chunk.free();
			}
			if (count === 0) {
				this.#hasRead = true;
				this.#events?.end();
				this.#interest();
				this.#mayClose();
			} else if (count < 0 && !transient.has(-count)) this.#failed();
			if (count < bytes.length) break;
		}
		this.#events?.batch();
	}

	#send(bytes: Uint8Array): void {
		// What waits goes first, though the kernel may have room again before it says so.
		const sent = this.#unsent.length > 0 ? 0 : this.#trySend(bytes);
		if (sent < bytes.length) {
			this.#unsent.add(bytes.slice(sent));
			this.#interest();
		}
	}

	#sendMore(): void {
		const events = this.#events;
		const before = this.#unsent.length;
		if (before === 0) return;
		const chunk = this.#parts.chunks.take();
		for (let sent = 1; sent > 0 && this.#unsent.length > 0; ) {
			const length = Math.min(chunk.bytes.length, this.#unsent.length);
			this.#unsent.copy(0, length, chunk.bytes, 0);
			sent = this.#trySend(chunk.bytes.subarray(0, length));
			this.#unsent.release(sent);
		}
		chunk.free();
		if (this.#unsent.length === 0) {
			this.#interest();
			this.#mayEnd();
		}
		if (this.#unsent.length < before) events?.taken();
	}

	/** @returns how many bytes the kernel has taken */
	#trySend(bytes: Uint8Array): number {
		if (this.#fd < 0) return bytes.length;
		if (!this.#sendsAtOnce) sendAtOnce(this.#fd);
		this.#sendsAtOnce = true;
		const sent = sendNow(this.#fd, bytes);
		if (sent >= 0) return sent;
		// Whoever writes is in the middle of something.
		if (!transient.has(-sent)) this.#parts.clock.defer(() => this.#failed());
		return transient.has(-sent) ? 0 : bytes.length;
	}

	#mayEnd(): void {
		if (!this.#isEnding || this.#hasEnded || this.#unsent.length > 0 || this.#fd < 0) return;
		this.#hasEnded = true;
		if (endDirection(this.#fd, 'write') === -Errno.ENOTCONN) this.#parts.clock.defer(() => this.#failed());
		else this.#mayClose();
	}

	#mayClose(): void {
		if (this.#hasRead && this.#hasEnded) this.#close();
	}

	#failed(): void {
		if (this.#fd < 0) return;
		const events = this.#events;
		this.#close();
		events?.failed();
	}

	#close(): void {
		const fd = this.#fd;
		if (fd < 0) return;
		this.#parts.gather.take(this);
		this.#unsent.clear();
		this.#events = this.#connecting = undefined;
		this.#fd = -1;
		this.#watch?.close();
		this.#watch = undefined;
		close(fd);
	}
}
