import {fence, type GuestMemory, type GuestWindow} from '#devices/guest-memory';
import {asAddress, masked, within} from '#support/trust';
import {GuestReader, u16, u32, u64, wire} from '#support/wire';
import type {Chain} from './chain.ts';
import {isPassed, mostIndirect, type QueueFault, type QueueProgress, type Ring, type RingParts} from './ring.ts';
import {DescriptorFlag} from './split-layout.ts';

/** Element of the ring, and of a table that one leads to (virtio 1.2, 2.8.13). */
export const PackedDescriptor = wire('pvirtq_desc', {
	address: u64.asNumber.at(0),
	length: u32.at(8),
	id: u16.at(12),
	flags: u16.at(14),
}).sized(16, 'virtio 1.2, 2.8.13');

/** Flags of a {@link PackedDescriptor} besides those of split queues: whose it is (2.8.1). */
export const PackedFlag = {AVAILABLE: 1 << 7, USED: 1 << 15} as const;

/** What each side says of events (2.8.14): a word, whose low half is a place in the ring, its lap in the top bit. */
export const EventSuppression = {bytes: 4, FLAGS: 2} as const;
/** The flags of it (2.8.10). */
export const EventFlag = {ENABLE: 0, DISABLE: 1, PLACE: 2} as const;

/** Of a place in the ring: on odd laps, of which the first is one. */
const lapBit = 0x8000;

/**
 * The device's side of a packed virtqueue (virtio 1.2, 2.8). A position counts descriptors in two laps, so that one number has the place in the ring
 * and the wrap counter, and power-on is 0.
 */
export class PackedRing implements Ring {
	readonly #parts: RingParts;
	readonly #memory: GuestMemory;
	readonly #descriptors: GuestReader<typeof PackedDescriptor.fields>;
	readonly #size: number;
	/** Two laps. */
	readonly #limit: number;
	#ring: GuestWindow | undefined;
	#driver: GuestWindow | undefined;
	#device: GuestWindow | undefined;
	#available: number;
	#used: number;
	/** Position that the driver was last told of; undefined when that is not known. */
	#told: number | undefined;
	/** Flags that are still to be written of the first of several chains, and where. */
	#hidden: number | undefined;
	#hiddenFlags = 0;

	constructor(parts: RingParts) {
		this.#parts = parts;
		this.#memory = parts.memory;
		this.#size = parts.place.size;
		this.#limit = 2 * this.#size;
		this.#available = parts.progress.available % this.#limit;
		this.#used = parts.progress.used % this.#limit;
		this.#descriptors = new GuestReader(PackedDescriptor, parts.memory);
	}

