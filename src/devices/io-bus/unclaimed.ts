import {f64, sharedStruct, words} from '#support/shared-memory';
import {portCount} from './claims.ts';

const slotCount = 1024;
const probes = 8;

/** Counters of accesses that no device claims. One per machine, written by every vCPU. */
export const UnclaimedState = sharedStruct('unclaimed', {
	/** Accesses by port. */
	ports: words(portCount),
	/** MMIO pages seen, by hash: the low 31 bits of the page number and a 1 (0 is a free slot), and the bits above. */
	pageLow: words(slotCount),
	pageHigh: words(slotCount),
	/** Accesses by slot. */
	pageCount: words(slotCount),
	/** MMIO accesses that found no slot. */
	overflow: f64(),
});

/** A counted address, for inspect. */
export interface UnclaimedAccess {
	readonly space: 'pio' | 'mmio';
	/** Port, or first address of the 4 KiB page. */
	readonly address: number;
	readonly count: number;
}

/** Counts unclaimed accesses in bounded space: every port, and up to {@link slotCount} pages of MMIO. */
export class UnclaimedCounters {
	readonly #state;

	constructor(buffer: SharedArrayBuffer, byteOffset = 0) {
		this.#state = UnclaimedState.on(buffer, byteOffset);
	}

	/** Counts a port access. */
	port(port: number): void {
		Atomics.add(this.#state.ports, port, 1);
	}

	/** Counts an MMIO access. */
	mmio(address: number): void {
		const page = Math.floor(address / 4096);
		const [low, high] = [(page << 1) | 1, Math.floor(page / 2 ** 31)];
		const {pageLow, pageHigh, pageCount} = this.#state;
		for (let probe = 0; probe < probes; probe++) {
			const slot = (Math.imul(low ^ high, 0x9e3779b1) + probe) & (slotCount - 1);
			const found = Atomics.compareExchange(pageLow, slot, 0, low);
			if (found === 0) Atomics.store(pageHigh, slot, high);
			if (found === 0 || (found === low && Atomics.load(pageHigh, slot) === high)) {
				Atomics.add(pageCount, slot, 1);
				return;
			}
		}
		this.#state.overflow++;
	}

	/** MMIO accesses that were not counted by page. */
	get overflow(): number {
		return this.#state.overflow;
	}

	/** What was counted, most accessed first. */
	list(): UnclaimedAccess[] {
		const found: UnclaimedAccess[] = [];
		for (const [address, count] of this.#state.ports.entries()) {
			if (count !== 0) found.push({space: 'pio', address, count: count >>> 0});
		}
		for (const [slot, low] of this.#state.pageLow.entries()) {
			const page = (this.#state.pageHigh[slot] as number) * 2 ** 31 + (low >>> 1);
			const count = (this.#state.pageCount[slot] as number) >>> 0;
			if (low !== 0) found.push({space: 'mmio', address: page * 4096, count});
		}
		return found.sort((a, b) => b.count - a.count);
	}
}
