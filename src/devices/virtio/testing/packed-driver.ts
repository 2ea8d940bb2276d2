import {type EventFlag, PackedDescriptor, PackedFlag} from '#devices/virtio/queue';
import {unchecked} from '#support/trust';
import {type Buffer, ringPacked, TestDriver} from './driver.ts';

const [NEXT, WRITE] = [1, 2];
const owners = PackedFlag.AVAILABLE | PackedFlag.USED;

/** A guest's driver of one packed queue (virtio 1.2, 2.8.21 and 2.8.22). */
export class PackedDriver extends TestDriver {
	/** Positions of two laps: where buffers are made available next, and where used ones are looked for. */
	#available = 0;
	#used = 0;
	/** By id: how many descriptors it has. */
	readonly #slots = new Map<number, number>();

	override begin(features: readonly number[] = []): void {
		super.begin([ringPacked, ...features]);
	}

	override setUp(queue: number): void {
		[this.#available, this.#used] = [0, 0];
		this.#slots.clear();
		super.setUp(queue);
	}

	/** Makes buffers available as one chain, whose id is `head`. */
	override offer(buffers: readonly Buffer[], {head = 0}: {head?: number} = {}): void {
		for (const [index, {at, length, writable}] of buffers.entries())
			this.put(index, at, length, (index === buffers.length - 1 ? 0 : NEXT) | (writable ? WRITE : 0), head);
		this.hand(buffers.length, head);
	}

	/** Writes a descriptor `ahead` of what is made available next; it is not the device's yet. */
	put(ahead: number, at: number, length: number, flags: number, id = 0): void {
		const {memory} = this.machine;
		const place = this.#place(this.#available + ahead);
		memory.writeU64(place, at);
		memory.writeU32(place + PackedDescriptor.offset('length'), length);
		memory.writeU16(place + PackedDescriptor.offset('id'), id);
		memory.writeU16(
			place + PackedDescriptor.offset('flags'),
			flags | (this.#isOdd(this.#available + ahead) ? 0 : owners),
		);
	}

	/** Makes descriptors the device's, the first one last. */
	hand(slots: number, id = 0): void {
		const {memory} = this.machine;
		for (let ahead = slots - 1; ahead >= 0; ahead--) {
			const flags = this.#place(this.#available + ahead) + PackedDescriptor.offset('flags');
			const others = (unchecked(memory.readU16(flags)) as number) & ~owners;
			memory.writeU16(flags, others | this.#deviceOwns(this.#available + ahead));
		}
		this.#slots.set(id, slots);
		this.#available = (this.#available + slots) % (2 * this.queueSize);
	}

	override used(): [id: number, written: number][] {
		const {memory} = this.machine;
		const found: [number, number][] = [];
		for (;;) {
			const place = this.#place(this.#used);
			const flags = unchecked(memory.readU16(place + PackedDescriptor.offset('flags'))) as number;
			if ((flags & owners) !== (this.#isOdd(this.#used) ? owners : 0)) return found;
			const id = unchecked(memory.readU16(place + PackedDescriptor.offset('id'))) as number;
			const slots = this.#slots.get(id);
			if (slots === undefined) throw new Error(`the device has used ${id}, which it has not`);
			this.#slots.delete(id);
			found.push([id, unchecked(memory.readU32(place + PackedDescriptor.offset('length'))) as number]);
			this.#used = (this.#used + slots) % (2 * this.queueSize);
		}
	}

	/** Says when the driver wants to be told. */
	setEvents(flags: (typeof EventFlag)[keyof typeof EventFlag], place = 0): void {
		this.machine.memory.writeU32(this.place().driver, (flags << 16) | place);
	}

	/** What the device has said of when it wants to be notified. */
	get deviceEvents(): {readonly flags: number; readonly place: number} {
		const word = unchecked(this.machine.memory.readU32(this.place().device)) as number;
		return {flags: word >>> 16, place: word & 0xffff};
	}

	#place(position: number): number {
		return this.place().descriptors + PackedDescriptor.size * (position % this.queueSize);
	}

	/** Bits of a descriptor that is the device's. */
	#deviceOwns(position: number): number {
		return this.#isOdd(position) ? PackedFlag.AVAILABLE : PackedFlag.USED;
	}

	#isOdd(position: number): boolean {
		return position % (2 * this.queueSize) < this.queueSize;
	}
}
