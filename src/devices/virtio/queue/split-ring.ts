import {fence, type GuestMemory, type GuestWindow} from '#devices/guest-memory';
import {asAddress, below, masked, within} from '#support/trust';
import {GuestReader} from '#support/wire';
import type {Chain} from './chain.ts';
import {isPassed, mostIndirect, type QueueFault, type QueueProgress, type Ring, type RingParts} from './ring.ts';
import {Available, Descriptor, DescriptorFlag, indexLimit, noInterrupt, queueParts, Used} from './split-layout.ts';

/** The device's side of a split virtqueue (virtio 1.2, 2.7). */
export class SplitRing implements Ring {
	readonly #parts: RingParts;
	readonly #memory: GuestMemory;
	readonly #descriptors: GuestReader<typeof Descriptor.fields>;
	#driver: GuestWindow | undefined;
	#device: GuestWindow | undefined;
	#available: number;
	#used: number;
	/** The used index that the driver sees. */
	#shown: number;
	/** The used index that the driver was last told of; undefined when that is not known. */
	#told: number | undefined;

	constructor(parts: RingParts) {
		this.#parts = parts;
		this.#memory = parts.memory;
		this.#available = parts.progress.available;
		this.#used = this.#shown = parts.progress.used;
		this.#descriptors = new GuestReader(Descriptor, parts.memory);
	}

	get progress(): QueueProgress {
		return {available: this.#available, used: this.#used};
	}

	map(): boolean {
		if (this.#driver?.isCurrent === true && this.#device?.isCurrent === true) return true;
		const {size, descriptors, driver, device} = this.#parts.place;
		const {descriptors: table, driver: available, device: used} = queueParts;
		this.#driver = this.#memory.mapped(driver, available.bytes(size), available.alignment);
		this.#device = this.#memory.mapped(device, used.bytes(size), used.alignment);
		const isPlaced = descriptors % table.alignment === 0 && this.#memory.contains(descriptors, table.bytes(size));
		return isPlaced && this.#driver !== undefined && this.#device !== undefined;
	}

	take(chain: Chain): 'taken' | 'nothing' | QueueFault {
		const {size} = this.#parts.place;
		let waiting = this.#waiting();
		if (waiting === 0 && this.#parts.eventIndex) {
			this.#device?.writeU16(Used.availableEvent(size), this.#available);
			// The driver looks at the event index after it has stored its own: one of the two sees the other.
			fence();
			waiting = this.#waiting();
		}
		if (waiting === 0) return 'nothing';
		if (waiting > size) return 'availableIndex';
		const at = Available.RING + 2 * (this.#available & (size - 1));
		const head = below(this.#driver?.readU16(at), size);
		if (head === undefined) return 'head';
		const fault = this.#walk(chain, head);
		if (fault !== undefined) return fault;
		this.#available = (this.#available + 1) % indexLimit;
		return 'taken';
	}

	retake(chain: Chain, head: number): 'taken' | QueueFault {
		return head < this.#parts.place.size ? (this.#walk(chain, head) ?? 'taken') : 'head';
	}

	putBack({position}: Chain): boolean {
		if ((position + 1) % indexLimit !== this.#available) return false;
		this.#available = position;
		return true;
	}

	use(chain: Chain, isShown: boolean): void {
		const device = this.#device as GuestWindow;
		const element = Used.RING + Used.elementBytes * (this.#used & (this.#parts.place.size - 1));
		device.writeU32(element, chain.head);
		device.writeU32(element + 4, chain.written);
		this.#used = (this.#used + 1) % indexLimit;
		if (isShown) this.show();
	}

	show(): void {
		if (this.#shown === this.#used) return;
		this.#shown = this.#used;
		this.#device?.releaseU16(Used.INDEX, this.#used);
	}

	wantsInterrupt(): boolean {
		const {place, eventIndex} = this.#parts;
		const [used, told] = [this.#used, this.#told];
		if (used === told) return false;
		this.#told = used;
		fence();
		if (!eventIndex) return masked(this.#driver?.readU16(Available.FLAGS), noInterrupt) === 0;
		const event = within(this.#driver?.readU16(Available.usedEvent(place.size)), 0, indexLimit - 1) ?? used;
		return isPassed(event, used, told, indexLimit);
	}

	/** Counts the chains that wait. */
	#waiting(): number {
		const index = within(this.#driver?.acquireU16(Available.INDEX), 0, indexLimit - 1);
		return index === undefined ? 0 : (index - this.#available) & (indexLimit - 1);
	}

	/** Takes the chain that begins with a descriptor. */
	#walk(chain: Chain, head: number): QueueFault | undefined {
		const {place, indirect} = this.#parts;
		chain.begin(this.#available);
		const fault = this.#walkTable(chain, place.descriptors, place.size, head, indirect);
		if (fault === undefined) chain.end(head, 1);
		return fault;
	}

	/** Adds the buffers of a table from a descriptor on. @param mayLead - to one more table, which is the last that a chain has */
	#walkTable(chain: Chain, table: number, count: number, first: number, mayLead: boolean): QueueFault | undefined {
		let index = first;
		for (let steps = 0; steps < count; steps++) {
			const descriptor = this.#descriptors.load(table + Descriptor.size * index);
			if (descriptor === undefined) return 'descriptor';
			const flags = masked(descriptor.flags, 7) as number;
			const address = asAddress(descriptor.address);
			const length = within(descriptor.length, 0, 2 ** 32 - 1) as number;
			if (address === undefined || !this.#memory.contains(address, length)) return 'buffer';
			if ((flags & DescriptorFlag.INDIRECT) !== 0) {
				const entries = length / Descriptor.size;
				const isPossible = mayLead && entries >= 1 && entries <= mostIndirect;
				if (!isPossible || !Number.isInteger(entries) || (flags & DescriptorFlag.NEXT) !== 0) return 'indirect';
				return this.#walkTable(chain, address, entries, 0, false);
			}
			if (!chain.add(address, length, (flags & DescriptorFlag.WRITE) !== 0)) return 'buffer';
			if ((flags & DescriptorFlag.NEXT) === 0) return undefined;
			const next = below(descriptor.next, count);
			if (next === undefined) return 'next';
			index = next;
		}
		return 'loop';
	}
}
