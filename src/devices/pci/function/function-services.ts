import type {AccessSize, PciCapabilityRegisters, PciServices} from '#devices/device';
import type {ConfigSpace} from '#devices/pci/config-space';
import type {FunctionInterrupts} from './function-interrupts.ts';
import type {CapabilityPlace} from './own-capabilities.ts';

/** What a function has of the bus that it is on. */
export class FunctionServices implements PciServices {
	readonly #interrupts: FunctionInterrupts;
	readonly #capabilities: readonly PciCapabilityRegisters[];

	constructor(interrupts: FunctionInterrupts, space: ConfigSpace, places: readonly CapabilityPlace[]) {
		this.#interrupts = interrupts;
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
}

function inside(offset: number, size: number, length: number): number {
	if (!(offset >= 0 && offset + size <= length)) throw new RangeError(`no ${size} bytes at ${offset} of a capability`);
	return offset;
}
