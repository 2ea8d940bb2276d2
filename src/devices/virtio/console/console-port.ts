import {createSerialBackend, type SerialBackend} from '#devices/serial-backends';
import type {Chain, VirtQueue} from '#devices/virtio/queue';
import type {Reactor} from '#support/reactor';
import type {ConsolePortConfig} from './handle.ts';
import type {PortStateView} from './port-state.ts';

/** Bytes that are moved at once. */
const pieceBytes = 16 * 1024;
/** Most bytes of one request, as a driver knows (virtio 1.2, 2.6.5.3.1): the rest of a longer one is not sent. */
const mostSent = 2 ** 32 - 1;
/** Bytes of one turn: a single buffer of the guest's may have 4 GiB. */
const turnBytes = 256 * 1024;

/** What a port asks of the device around it. */
export interface PortOwner {
	/** The host's side may have bytes, room, or somebody at its end who was not there. */
	changed(): void;
	/** There is more to transmit, and others are to have their turn first. */
	transmitLater(): void;
	/** Runs `action` under the device's lock. */
	locked(action: () => void): void;
}

/** Moves bytes between the queues of one port and its back end. */
export class ConsolePort {
	readonly config: ConsolePortConfig;
	readonly state: PortStateView;
	readonly #owner: PortOwner;
	readonly #backend: SerialBackend;
	readonly #bytes = new Uint8Array(pieceBytes);
	/** The guest's buffer that the host has not taken whole, and its queue. */
	#current: {readonly queue: VirtQueue; readonly chain: Chain} | undefined;
	#isBlocked = false;
	#wantsInput = false;

	/** @throws VmmError with a `SERIAL_` code */
	constructor(config: ConsolePortConfig, state: PortStateView, reactor: Reactor, owner: PortOwner) {
		this.config = config;
		this.state = state;
		this.#owner = owner;
		this.#backend = createSerialBackend(config.backend, reactor, {
			changed: () => owner.changed(),
			refused: (count, errno) => owner.locked(() => this.#discarded(count, errno)),
		});
	}

	/** Somebody is at the host's end. */
	get isConnected(): boolean {
		return this.#backend.connected;
	}

	/** Resolves when the host's side is open. */
	async open(): Promise<void> {
		await this.#backend.ready;
	}

	get inFlight(): string | undefined {
		return this.#backend.inFlight;
	}

	/** Hands the guest's buffers to the host, as far as it takes them. */
	transmit(queue: VirtQueue): void {
		const before = this.state.txBytes;
		let [sent, discarded, moved] = [this.state.sent, 0, 0];
		this.#isBlocked = false;
		let chain = this.#current?.queue === queue ? this.#current.chain : queue.next();
		while (chain !== undefined && moved < turnBytes) {
			const count = Math.min(chain.readable - sent, mostSent - sent, pieceBytes);
			if (count <= 0 || !chain.read(sent, this.#bytes, 0, count)) {
				queue.complete(chain, 0);
				sent = 0;
				chain = queue.next();
				continue;
			}
			const taken = this.#backend.write(this.#bytes.subarray(0, count));
			this.#isBlocked = taken === 0 && this.#backend.connected;
			if (this.#isBlocked) break;
			const done = this.#backend.connected || taken > 0 ? taken : count;
			if (done > taken) discarded += done;
			sent += done;
			moved += done;
		}
		this.#current = chain && {queue, chain};
		this.#owner.locked(() => {
			this.state.sent = sent;
			this.state.txBytes = before + moved;
			this.state.txDiscarded += discarded;
		});
		if (chain !== undefined && !this.#isBlocked) this.#owner.transmitLater();
		this.#settle();
	}

	/** Fills the guest's buffers with what the host has sent. */
	receive(queue: VirtQueue): void {
		let moved = 0;
		this.#wantsInput = false;
		for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
			const most = Math.min(chain.writable, pieceBytes);
			const count = most === 0 ? 0 : this.#backend.read(this.#bytes.subarray(0, most));
			if (count === 0 && most > 0) {
				queue.putBack(chain);
				this.#wantsInput = true;
				break;
			}
			queue.complete(chain, chain.write(0, this.#bytes, 0, count) ? count : 0);
			moved += count;
		}
		if (moved > 0)
			this.#owner.locked(() => {
				this.state.rxBytes += moved;
			});
		this.#settle();
	}

	/** Writes bytes past the queues, as far as the host takes them. */
	writeNow(bytes: Uint8Array): void {
		const taken = this.#backend.write(bytes);
		this.#owner.locked(() => {
			this.state.txBytes += bytes.length;
			this.state.txDiscarded += bytes.length - taken;
		});
	}

	/** Input from the owner of the terminal; returns how much fitted. */
	feed(bytes: Uint8Array): number {
		const taken = this.#backend.feed(bytes);
		this.#owner.changed();
		return taken;
	}

	/** Asks for no calls, and leaves what the host has not taken to the guest's queue. */
	rest(): void {
		this.#backend.interest(false, false);
		this.#current?.queue.putBack(this.#current.chain);
		this.#current = undefined;
	}

	/** Gives the guest's buffer back, which it wants for nothing any more. Not under the lock. */
	abandon(): void {
		this.#current?.queue.complete(this.#current.chain, 0);
		this.#current = undefined;
		this.#isBlocked = this.#wantsInput = false;
		this.#owner.locked(() => {
			this.state.sent = 0;
		});
		this.#settle();
	}

	async dispose(): Promise<void> {
		await this.#backend.dispose();
	}

	#settle(): void {
		this.#backend.interest(this.#wantsInput, this.#isBlocked);
	}

	#discarded(count: number, errno: number): void {
		this.state.txDiscarded += count;
		this.state.hostErrno = errno;
	}
}
