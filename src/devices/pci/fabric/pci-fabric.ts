import type {AccessSize} from '#devices/device';
import type {BusTarget, UnclaimedCounters} from '#devices/io-bus';
import {bytesPerBus, ecamRegion, rootComplex} from '#devices/pci/root-complex';
import {BarDecoder} from './bar-decoder.ts';
import {routeConfig} from './route-config.ts';
import type {FabricComplex, FabricFunction} from './topology.ts';

const allOnes = (size: AccessSize): number => 2 ** (8 * size) - 1;
const pageMask = 0xfff;

/** Reads byte by byte. An access that is not aligned may leave the range it begins in: each byte goes to whoever has it. */
function readBytes(size: AccessSize, read: (index: number) => number): number {
	let value = 0;
	for (let i = 0; i < size; i++) value += read(i) * 2 ** (8 * i);
	return value;
}

function writeBytes(size: AccessSize, value: number, write: (index: number, byte: number) => void): void {
	for (let i = 0; i < size; i++) write(i, (value >>> (8 * i)) & 0xff);
}

/** One thread's way to the machine's PCI functions: by configuration space, by memory and by port. */
export class PciFabric {
	readonly complexes: readonly FabricComplex[];
	readonly #decoder: BarDecoder;
	readonly #unclaimed: UnclaimedCounters;
	#targets: readonly BusTarget[];

	/**
	 * @param generation - one shared word, which counts what changes where functions answer
	 * @param targets - by device index
	 */
	constructor(
		complexes: readonly FabricComplex[],
		generation: Int32Array,
		targets: readonly BusTarget[],
		unclaimed: UnclaimedCounters,
	) {
		this.complexes = complexes;
		this.#decoder = new BarDecoder(complexes, generation);
		this.#targets = targets;
		this.#unclaimed = unclaimed;
	}

	/** Reaches devices through these from now on. */
	setTargets(targets: readonly BusTarget[]): void {
		this.#targets = targets;
	}

	/** Reads configuration space; all ones where no function answers. */
	readConfig(segment: number, bus: number, devfn: number, offset: number, size: AccessSize): number {
		const found = this.#functionAt(segment, bus, devfn);
		return found === undefined ? allOnes(size) : this.#target(found).read(found.design.configRegion, offset, size);
	}

	/** Writes configuration space. */
	writeConfig(segment: number, bus: number, devfn: number, offset: number, size: AccessSize, value: number): void {
		const found = this.#functionAt(segment, bus, devfn);
		if (found !== undefined) this.#target(found).write(found.design.configRegion, offset, size, value);
	}

	/** Reads a port; undefined where no BAR answers. */
	readPort(port: number, size: AccessSize): number | undefined {
		const number = port % size === 0 ? this.#decoder.port(port) : -1;
		return number < 0 ? undefined : this.#readBar(number, port, size);
	}

	/** Writes a port; false where no BAR answers. */
	writePort(port: number, size: AccessSize, value: number): boolean {
		const number = port % size === 0 ? this.#decoder.port(port) : -1;
		if (number >= 0) this.#writeBar(number, port, size, value);
		return number >= 0;
	}

	/** Gives the address at which an offset of a BAR answers now, by the device's number and the region; undefined where it does not. */
	locate(device: number, region: number, offset: number): {space: 'pio' | 'mmio'; address: number} | undefined {
		return this.#decoder.locate(device, region, offset);
	}

	/** Gives the address at which all of a BAR answers now, by the device's number and the region; undefined where it does not. */
	whole(device: number, region: number): number | undefined {
		return this.#decoder.whole(device, region);
	}

	/** The BAR that is memory and answers at an address: its device's number, the region, and where it begins. */
	pagesAt(address: number): {device: number; region: number; base: number} | undefined {
		const number = this.#decoder.pages(address);
		if (number < 0) return undefined;
		const {owner, bar} = this.#decoder.bar(number);
		return {device: owner.device, region: bar.region, base: this.#decoder.base(number)};
	}

	/**
	 * Makes the target that answers in a root complex's regions: the functions behind it.
	 * @param nobody - gets the configuration accesses that no function answers
	 */
	complexTarget(complex: FabricComplex, nobody: BusTarget): BusTarget {
		const {config} = complex;
		const bases = rootComplex.attach.regions(config).map(({base}) => base);
		const functionAt = (offset: number) =>
			routeConfig(complex, config.startBus + Math.floor(offset / bytesPerBus), Math.floor(offset / 4096) & 0xff);
		const target: BusTarget = {
			read: (region, offset, size) => {
				if (region !== ecamRegion) return this.#readMemory((bases[region] as number) + offset, size);
				if (offset % size !== 0) return readBytes(size, (i) => target.read(region, offset + i, 1));
				const found = functionAt(offset);
				if (found === undefined) return nobody.read(region, offset, size);
				return this.#target(found).read(found.design.configRegion, offset & pageMask, size);
			},
			write: (region, offset, size, value) => {
				if (region !== ecamRegion) return this.#writeMemory((bases[region] as number) + offset, size, value);
				if (offset % size !== 0) return writeBytes(size, value, (i, byte) => target.write(region, offset + i, 1, byte));
				const found = functionAt(offset);
				if (found === undefined) return nobody.write(region, offset, size, value);
				this.#target(found).write(found.design.configRegion, offset & pageMask, size, value);
			},
		};
		return target;
	}

	#readMemory(address: number, size: AccessSize): number {
		if (address % size !== 0) return readBytes(size, (i) => this.#readMemory(address + i, 1));
		const number = this.#decoder.memory(address);
		if (number >= 0) return this.#readBar(number, address, size);
		if (this.#decoder.isZero(address)) return 0;
		this.#unclaimed.mmio(address);
		return allOnes(size);
	}

	#writeMemory(address: number, size: AccessSize, value: number): void {
		const isAligned = address % size === 0;
		const number = isAligned ? this.#decoder.memory(address) : -1;
		if (!isAligned) writeBytes(size, value, (i, byte) => this.#writeMemory(address + i, 1, byte));
		else if (number >= 0) this.#writeBar(number, address, size, value);
		else if (!this.#decoder.isZero(address)) this.#unclaimed.mmio(address);
	}

	#readBar(number: number, address: number, size: AccessSize): number {
		const {owner, bar} = this.#decoder.bar(number);
		return this.#target(owner).read(bar.region, address - this.#decoder.base(number), size);
	}

	#writeBar(number: number, address: number, size: AccessSize, value: number): void {
		const {owner, bar} = this.#decoder.bar(number);
		this.#target(owner).write(bar.region, address - this.#decoder.base(number), size, value);
	}

	#functionAt(segment: number, bus: number, devfn: number): FabricFunction | undefined {
		for (const complex of this.complexes) {
			const {config} = complex;
			if (config.segment === segment && bus >= config.startBus && bus <= config.endBus)
				return routeConfig(complex, bus, devfn);
		}
		return undefined;
	}

	#target({device}: FabricFunction): BusTarget {
		return this.#targets[device] as BusTarget;
	}
}
