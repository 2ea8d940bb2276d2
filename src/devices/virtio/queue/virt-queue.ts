import {fence, type GuestMemory, type GuestWindow} from '#devices/guest-memory';
import {asAddress, below, masked, within} from '#support/trust';
import {GuestReader} from '#support/wire';
import {Chain} from './chain.ts';
import {Available, Descriptor, DescriptorFlag, indexLimit, noInterrupt, queueParts, Used} from './ring.ts';

/** Place that the driver has given a queue. */
export interface QueuePlace {
	readonly size: number;
	/** Descriptor table, available ring and used ring. */
	readonly descriptors: number;
	readonly driver: number;
	readonly device: number;
}

/** Progress of a queue, 16 bits each. */
export interface QueueProgress {
	/** Of the available ring, what the device takes next. */
	readonly available: number;
	/** Of the used ring, what the device fills next. */
	readonly used: number;
}

/** Faults of a driver, which no driver may have. A queue that is broken does nothing until the device is reset. */
export const queueFaults = {
	none: 0,
	place: 1,
	availableIndex: 2,
	head: 3,
	descriptor: 4,
	buffer: 5,
	next: 6,
	loop: 7,
	indirect: 8,
} as const;
export type QueueFault = Exclude<keyof typeof queueFaults, 'none'>;

/** Parts of a {@link VirtQueue}. */
export interface QueueParts {
	readonly memory: GuestMemory;
	readonly place: QueuePlace;
	/** Progress from which it goes on. */
	readonly progress: QueueProgress;
	/** Negotiated features: VIRTIO_F_EVENT_IDX, VIRTIO_F_INDIRECT_DESC. */
	readonly eventIndex: boolean;
	readonly indirect: boolean;
	/** The driver uses the queue: it has neither turned it off nor reset the device since. */
	isOn(): boolean;
	/** Tells the driver that buffers have been used. */
	interrupt(): void;
	broken(fault: QueueFault): void;
}

/** Most bytes of one turn of a queue; each chain has the share of its place in a full queue. */
const servedBytes = 4 * 2 ** 20;

/** Entries of an indirect table that are read at most. */
const mostIndirect = 1024;

/** The device's side of one split queue (virtio 1.2, 2.7). All that the driver writes is read once and then checked. */
export class VirtQueue {
	readonly #parts: QueueParts;
	readonly #descriptors: GuestReader<typeof Descriptor.fields>;
	readonly #free: Chain[] = [];
	/** By head: those that the device has. */
	readonly #taken = new Map<number, Chain>();
	#driver: GuestWindow | undefined;
	#device: GuestWindow | undefined;
	#available: number;
	#used: number;
	/** The used index that the driver was last told of; undefined when that is not known. */
	#told: number | undefined;
	#isBroken = false;
	/** Bytes of chains that may still be taken in this turn. */
	#budget = Number.POSITIVE_INFINITY;
	#isServing = false;

	constructor(parts: QueueParts) {
		this.#parts = parts;
		this.#available = parts.progress.available;
		this.#used = parts.progress.used;
		this.#descriptors = new GuestReader(Descriptor, parts.memory);
	}

	/** Chains that the device has taken and not completed. */
	get inFlight(): number {
		return this.#taken.size;
	}

