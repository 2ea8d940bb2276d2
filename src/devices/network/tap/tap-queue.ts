import {Frame, FrameDescriptor, leastFrameBytes, mostFrameBytes, type Nic} from '#devices/network/endpoint';
import {readHeader, Segments, VnetHeader, writeHeader} from '#devices/network/packet';
import {close, read, transient, write} from '#support/ffi';
import type {Reactor} from '#support/reactor';

/** What a queue of a tap interface is made of. */
export interface TapQueueParts {
	/** Of the queue, which closes it. */
	readonly fd: number;
	readonly nic: Pick<Nic, 'receive' | 'room'>;
	readonly reactor: Pick<Reactor, 'watch'>;
	/** The host has taken the interface away: it never comes back to this descriptor. */
	gone(errno: number): void;
}

/** One queue of a tap interface: a frame a read, and a frame a write, behind what is still to be done to it. */
export class TapQueue {
	readonly #parts: TapQueueParts;
	readonly #header = VnetHeader.on(new ArrayBuffer(VnetHeader.byteLength));
	readonly #bytes = new Uint8Array(VnetHeader.size + mostFrameBytes);
	readonly #frame = new Frame();
	readonly #segments = new Segments();
	readonly #descriptor: FrameDescriptor;

	constructor(parts: TapQueueParts) {
		this.#parts = parts;
		const {fd, nic, reactor} = parts;
		this.#descriptor = new FrameDescriptor({fd, nic, reactor, frame: this.#frame, read: () => this.#read()});
	}

	start(): void {
		this.#descriptor.start();
	}

	/** @returns 0; or the negated errno of a frame that the host has not taken: that of {@link transient} for one that it will */
	send(frame: Frame): number {
		writeHeader(this.#header, frame, this.#headerBytes(frame));
		// The driver's checksum is told as it is, and looked at by whoever wants to.
		if (!frame.needsChecksum) this.#header.flags = 0;
		this.#bytes.set(this.#header.$bytes);
		this.#bytes.set(frame.bytes.subarray(0, frame.length), VnetHeader.size);
		const count = write(this.#parts.fd, this.#bytes.subarray(0, VnetHeader.size + frame.length));
		if (transient.has(-count)) this.#descriptor.full();
		return Math.min(0, count);
	}

	room(): void {
		this.#descriptor.room();
	}

	stop(): void {
		this.#descriptor.stop();
	}

	dispose(): void {
		this.stop();
		close(this.#parts.fd);
	}

	#headerBytes(frame: Frame): number {
		return frame.segmentation !== 0 && this.#segments.begin(frame) ? this.#segments.headerBytes : 0;
	}

	#read(): 'frame' | 'wrong' | 'nothing' {
		const count = read(this.#parts.fd, this.#bytes);
		if (count < 0) {
			if (!transient.has(-count)) {
				this.#parts.gone(-count);
				this.#descriptor.gone();
			}
			return 'nothing';
		}
		const length = count - VnetHeader.size;
		if (length < leastFrameBytes) return 'wrong';
		this.#header.$bytes.set(this.#bytes.subarray(0, VnetHeader.size));
		this.#frame.bytes.set(this.#bytes.subarray(VnetHeader.size, VnetHeader.size + length));
		this.#frame.become(length);
		return readHeader(this.#header, this.#frame) ? 'frame' : 'wrong';
	}
}
