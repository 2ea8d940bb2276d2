import type {DeviceBack} from '#devices/device';
import type {Reactor, Timer} from '#support/reactor';
import type {ByteRing} from '#support/shared-memory';
import type {StreamOwner} from './byte-stream.ts';
import type {SerialBackendConfig} from './config.ts';
import {createSerialBackend} from './create-serial-backend.ts';
import type {SerialBackend} from './serial-backend.ts';

/** The guest side of a byte stream, as a device's back sees it. */
export interface SerialPort {
	/** Guest output. The back is its only consumer. */
	readonly output: ByteRing<string>;
	/** Output left the ring. */
	sent(): void;
	/** `count` bytes of output left the ring to nobody; `errno` says why when the host refused them, else 0. */
	discarded(count: number, errno: number): void;
	/** Somebody attached or went. */
	connection(connected: boolean): void;
	/** Gives the number of bytes of input that the guest can take now. After 0 the device notifies the back when that changes. */
	inputRoom(): number;
	/** Delivers input, at most the room last told. */
	input(bytes: Uint8Array): void;
}

/** The back of a device that is a byte stream. */
export interface SerialBack extends DeviceBack {
	open(): Promise<void>;
	/** Input from the owner of the terminal; returns how much fitted, the rest is to be offered again later. */
	feed(source: Uint8Array): number;
}

/** A reader that takes nothing for this long is not waited for when the device stops. */
const stallNs = 1e9;

/**
 * Time that output gathers before it is passed on: a guest sends byte by byte, and a wake-up and a system call for each would
 * cost more than the guest's own work. At 115200 baud a FIFO of 16 bytes takes 1.4 ms.
 */
const gatherNs = 1e6;

/** Input moved at once; also the most that one turn reads. */
const inputChunk = 4096;

interface Refusal {
	readonly count: number;
	readonly errno: number;
}

/** Moves bytes between a device's rings and a back end made from `config`, which may throw a {@link VmmError}. */
export function createSerialBack(config: SerialBackendConfig, reactor: Reactor, port: SerialPort): SerialBack {
	return new SerialPump((...parts) => createSerialBackend(config, ...parts), reactor, port);
}

/** Moves bytes between a device's rings and whatever host side `open` makes. */
export class SerialPump implements SerialBack {
	readonly #reactor: Reactor;
	readonly #port: SerialPort;
	readonly #backend: SerialBackend;
	readonly #buffer = new Uint8Array(inputChunk);
	#connected = false;
	#running = false;
	/** The host takes no more output for now. */
	#blocked = false;
	#gather: Timer | undefined;
	#stopped: (() => void) | undefined;
	#stall: Timer | undefined;
	/** Output that the host has refused since the device stopped. */
	#untold: Refusal | undefined;

	constructor(open: (reactor: Reactor, owner: StreamOwner) => SerialBackend, reactor: Reactor, port: SerialPort) {
		this.#reactor = reactor;
		this.#port = port;
		this.#backend = open(reactor, {
			changed: () => this.#pump(),
			refused: (count, errno) => this.#refused({count, errno}),
		});
	}

	async open(): Promise<void> {
		await this.#backend.ready;
	}

	inFlight(): string | undefined {
		return this.#backend.inFlight;
	}

	start(): void {
		this.#running = true;
		// Reset and restore change the state behind our back, so it is told again.
		this.#connected = this.#backend.connected;
		this.#port.connection(this.#connected);
		if (this.#untold !== undefined) this.#refused(this.#untold);
		this.#untold = undefined;
		this.#pump();
	}

	/** Resolves once the output is with the host, or the host has stopped taking it; what is left stays in the ring. */
	stop(): Promise<void> {
		if (!this.#running) return Promise.resolve();
		return new Promise((resolve) => {
			this.#stopped = resolve;
			this.#watchStall();
			this.#pump();
		});
	}

	notified(): void {
		if (!this.#running || this.#stopped !== undefined) return;
		// Until the timer expires the ring is not empty, so the guest's next bytes cause no notification.
		if (this.#port.output.length > 0 && !this.#blocked) {
			this.#gather ??= this.#reactor.after(gatherNs, () => this.#pump());
		}
		this.#settle();
	}

	feed(source: Uint8Array): number {
		const taken = this.#backend.feed(source);
		this.#pump();
		return taken;
	}

	async dispose(): Promise<void> {
		this.#running = false;
		this.#stall?.cancel();
		this.#gather?.cancel();
		await this.#backend.dispose();
	}

	#pump(): void {
		if (!this.#running) return;
		this.#drain();
		if (this.#stopped === undefined) this.#settle();
		else if (this.#port.output.length === 0 && this.#backend.flushed) this.#finishStop();
		else this.#backend.interest(false, this.#blocked || !this.#backend.flushed);
	}

	/** Everything but output: takes input, reports a change of connection, asks for what is to be waited for. */
	#settle(): void {
		const room = this.#fill();
		this.#noteConnection();
		this.#backend.interest(room > 0, this.#blocked);
	}

	/** Passes output on until the ring is empty or the host takes no more. */
	#drain(): void {
		const {output} = this.#port;
		this.#gather?.cancel();
		this.#gather = undefined;
		this.#blocked = false;
		// A guest that writes all the time must not keep this thread from its other devices: one ring's worth per turn.
		let budget = output.length + output.space;
		let moved = false;
		while (output.length > 0 && budget > 0 && !this.#blocked) {
			const count = this.#passOn(output.peek());
			output.consume(count);
			budget -= count;
			moved ||= count > 0;
		}
		if (!moved) return;
		this.#port.sent();
		if (budget <= 0) this.#reactor.defer(() => this.#pump());
		if (this.#stopped !== undefined) this.#watchStall();
	}

	/** Writes output to the host, or discards it where there is nobody; returns how much is done with. */
	#passOn(piece: Uint8Array): number {
		this.#noteConnection();
		if (!this.#connected) {
			this.#port.discarded(piece.length, 0);
			return piece.length;
		}
		const taken = this.#backend.write(piece);
		this.#blocked = taken === 0 && this.#backend.connected;
		return taken;
	}

	/** Nothing changes the state of a device that has stopped: what is refused then is told when it starts. */
	#refused({count, errno}: Refusal): void {
		if (this.#running) this.#port.discarded(count, errno);
		else this.#untold = {count, errno};
	}

	/** Takes input as far as the guest has room. Returns the room that is left. */
	#fill(): number {
		const room = this.#port.inputRoom();
		if (room === 0) return 0;
		const count = this.#backend.read(this.#buffer.subarray(0, Math.min(room, inputChunk)));
		if (count === 0) return room;
		this.#port.input(this.#buffer.subarray(0, count));
		return this.#port.inputRoom();
	}

	#noteConnection(): void {
		if (this.#backend.connected === this.#connected) return;
		this.#connected = this.#backend.connected;
		this.#port.connection(this.#connected);
	}

	#watchStall(): void {
		this.#stall?.cancel();
		this.#stall = this.#reactor.after(stallNs, () => this.#finishStop());
	}

	#finishStop(): void {
		this.#stall?.cancel();
		this.#stall = undefined;
		this.#gather?.cancel();
		this.#gather = undefined;
		this.#running = false;
		this.#backend.interest(false, false);
		this.#stopped?.();
		this.#stopped = undefined;
	}
}