	/** Progress of the queue. Its own, since a reset gives registers to the next queue while this one still completes. */
	get progress(): QueueProgress {
		return {available: this.#available, used: this.#used};
	}

	/**
	 * Lets `handle` take chains, no more than the queue has room for and, but for the last, of {@link servedBytes} together: neither
	 * a driver that fills the queue as fast as it is emptied nor one with large buffers keeps the thread. The driver is told once
	 * of all that is completed meanwhile.
	 * @returns true when there may be more to take
	 */
	serve(handle: () => void): boolean {
		this.#budget = servedBytes;
		this.#isServing = true;
		try {
			handle();
			return this.#budget <= 0;
		} finally {
			this.#budget = Number.POSITIVE_INFINITY;
			this.#isServing = false;
			this.#tell();
		}
	}

	/** Takes the next chain that the driver has made available. */
	next(): Chain | undefined {
		if (this.#budget <= 0 || !this.#map()) return undefined;
		const {size} = this.#parts.place;
		let waiting = this.#waiting();
		if (waiting === 0 && this.#parts.eventIndex) {
			this.#device?.writeU16(Used.availableEvent(size), this.#available);
			// The driver looks at the event index after it has stored its own: one of the two sees the other.
			fence();
			waiting = this.#waiting();
		}
		if (waiting === 0) return undefined;
		if (waiting > size) return this.#break('availableIndex');
		const at = Available.RING + 2 * (this.#available & (size - 1));
		const head = below(this.#driver?.readU16(at), size);
		if (head === undefined || this.#taken.has(head)) return this.#break('head');
		const chain = this.#walk(head);
		if (chain === undefined) return undefined;
		this.#available = (this.#available + 1) % indexLimit;
		this.#taken.set(head, chain);
		this.#budget -= Math.max(chain.readable + chain.writable, servedBytes / size);
		return chain;
	}

	/** Gives a chain back to the driver, of which the device has written the first `written` bytes to write. */
	complete(chain: Chain, written: number): void {
		if (this.#taken.get(chain.head) !== chain) throw new TypeError('a chain is completed once, by the queue it is of');
		this.#taken.delete(chain.head);
		this.#free.push(chain);
		if (!this.#map()) return;
		const {place} = this.#parts;
		const device = this.#device as GuestWindow;
		const element = Used.RING + Used.elementBytes * (this.#used & (place.size - 1));
		device.writeU32(element, chain.head);
		device.writeU32(element + 4, Math.min(written, chain.writable) % 2 ** 32);
		this.#used = (this.#used + 1) % indexLimit;
		device.releaseU16(Used.INDEX, this.#used);
		if (!this.#isServing) this.#tell();
	}

	/**
	 * Gives back the chain that was taken last, as if it had not been: there is nothing to do with it yet. Several are given back in
	 * the reverse of the order in which they were taken, and {@link next} takes them again. The driver is told nothing.
	 */
	putBack(chain: Chain): void {
		const before = (this.#available + indexLimit - 1) % indexLimit;
		if (this.#taken.get(chain.head) !== chain || chain.position !== before)
			throw new TypeError('of the chains of a queue that are not completed, the one that was taken last is put back');
		this.#taken.delete(chain.head);
		this.#free.push(chain);
		this.#available = before;
	}

	/** Stops using the driver's memory for good. */
	close(): void {
		this.#isBroken = true;
	}

	/** Counts the chains that wait. */
	#waiting(): number {
		const index = within(this.#driver?.acquireU16(Available.INDEX), 0, indexLimit - 1);
		return index === undefined ? 0 : (index - this.#available) & (indexLimit - 1);
	}

	#tell(): void {
		const {place, eventIndex} = this.#parts;
		const used = this.#used;
		if (used === this.#told || !this.#map()) return;
		fence();
		const before = this.#told;
		this.#told = used;
		if (!eventIndex) {
			const flags = masked(this.#driver?.readU16(Available.FLAGS), noInterrupt);
			if (flags === 0) this.#parts.interrupt();
			return;
		}
		const event = within(this.#driver?.readU16(Available.usedEvent(place.size)), 0, indexLimit - 1) ?? used;
		// The event lies between what was told before and now (2.7.7.2).
		const passed = (used - event - 1) & (indexLimit - 1);
		if (before === undefined || passed < ((used - before) & (indexLimit - 1))) this.#parts.interrupt();
	}

	#walk(head: number): Chain | undefined {
		const {place, memory} = this.#parts;
		const chain = this.#free.pop() ?? new Chain(memory);
		chain.begin(head, this.#available);
		let [table, count, index, isIndirect] = [place.descriptors, place.size, head, false];
		for (let steps = 0; steps < count; steps++) {
			const descriptor = this.#descriptors.load(table + Descriptor.size * index);
			if (descriptor === undefined) return this.#break('descriptor');
			const flags = masked(descriptor.flags, 7) as number;
			const address = asAddress(descriptor.address);
			const length = within(descriptor.length, 0, 2 ** 32 - 1) as number;
			if (address === undefined || !memory.contains(address, length)) return this.#break('buffer');
			if ((flags & DescriptorFlag.INDIRECT) !== 0) {
				const entries = length / Descriptor.size;
				const isPossible = this.#parts.indirect && !isIndirect && entries >= 1 && entries <= mostIndirect;
				if (!isPossible || !Number.isInteger(entries) || (flags & DescriptorFlag.NEXT) !== 0)
					return this.#break('indirect');
				// One table is the last that a chain has.
				[table, count, index, steps, isIndirect] = [address, entries, 0, -1, true];
				continue;
			}
			if (!chain.add(address, length, (flags & DescriptorFlag.WRITE) !== 0)) return this.#break('buffer');
			if ((flags & DescriptorFlag.NEXT) === 0) return chain;
			const next = below(descriptor.next, count);
			if (next === undefined) return this.#break('next');
			index = next;
		}
		return this.#break('loop');
	}

	/** True when the rings can be accessed; they are looked up anew where memory has changed. */
	#map(): boolean {
		if (this.#isBroken || !this.#parts.isOn()) return false;
		if (this.#driver?.isCurrent === true && this.#device?.isCurrent === true) return true;
		const {memory, place} = this.#parts;
		const {size, descriptors, driver, device} = place;
		const {descriptors: table, driver: available, device: used} = queueParts;
		this.#driver = memory.mapped(driver, available.bytes(size), available.alignment);
		this.#device = memory.mapped(device, used.bytes(size), used.alignment);
		const isPlaced = descriptors % table.alignment === 0 && memory.contains(descriptors, table.bytes(size));
		if (isPlaced && this.#driver !== undefined && this.#device !== undefined) return true;
		this.#break('place');
		return false;
	}

	#break(fault: QueueFault): undefined {
		if (!this.#isBroken) this.#parts.broken(fault);
		this.#isBroken = true;
		return undefined;
	}
}
