import {RangeMap} from '#devices/io-bus';
import type {PlacedBar} from '#devices/pci/function';
import {decodedBar, zerosBehind} from './decode-bar.ts';
import {type FabricComplex, type FabricFunction, functionsOf} from './topology.ts';

/** Memory and prefetchable memory. */
const windowsPerPort = 2;

/** A BAR and its function. */
export interface DecodedBar {
	readonly owner: FabricFunction;
	readonly bar: PlacedBar;
}

/**
 * Finds the BAR that answers an address, on one thread. What functions and bridges decode is in their configuration spaces,
 * which all threads share; a generation counter tells each thread to look at them again.
 */
export class BarDecoder {
	/** By priority: where BARs overlap, the first answers. */
	readonly #bars: readonly DecodedBar[];
	/** Base of each when it was looked at last. */
	readonly #bases: Float64Array;
	readonly #memory: RangeMap;
	readonly #ports: RangeMap;
	/** Ports with a slot. */
	readonly #slots: readonly FabricFunction[];
	/** Memory that slots have zeros for. */
	readonly #zeros: RangeMap;
	readonly #generation: Int32Array;
	#seen: number;

	/** @param generation - one shared word, which counts changes */
	constructor(complexes: readonly FabricComplex[], generation: Int32Array) {
		const functions = complexes.flatMap(({bus}) => [...functionsOf(bus)]);
		this.#bars = functions.flatMap((owner) =>
			[...owner.design.bars].sort((a, b) => a.index - b.index).map((bar) => ({owner, bar})),
		);
		this.#bases = new Float64Array(this.#bars.length);
		this.#memory = new RangeMap(this.#bars.length);
		this.#ports = new RangeMap(this.#bars.length);
		this.#slots = functions.filter(({design}) => design.hasSlot);
		this.#zeros = new RangeMap(windowsPerPort * this.#slots.length);
		this.#generation = generation;
		this.#seen = Atomics.load(generation, 0) - 1;
	}

	/** Number of the BAR that answers at an address, or -1. */
	memory(address: number): number {
		return this.#find(this.#memory, address);
	}

	/** The same for a port. */
	port(port: number): number {
		return this.#find(this.#ports, port);
	}

	/** True where a slot has zeros: for addresses at which no BAR answers. */
	isZero(address: number): boolean {
		return this.#find(this.#zeros, address) >= 0;
	}

	/** Gives the address at which an offset of a function's region answers; undefined where it does not, or another BAR does. */
	locate(device: number, region: number, offset: number): {space: 'pio' | 'mmio'; address: number} | undefined {
		const number = this.#bars.findIndex(({owner, bar}) => owner.device === device && bar.region === region);
		if (number < 0) return undefined;
		const isPorts = this.bar(number).bar.kind === 'io';
		if (Atomics.load(this.#generation, 0) !== this.#seen) this.#look();
		const address = this.base(number) + offset;
		const answers = isPorts ? this.port(address) : this.memory(address);
		return answers === number ? {space: isPorts ? 'pio' : 'mmio', address} : undefined;
	}

	/**
	 * Gives the address of a BAR that answers from its first byte to its last; undefined where it does not, or another one does in
	 * a part.
	 */
	whole(device: number, region: number): number | undefined {
		return this.#whole(this.#bars.findIndex(({owner, bar}) => owner.device === device && bar.region === region));
	}

	/** The BAR that is memory, answers at an address, and does so {@link whole}; else -1. */
	pages(address: number): number {
		const number = this.memory(address);
		return number >= 0 && this.bar(number).bar.pages !== undefined && this.#whole(number) !== undefined ? number : -1;
	}

	/** A BAR by its number. */
	bar(number: number): DecodedBar {
		return this.#bars[number] as DecodedBar;
	}

	/** Its first address. */
	base(number: number): number {
		return this.#bases[number] as number;
	}

	#whole(number: number): number | undefined {
		if (number < 0) return undefined;
		if (Atomics.load(this.#generation, 0) !== this.#seen) this.#look();
		const {size} = this.bar(number).bar;
		const base = this.base(number);
		return this.#memory.isWhole(base, base + size, number) ? base : undefined;
	}

	#find(map: RangeMap, address: number): number {
		if (Atomics.load(this.#generation, 0) !== this.#seen) this.#look();
		const piece = map.find(address);
		return piece < 0 ? -1 : map.owner(piece);
	}

	/** Looks at all BARs again. A change meanwhile has a generation of its own, and is seen the next time. */
	#look(): void {
		this.#seen = Atomics.load(this.#generation, 0);
		this.#memory.clear();
		this.#ports.clear();
		this.#zeros.clear();
		for (const [index, slot] of this.#slots.entries())
			for (const [start, end] of zerosBehind(slot)) this.#zeros.insert(start, end, index);
		for (let number = 0; number < this.#bars.length; number++) {
			const {owner, bar} = this.#bars[number] as DecodedBar;
			const base = decodedBar(owner, bar);
			if (base === undefined) continue;
			this.#bases[number] = base;
			(bar.kind === 'io' ? this.#ports : this.#memory).insert(base, base + bar.size, number);
		}
	}
}
