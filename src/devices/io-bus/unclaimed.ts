import {array, f64, i32, wire} from '#support/wire';
import {type BusSpace, portCount} from './claims.ts';
import {CountedNumbers} from './counted-numbers.ts';

const pageSlots = 1024;
const numberSlots = 256;

/** Counters of accesses that no device claims. One per machine, written by every vCPU. See {@link CountedNumbers}. */
export const UnclaimedState = wire('unclaimed', {
	/** Accesses by port. */
	ports: array(i32, portCount),
	pageLow: array(i32, pageSlots),
	pageHigh: array(i32, pageSlots),
	pageCount: array(i32, pageSlots),
	/** MMIO accesses that found no slot. */
	overflow: f64,
	msrLow: array(i32, numberSlots),
	msrHigh: array(i32, numberSlots),
	msrCount: array(i32, numberSlots),
	msrOverflow: f64,
	callLow: array(i32, numberSlots),
	callHigh: array(i32, numberSlots),
	callCount: array(i32, numberSlots),
	callOverflow: f64,
});

/** A counted address, for inspect. */
export interface UnclaimedAccess {
	readonly space: BusSpace;
	/** Port, first address of the 4 KiB page, register or call code. */
	readonly address: number;
	readonly count: number;
}

/** Counts unclaimed accesses in bounded space: every port, and so many pages of MMIO, registers and call codes. */
export class UnclaimedCounters {
	readonly #state;
	readonly #pages: CountedNumbers;
	readonly #msrs: CountedNumbers;
	readonly #calls: CountedNumbers;

	constructor(buffer: SharedArrayBuffer, byteOffset = 0) {
		const state = UnclaimedState.on(buffer, byteOffset);
		this.#state = state;
		this.#pages = new CountedNumbers({low: state.pageLow, high: state.pageHigh, count: state.pageCount});
		this.#msrs = new CountedNumbers({low: state.msrLow, high: state.msrHigh, count: state.msrCount});
		this.#calls = new CountedNumbers({low: state.callLow, high: state.callHigh, count: state.callCount});
	}

	/** Counts a port access. */
	port(port: number): void {
		Atomics.add(this.#state.ports, port, 1);
	}

	/** Counts an MMIO access. */
	mmio(address: number): void {
		if (!this.#pages.add(Math.floor(address / 4096))) this.#state.overflow++;
	}

	/** Counts an access to a model-specific register. */
	msr(index: number): void {
		if (!this.#msrs.add(index)) this.#state.msrOverflow++;
	}

	/** Counts a hypercall. */
	hypercall(code: number): void {
		if (!this.#calls.add(code)) this.#state.callOverflow++;
	}

	/** Accesses of a space that were not counted by address. */
	overflow(space: BusSpace): number {
		const {overflow: mmio, msrOverflow: msr, callOverflow: hypercall} = this.#state;
		return {pio: 0, mmio, msr, hypercall, intercept: 0}[space];
	}

	/** Lists what was counted, most accessed first. */
	list(): UnclaimedAccess[] {
		const found: UnclaimedAccess[] = [];
		for (const [address, count] of this.#state.ports.entries()) {
			if (count !== 0) found.push({space: 'pio', address, count: count >>> 0});
		}
		for (const {number, count} of this.#pages) found.push({space: 'mmio', address: number * 4096, count});
		for (const {number, count} of this.#msrs) found.push({space: 'msr', address: number, count});
		for (const {number, count} of this.#calls) found.push({space: 'hypercall', address: number, count});
		return found.sort((a, b) => b.count - a.count);
	}
}