	get progress(): QueueProgress {
		return {available: this.#available, used: this.#used};
	}

	map(): boolean {
		if (this.#ring?.isCurrent === true && this.#driver?.isCurrent === true && this.#device?.isCurrent === true)
			return true;
		const {descriptors, driver, device} = this.#parts.place;
		this.#ring = this.#memory.mapped(descriptors, PackedDescriptor.size * this.#size, 16);
		this.#driver = this.#memory.mapped(driver, EventSuppression.bytes, 4);
		this.#device = this.#memory.mapped(device, EventSuppression.bytes, 4);
		return this.#ring !== undefined && this.#driver !== undefined && this.#device !== undefined;
	}

	take(chain: Chain): 'taken' | 'nothing' | QueueFault {
		let flags = this.#availableFlags();
		if (flags === undefined && this.#parts.eventIndex) {
			this.#device?.writeU32(0, (EventFlag.PLACE << 16) | this.#placeOf(this.#available));
			// The driver looks there after it has made a descriptor available: one of the two sees the other.
			fence();
			flags = this.#availableFlags();
		}
		return flags === undefined ? 'nothing' : this.#walk(chain, flags);
	}

	putBack({position, slots}: Chain): boolean {
		if ((position + slots) % this.#limit !== this.#available) return false;
		this.#available = position;
		return true;
	}

	use(chain: Chain, isShown: boolean): void {
		const ring = this.#ring as GuestWindow;
		const at = PackedDescriptor.size * (this.#used % this.#size);
		ring.writeU32(at + PackedDescriptor.offset('length'), chain.written);
		ring.writeU16(at + PackedDescriptor.offset('id'), chain.head);
		const owner = this.#isOddLap(this.#used) ? PackedFlag.AVAILABLE | PackedFlag.USED : 0;
		// The length counts where this is set (2.8.4).
		const isWritten = chain.writable > 0 ? DescriptorFlag.WRITE : 0;
		const flags = at + PackedDescriptor.offset('flags');
		// The driver looks at none before it has seen those before it.
		if (!isShown && this.#hidden === undefined) [this.#hidden, this.#hiddenFlags] = [flags, owner | isWritten];
		else ring.releaseU16(flags, owner | isWritten);
		if (isShown) this.show();
		// Two laps on is the same position: a turn may use as much, of a driver that is as fast.
		if (this.#distance(this.#told ?? 0) + chain.slots >= this.#limit) this.#told = undefined;
		this.#used = (this.#used + chain.slots) % this.#limit;
	}

	show(): void {
		if (this.#hidden === undefined) return;
		this.#ring?.releaseU16(this.#hidden, this.#hiddenFlags);
		this.#hidden = undefined;
	}

	wantsInterrupt(): boolean {
		const [used, told] = [this.#used, this.#told];
		if (used === told) return false;
		this.#told = used;
		fence();
		const flags = masked(this.#driver?.readU16(EventSuppression.FLAGS), 3);
		if (flags !== EventFlag.PLACE || !this.#parts.eventIndex) return flags !== EventFlag.DISABLE;
		const place = masked(this.#driver?.readU16(0), 0xffff) as number;
		const event = (place % lapBit) + (place < lapBit ? this.#size : 0);
		return isPassed(event % this.#limit, used, told, this.#limit);
	}

	/** Flags of the descriptor that comes next, if it is the device's (2.8.1). */
	#availableFlags(): number | undefined {
		const at = PackedDescriptor.size * (this.#available % this.#size);
		const flags = masked(this.#ring?.acquireU16(at + PackedDescriptor.offset('flags')), 0xffff) as number;
		const owner = flags & (PackedFlag.AVAILABLE | PackedFlag.USED);
		return owner === (this.#isOddLap(this.#available) ? PackedFlag.AVAILABLE : PackedFlag.USED) ? flags : undefined;
	}

	/** Takes a chain, whose descriptors lie one behind the other, and whose last one has the id (2.8.6). */
	#walk(chain: Chain, firstFlags: number): 'taken' | QueueFault {
		const ring = this.#ring as GuestWindow;
		chain.begin(this.#available);
		// A driver that makes descriptors available which the device has already would be given the ring's room twice.
		const room = this.#size - this.#taken();
		for (let slots = 1; slots <= room; slots++) {
			const at = PackedDescriptor.size * ((this.#available + slots - 1) % this.#size);
			const flags =
				slots === 1 ? firstFlags : (masked(ring.readU16(at + PackedDescriptor.offset('flags')), 0xffff) as number);
			const address = asAddress(ring.readU64(at));
			const length = within(ring.readU32(at + PackedDescriptor.offset('length')), 0, 2 ** 32 - 1) as number;
			if (address === undefined || !this.#memory.contains(address, length)) return 'buffer';
			if ((flags & DescriptorFlag.INDIRECT) !== 0) {
				const isAlone = slots === 1 && (flags & DescriptorFlag.NEXT) === 0;
				const fault = isAlone && this.#parts.indirect ? this.#walkTable(chain, address, length) : 'indirect';
				if (fault !== undefined) return fault;
			} else if (!chain.add(address, length, (flags & DescriptorFlag.WRITE) !== 0)) return 'buffer';
			if ((flags & DescriptorFlag.NEXT) !== 0) continue;
			chain.end(masked(ring.readU16(at + PackedDescriptor.offset('id')), 0xffff) as number, slots);
			this.#available = (this.#available + slots) % this.#limit;
			return 'taken';
		}
		return room > 0 ? 'loop' : 'availableIndex';
	}

	/** Adds the buffers of a table, all of whose entries are used, one behind the other (2.8.7). */
	#walkTable(chain: Chain, table: number, bytes: number): QueueFault | undefined {
		const entries = bytes / PackedDescriptor.size;
		if (!Number.isInteger(entries) || entries < 1 || entries > mostIndirect) return 'indirect';
		for (let index = 0; index < entries; index++) {
			const descriptor = this.#descriptors.load(table + PackedDescriptor.size * index);
			if (descriptor === undefined) return 'descriptor';
			const flags = masked(descriptor.flags, 7) as number;
			if ((flags & DescriptorFlag.INDIRECT) !== 0) return 'indirect';
			const address = asAddress(descriptor.address);
			const length = within(descriptor.length, 0, 2 ** 32 - 1) as number;
			if (address === undefined || !this.#memory.contains(address, length)) return 'buffer';
			if (!chain.add(address, length, (flags & DescriptorFlag.WRITE) !== 0)) return 'buffer';
		}
		return undefined;
	}

	/** Descriptors that have been used since a position. */
	#distance(from: number): number {
		return (this.#used - from + this.#limit) % this.#limit;
	}

	/** Descriptors that the device has taken and not given back: never more than a lap. */
	#taken(): number {
		return (this.#available - this.#used + this.#limit) % this.#limit;
	}

	#isOddLap(position: number): boolean {
		return position < this.#size;
	}

	#placeOf(position: number): number {
		return (position % this.#size) + (this.#isOddLap(position) ? lapBit : 0);
	}
}
