import type {AccessSize} from '#devices/device';
import {Bridge, Express, Header, HeaderType} from '#devices/pci/config-space';
import {assignmentError} from './errors.ts';

/** Configuration space of one segment. */
export interface ConfigAccess {
	read(bus: number, devfn: number, offset: number, size: AccessSize): number;
	write(bus: number, devfn: number, offset: number, size: AccessSize, value: number): void;
}

/** Kinds of address space that are given out; `high` is prefetchable memory behind 64-bit registers. */
export type Pool = 'low' | 'high' | 'io';

/** A BAR that wants an address. */
export interface FoundBar {
	/** Offset of its register. */
	readonly offset: number;
	readonly size: number;
	readonly pool: Pool;
	readonly isWide: boolean;
}

/** A function that was found. */
export interface FoundFunction {
	readonly bus: number;
	readonly devfn: number;
	readonly hasPin: boolean;
	readonly bars: readonly FoundBar[];
	/** What is behind it, when it is a bridge. */
	readonly bridge?: {
		readonly secondary: number;
		readonly functions: readonly FoundFunction[];
		readonly hotPlug: boolean;
	};
}

const absent = 0xffff;
const expressId = 0x10;
const mostCapabilities = 48;
const hotPlugCapable = 1 << 6;

/** Numbers the buses from `startBus` on, depth first, and finds every function and the size of its BARs. */
export class Enumeration {
	readonly functions: readonly FoundFunction[];
	readonly #config: ConfigAccess;
	readonly #endBus: number;
	readonly #name: string;
	#lastBus: number;

	/** @throws VmmError PCI_BUSES_TOO_FEW */
	constructor(config: ConfigAccess, {name, startBus, endBus}: {name: string; startBus: number; endBus: number}) {
		this.#config = config;
		this.#name = name;
		this.#endBus = endBus;
		this.#lastBus = startBus;
		this.functions = this.#scan(startBus);
	}

	#scan(bus: number): FoundFunction[] {
		const found: FoundFunction[] = [];
		for (let device = 0; device < 32; device++) {
			const first = device * 8;
			if (this.#config.read(bus, first, Header.VENDOR, 2) === absent) continue;
			const hasMore = (this.#config.read(bus, first, Header.TYPE, 1) & HeaderType.MULTI_FUNCTION) !== 0;
			for (let devfn = first; devfn < first + (hasMore ? 8 : 1); devfn++) {
				if (this.#config.read(bus, devfn, Header.VENDOR, 2) !== absent) found.push(this.#probe(bus, devfn));
			}
		}
		return found;
	}

	#probe(bus: number, devfn: number): FoundFunction {
		const isBridge = (this.#config.read(bus, devfn, Header.TYPE, 1) & 0x7f) === HeaderType.BRIDGE;
		const hasPin = this.#config.read(bus, devfn, Header.INTERRUPT_PIN, 1) !== 0;
		const bars = this.#probeBars(bus, devfn, isBridge ? 2 : 6);
		if (!isBridge) return {bus, devfn, hasPin, bars};
		const secondary = ++this.#lastBus;
		if (secondary > this.#endBus)
			throw assignmentError('PCI_BUSES_TOO_FEW', {complex: this.#name, endBus: this.#endBus});
		this.#config.write(bus, devfn, Bridge.PRIMARY_BUS, 1, bus);
		this.#config.write(bus, devfn, Bridge.SECONDARY_BUS, 1, secondary);
		this.#config.write(bus, devfn, Bridge.SUBORDINATE_BUS, 1, this.#endBus);
		const functions = this.#scan(secondary);
		this.#config.write(bus, devfn, Bridge.SUBORDINATE_BUS, 1, this.#lastBus);
		return {bus, devfn, hasPin, bars, bridge: {secondary, functions, hotPlug: this.#hasSlot(bus, devfn)}};
	}

	/** Bits that stay zero when ones are written are what a BAR's alignment, and so its size, is. */
	#probeBars(bus: number, devfn: number, registers: number): FoundBar[] {
		const bars: FoundBar[] = [];
		const probe = (offset: number) => {
			this.#config.write(bus, devfn, offset, 4, 0xffff_ffff);
			const value = this.#config.read(bus, devfn, offset, 4);
			this.#config.write(bus, devfn, offset, 4, 0);
			return value;
		};
		for (let index = 0; index < registers; index++) {
			const offset = Header.BAR0 + 4 * index;
			const low = probe(offset);
			const isIo = (low & 1) !== 0;
			const isWide = !isIo && (low & 0x6) === 0x4;
			const pool: Pool = isIo ? 'io' : isWide && (low & 0x8) !== 0 ? 'high' : 'low';
			const mask = (low & (isIo ? ~0x3 : ~0xf)) >>> 0;
			const upper = isWide ? probe(offset + 4) : 0;
			if (isWide) index++;
			const size = mask !== 0 ? lowestBit(mask) : lowestBit(upper) * 2 ** 32;
			if (size > 0) bars.push({offset, size, pool, isWide});
		}
		return bars;
	}

	#hasSlot(bus: number, devfn: number): boolean {
		let at = this.#config.read(bus, devfn, Header.CAPABILITIES, 1);
		for (let step = 0; at !== 0 && step < mostCapabilities; step++) {
			if (this.#config.read(bus, devfn, at, 1) === expressId)
				return (this.#config.read(bus, devfn, at + Express.SLOT_CAPABILITIES, 4) & hotPlugCapable) !== 0;
			at = this.#config.read(bus, devfn, at + 1, 1);
		}
		return false;
	}
}

const lowestBit = (value: number): number => (value & -value) >>> 0;
