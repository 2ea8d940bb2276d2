import {Frame, leastFrameBytes, mostFrameBytes, type Nic} from '#devices/network/endpoint';
import {close, read, transient, write} from '#support/ffi';
import type {Reactor, Timer, Watch} from '#support/reactor';

/** What stands before each frame: its length in 32 bits, most significant byte first (QEMU, net/stream.c). */
const prefixBytes = 4;
/** Bytes that are read at once: several frames as they usually are, or the longest. */
const bufferBytes = 2 * (prefixBytes + mostFrameBytes);
/** Frames that are passed on in one turn of the thread, however short they are. */
const framesPerTurn = 64;

/** What a stream of frames is made of. */
export interface FrameStreamParts {
	/** A connected socket, which the stream closes. */
	readonly fd: number;
	readonly nic: Pick<Nic, 'receive' | 'room'>;
	readonly reactor: Pick<Reactor, 'watch' | 'after'>;
	/**
	 * Nobody is at the other end any more. What was refused for want of room is asked for again then.
	 * @param what - `isWrong`: it has been let go of, since it has sent what is no frame; `isLost`: it has a part alone of the last frame for it
	 */
	left(what: {readonly isWrong: boolean; readonly isLost: boolean}): void;
}

/** A connection by which frames come and go as QEMU's `-netdev stream` has them. */
export class FrameStream {
	readonly #parts: FrameStreamParts;
	#watch: Watch | undefined;
	#more: Timer | undefined;
	#isRunning = false;
	#isClosed = false;
	/** Bytes that have come, from one place to another. */
	readonly #in = new Uint8Array(bufferBytes);
	readonly #inView = new DataView(this.#in.buffer);
	#start = 0;
	#end = 0;
	#isBlocked = false;
	readonly #frame = new Frame();
	/** What the socket has not taken yet of the last frame. */
	readonly #out = new Uint8Array(prefixBytes + mostFrameBytes);
	readonly #outView = new DataView(this.#out.buffer);
	#outStart = 0;
	#outEnd = 0;
	/** A frame has been refused. */
	#isFull = false;

	constructor(parts: FrameStreamParts) {
		this.#parts = parts;
	}

	start(): void {
		this.#isRunning = true;
		this.#isBlocked = false;
		this.#interest();
		this.#passLater();
	}

	/** @returns false where there is no room: `room` says when there is. What is for nobody is taken, and lost */
	send(frame: Frame): boolean {
		if (this.#isClosed) return true;
		if (this.#outStart < this.#outEnd) {
			this.#isFull = true;
			return false;
		}
		this.#outView.setUint32(0, frame.length);
		this.#out.set(frame.bytes.subarray(0, frame.length), prefixBytes);
		[this.#outStart, this.#outEnd] = [0, prefixBytes + frame.length];
		this.#flush();
		return true;
	}

	/** There is room for a frame that was refused. */
	room(): void {
		this.#isBlocked = false;
		this.#receive();
	}

	/** Reads and writes nothing until it is started again. */
	stop(): void {
		this.#isRunning = false;
		this.#more?.cancel();
		this.#more = undefined;
		this.#watch?.close();
		this.#watch = undefined;
	}

	/** Nobody is told. */
	close(): void {
		if (this.#isClosed) return;
		this.stop();
		this.#isClosed = true;
		close(this.#parts.fd);
	}

	#left(isWrong: boolean): void {
		this.close();
		this.#parts.left({isWrong, isLost: this.#outStart < this.#outEnd});
		this.#hasRoom();
	}

	#interest(): void {
		if (!this.#isRunning) return;
		const [readable, writable] = [!this.#isBlocked, this.#outStart < this.#outEnd];
		// A hang-up is told however little is asked for, and would keep the thread busy.
		if (!readable && !writable) {
			this.#watch?.close();
			this.#watch = undefined;
		} else if (this.#watch !== undefined) this.#watch.interest(readable, writable);
		else {
			this.#watch = this.#parts.reactor.watch(this.#parts.fd, {readable, writable}, (state) => {
				if (state.writable) this.#flush();
				// What is left of before has its turn already.
				if ((state.readable || state.failed) && this.#more === undefined) this.#receive();
			});
		}
	}

	/** The frame that was refused is taken now, or lost. */
	#hasRoom(): void {
		if (!this.#isFull) return;
		this.#isFull = false;
		this.#parts.nic.room();
	}

	#flush(): void {
		if (this.#outStart === this.#outEnd) return;
		const count = write(this.#parts.fd, this.#out.subarray(this.#outStart, this.#outEnd));
		if (count < 0 && !transient.has(-count)) {
			this.#left(false);
			return;
		}
		this.#outStart += Math.max(0, count);
		if (this.#outStart === this.#outEnd) this.#hasRoom();
		this.#interest();
	}

	/** Passes on what has come, and reads once more at most: others have their turn then. */
	#receive(): void {
		if (!this.#isRunning || !this.#pass()) return;
		this.#in.copyWithin(0, this.#start, this.#end);
		this.#end -= this.#start;
		this.#start = 0;
		const count = read(this.#parts.fd, this.#in.subarray(this.#end));
		if (count === 0 || (count < 0 && !transient.has(-count))) this.#left(false);
		else {
			this.#end += Math.max(0, count);
			this.#pass();
		}
	}

	/** Passes on the frames that are whole. False where some are left, since there is no room or others have their turn, or their sender has been let go of. */
	#pass(): boolean {
		for (let count = 0; this.#end - this.#start >= prefixBytes; count++) {
			const length = this.#inView.getUint32(this.#start);
			if (length < leastFrameBytes || length > mostFrameBytes) {
				this.#left(true);
				return false;
			}
			const next = this.#start + prefixBytes + length;
			if (next > this.#end) break;
			if (count === framesPerTurn) {
				this.#passLater();
				return false;
			}
			this.#frame.bytes.set(this.#in.subarray(this.#start + prefixBytes, next));
			this.#frame.become(length);
			if (!this.#parts.nic.receive(this.#frame)) {
				this.#isBlocked = true;
				this.#interest();
				return false;
			}
			this.#start = next;
		}
		this.#interest();
		return true;
	}

	#passLater(): void {
		this.#more ??= this.#parts.reactor.after(0, () => {
			this.#more = undefined;
			if (!this.#isBlocked) this.#receive();
		});
	}
}
