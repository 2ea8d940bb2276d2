import type {Frame, Segmentation} from '#devices/network/endpoint';
import {lock, unlock} from '#support/shared-memory';
import {
	FrameHeader,
	mostName,
	mostPorts,
	PortState,
	ringBytes,
	SwitchPort,
	type SwitchPortView,
} from './switch-memory.ts';

const word = (name: Parameters<typeof SwitchPort.word>[0]): number => SwitchPort.word(name);
const [stateWord, wakeWord, lockWord, headWord, tailWord, lostWord, epochWord, nameWord] = [
	word('state'),
	word('wakeFd'),
	word('lock'),
	word('head'),
	word('tail'),
	word('lost'),
	word('epoch'),
	word('nameLength'),
];
/** Frames begin at multiples of this. */
const alignment = 8;
const roomOf = (length: number): number => FrameHeader.size + Math.ceil(length / alignment) * alignment;

/** What has become of a frame that was put into a ring. */
export type Put = 'put' | 'lost' | 'nobody';

/** Whose a frame is. */
export interface Sender {
	readonly port: number;
	readonly epoch: number;
}

/** Frames that other ports have for one of a switch: any thread puts them in, and one takes them out. */
export class FrameRing {
	readonly #words: Int32Array;
	readonly #queued: number;
	readonly #bytes: Uint8Array<SharedArrayBuffer>;
	readonly #name: Uint8Array;
	readonly #header = FrameHeader.on(new ArrayBuffer(FrameHeader.byteLength));

	constructor(port: SwitchPortView, ring: Uint8Array<SharedArrayBuffer>) {
		this.#words = port.$atomic;
		this.#queued = port.queued.byteOffset / 4 - port.$atomic.byteOffset / 4;
		this.#bytes = ring;
		this.#name = port.name;
	}

