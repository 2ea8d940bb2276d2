import type {AccessSize, DoorbellDeclaration} from '#devices/device';
import type {BusTarget} from '#devices/io-bus';

/** The way to a device whose doorbells ring here: such writes reach neither its front nor its lock. */
export class DoorbellTarget implements BusTarget {
	readonly #device: BusTarget;
	/** By region, then by offset: those that differ in the value they match. */
	readonly #doorbells: Map<number, DoorbellDeclaration[]>[] = [];
	readonly #ring: (queue: number) => void;

	constructor(device: BusTarget, doorbells: readonly DoorbellDeclaration[], ring: (queue: number) => void) {
		this.#device = device;
		this.#ring = ring;
		for (const doorbell of doorbells) {
			const region = this.#doorbells[doorbell.region] ?? new Map<number, DoorbellDeclaration[]>();
			this.#doorbells[doorbell.region] = region;
			const others = region.get(doorbell.offset) ?? [];
			region.set(doorbell.offset, [...others, doorbell]);
		}
	}

	read(region: number, offset: number, size: AccessSize): number {
		return this.#device.read(region, offset, size);
	}

	write(region: number, offset: number, size: AccessSize, value: number): void {
		const queue = this.#queueOf(region, offset, size, value);
		if (queue < 0) this.#device.write(region, offset, size, value);
		else this.#ring(queue);
	}

	#queueOf(region: number, offset: number, size: AccessSize, value: number): number {
		const here = this.#doorbells[region]?.get(offset);
		if (here === undefined) return -1;
		for (const doorbell of here) {
			const fits = doorbell.size === 'any' || doorbell.size === size;
			if (fits && (doorbell.match === undefined || doorbell.match === value)) return doorbell.queue;
		}
		return -1;
	}
}
