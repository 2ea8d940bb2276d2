import type {AccessSize, PciCapabilityRegisters, PciServices} from '#devices/device';
import type {GuestMemory} from '#devices/guest-memory';
import {type ConfigSpace, Header} from '#devices/pci/config-space';
import type {FunctionInterrupts} from './function-interrupts.ts';
import type {CapabilityPlace} from './own-capabilities.ts';

/** Services of the bus that a function is on. */
export class FunctionServices implements PciServices {
	readonly #interrupts: FunctionInterrupts;
	readonly #capabilities: readonly PciCapabilityRegisters[];
	readonly #space: ConfigSpace;
	readonly #pages: ReadonlyMap<number, GuestMemory>;

	/** @param pages - by the index of the BAR that they are */
	constructor(
		interrupts: FunctionInterrupts,
		space: ConfigSpace,
		places: readonly CapabilityPlace[],
		pages: ReadonlyMap<number, GuestMemory>,
	) {
		this.#interrupts = interrupts;
		this.#space = space;
		this.#pages = pages;
		this.#capabilities = places.map(({offset: start, length}) => ({
			read: (offset: number, size: AccessSize) => space.read(start + inside(offset, size, length), size),
			set: (offset: number, size: AccessSize, value: number) =>
				space.set(start + inside(offset, size, length), size, 2 ** (8 * size) - 1, value),
		}));
	}

	get enabled(): boolean {
		return this.#interrupts.enabled;
	}

	signal(vector: number): boolean {
		return this.#interrupts.signal(vector);
	}

	capability(index: number): PciCapabilityRegisters {
		const found = this.#capabilities[index];
		if (found === undefined) throw new RangeError(`the device declares no capability ${index}`);
		return found;
	}

	pages(bar: number): GuestMemory {
		const found = this.#pages.get(bar);
		if (found === undefined) throw new RangeError(`the device declares no memory for BAR ${bar}`);
		return found;
	}

	pagesAddress(bar: number): number {
		const at = Header.BAR0 + 4 * bar;
		return ((this.#space.read(at, 4) & ~0xf) >>> 0) + (this.#space.read(at + 4, 4) >>> 0) * 2 ** 32;
	}
}

function inside(offset: number, size: number, length: number): number {
	if (!(offset >= 0 && offset + size <= length)) throw new RangeError(`no ${size} bytes at ${offset} of a capability`);
	return offset;
}
