import type {Reactor, Watch} from '#support/reactor';
import type {Nic} from './endpoint.ts';
import type {Frame} from './frame.ts';

/** Frames that are read in one turn of the thread. */
const framesPerTurn = 64;

/** What a frame descriptor is made of. */
export interface FrameDescriptorParts {
	readonly fd: number;
	readonly nic: Pick<Nic, 'receive' | 'room'>;
	readonly reactor: Pick<Reactor, 'watch'>;
	/** The frame that was read last. */
	readonly frame: Frame;
	/** Reads one: it is there, it was none, or there is nothing now. */
	read(): 'frame' | 'wrong' | 'nothing';
}

/** A descriptor of the host's that gives and takes whole frames: waited for while the guest has room for them, and while it has none for the guest's. */
export class FrameDescriptor {
	readonly #parts: FrameDescriptorParts;
	#watch: Watch | undefined;
	#isRunning = false;
	/** The guest has no room for the frame that was read last; the descriptor has none for the guest's. */
	#isBlocked = false;
	#isFull = false;
	#isGone = false;

	constructor(parts: FrameDescriptorParts) {
		this.#parts = parts;
	}

	start(): void {
		this.#isRunning = true;
		this.#isBlocked = false;
		this.#interest();
	}

	stop(): void {
		this.#isRunning = false;
		this.#interest();
	}

	/** The guest has room. */
	room(): void {
		if (!this.#isBlocked) return;
		this.#isBlocked = !this.#parts.nic.receive(this.#parts.frame);
		this.#interest();
	}

	/** It has not taken a frame of the guest's: the NIC is told when it may. */
	full(): void {
		this.#isFull = true;
		this.#interest();
	}

	/** Nothing comes any more, for which it would be ready for ever. What waited for it is offered again, to be lost. */
	gone(): void {
		this.#isGone = true;
		this.#interest();
		if (this.#isFull) this.#parts.nic.room();
		this.#isFull = false;
	}

	#interest(): void {
		const [readable, writable] = [!this.#isBlocked, this.#isFull];
		if (!this.#isRunning || this.#isGone || (!readable && !writable)) {
			this.#watch?.close();
			this.#watch = undefined;
		} else if (this.#watch !== undefined) this.#watch.interest(readable, writable);
		else {
			this.#watch = this.#parts.reactor.watch(this.#parts.fd, {readable, writable}, (state) => {
				if (state.writable && this.#isFull) {
					this.#isFull = false;
					this.#parts.nic.room();
					this.#interest();
				}
				if (!this.#isBlocked) this.#receive();
			});
		}
	}

	#receive(): void {
		const {nic, frame} = this.#parts;
		for (let count = 0; count < framesPerTurn; count++) {
			const what = this.#parts.read();
			if (what === 'nothing') return;
			if (what === 'wrong' || nic.receive(frame)) continue;
			this.#isBlocked = true;
			this.#interest();
			return;
		}
	}
}