	get state(): number {
		return Atomics.load(this.#words, stateWord);
	}

	/** Frames that were lost here. */
	get lost(): number {
		return Atomics.load(this.#words, lostWord) >>> 0;
	}

	/** Tells those apart who have had the port. */
	get epoch(): number {
		return Atomics.load(this.#words, epochWord);
	}

	/** The name of its guest; empty where nobody has said one. */
	get name(): string {
		return Buffer.from(this.#name.slice(0, Atomics.load(this.#words, nameWord))).toString('ascii');
	}

	/** Whose the frame is that was looked at. */
	get from(): Sender {
		return {port: this.#header.from, epoch: this.#header.epoch};
	}

	/** Takes the port for oneself; false where somebody has it. */
	claim(wakeFd: number, name = ''): boolean {
		if (Atomics.compareExchange(this.#words, stateWord, PortState.FREE, PortState.TAKEN) !== PortState.FREE)
			return false;
		this.#locked(() => {
			this.#empty();
			Atomics.store(this.#words, lostWord, 0);
			Atomics.add(this.#words, epochWord, 1);
			const letters = Buffer.from(name, 'ascii').subarray(0, mostName);
			this.#name.set(letters);
			Atomics.store(this.#words, nameWord, letters.length);
			Atomics.store(this.#words, wakeWord, wakeFd);
		});
		return true;
	}

	/** Begins to be given frames, or stops: those that are there are lost. Nobody uses the eventfd while it is stopped. */
	run(isRunning: boolean): void {
		this.#locked(() => {
			this.#empty();
			Atomics.store(this.#words, stateWord, isRunning ? PortState.RUNNING : PortState.TAKEN);
		});
	}

	/** Gives the port up. */
	leave(): void {
		this.#locked(() => Atomics.store(this.#words, stateWord, PortState.FREE));
	}

	/**
	 * Puts a frame in. Where more than half of the room is taken, no port may have more of it than its share.
	 * @param wake - called with an eventfd, whose port may be asleep
	 */
	put(frame: Frame, from: Sender, ports: number, wake: (fd: number) => void): Put {
		const room = roomOf(frame.length);
		// Who holds it copies a frame: one that does not come back is dead, and so is the port.
		if (!lock(this.#words, lockWord)) return 'lost';
		try {
			if (this.state !== PortState.RUNNING) return 'nobody';
			const head = Atomics.load(this.#words, headWord);
			const taken = (head - Atomics.load(this.#words, tailWord)) >>> 0;
			const own = Atomics.load(this.#words, this.#queued + from.port);
			const share = ringBytes / 2 / Math.max(1, ports);
			if (taken + room > ringBytes || (taken + room > ringBytes / 2 && own + room > Math.max(share, room))) {
				Atomics.add(this.#words, lostWord, 1);
				return 'lost';
			}
			this.#write(frame, from, head);
			Atomics.add(this.#words, this.#queued + from.port, room);
			Atomics.store(this.#words, headWord, (head + room) | 0);
			// It looks at the head after it has moved its tail: one of the two sees the other.
			if (Atomics.load(this.#words, tailWord) === head) wake(Atomics.load(this.#words, wakeWord));
			return 'put';
		} finally {
			unlock(this.#words, lockWord);
		}
	}

	/** Copies the next frame; false where there is none. */
	peek(target: Frame): boolean {
		const tail = Atomics.load(this.#words, tailWord);
		if (Atomics.load(this.#words, headWord) === tail) return false;
		const header = this.#header;
		this.#copyOut(tail, header.$bytes, FrameHeader.size);
		target.become(header.length);
		target.needsChecksum = header.needsChecksum !== 0;
		target.checksumStart = header.checksumStart;
		target.checksumOffset = header.checksumOffset;
		target.isChecked = header.isChecked !== 0;
		target.segmentation = header.segmentation as Segmentation;
		target.segmentBytes = header.segmentBytes;
		this.#copyOut(tail + FrameHeader.size, target.bytes, header.length);
		return true;
	}

	/** Takes out the frame that was looked at. */
	take(): void {
		const {length, from} = this.#header;
		const room = roomOf(length);
		Atomics.sub(this.#words, this.#queued + from, room);
		Atomics.add(this.#words, tailWord, room);
	}

	#write(frame: Frame, {port, epoch}: Sender, at: number): void {
		const header = this.#header;
		header.length = frame.length;
		header.from = port;
		header.epoch = epoch;
		header.needsChecksum = frame.needsChecksum ? 1 : 0;
		header.checksumStart = frame.checksumStart;
		header.checksumOffset = frame.checksumOffset;
		header.isChecked = frame.isChecked ? 1 : 0;
		header.segmentation = frame.segmentation;
		header.segmentBytes = frame.segmentBytes;
		this.#copyIn(at, header.$bytes, FrameHeader.size);
		this.#copyIn(at + FrameHeader.size, frame.bytes, frame.length);
	}

	/** Nothing is in it, of anybody. */
	#empty(): void {
		Atomics.store(this.#words, tailWord, Atomics.load(this.#words, headWord));
		for (let port = 0; port < mostPorts; port++) Atomics.store(this.#words, this.#queued + port, 0);
	}

	#copyIn(position: number, source: Uint8Array, length: number): void {
		const at = (position >>> 0) % ringBytes;
		const first = Math.min(length, ringBytes - at);
		this.#bytes.set(source.subarray(0, first), at);
		if (first < length) this.#bytes.set(source.subarray(first, length), 0);
	}

	#copyOut(position: number, target: Uint8Array, length: number): void {
		const at = (position >>> 0) % ringBytes;
		const first = Math.min(length, ringBytes - at);
		target.set(this.#bytes.subarray(at, at + first));
		if (first < length) target.set(this.#bytes.subarray(0, length - first), first);
	}

	#locked(action: () => void): void {
		const isHeld = lock(this.#words, lockWord);
		try {
			action();
		} finally {
			if (isHeld) unlock(this.#words, lockWord);
		}
	}
}
