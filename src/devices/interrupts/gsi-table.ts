import {errorTable} from '#support/errors';
import {lock, unlock} from '#support/shared-memory';
import {array, i32, u8, u32, wire} from '#support/wire';
import {gsiCount} from './inputs.ts';

/** An interrupt as the write that a PCI device would make (PCI 3.0, 6.8.1; Intel SDM vol. 3, 11.11). */
export interface InterruptMessage {
	/** Bits 11:5 may carry bits 14:8 of the APIC id, where the upper half is zero. */
	readonly addressLow: number;
	/** Bits 8–31 of the APIC id, where ids are that wide. */
	readonly addressHigh: number;
	readonly data: number;
}

/** The message that an input of the back end's (a GSI) sends. */
export interface GsiRoute extends InterruptMessage {
	readonly gsi: number;
}

const Table = wire('gsi-table', {
	lock: i32,
	/** 1 for an input that sends something. */
	isRouted: array(u8, gsiCount),
	addressLow: array(u32, gsiCount),
	addressHigh: array(u32, gsiCount),
	data: array(u32, gsiCount),
});

const gsiError = errorTable({
	GSI_TABLE_HANGS: (_: Record<never, never>) => ({
		message: 'Another thread does not come back from changing the interrupt routes',
		remedy: 'This is a bug in openvmm: please report it with what the guest did',
	}),
});

/**
 * Routes of the back end's inputs, in memory that all threads of a machine share. The back end takes the routes of a whole
 * machine at once, so nobody else sets any.
 */
export class GsiTable {
	/** Bytes of the shared table. */
	static readonly byteLength: number = Table.size;
	readonly #table: ReturnType<typeof Table.on>;
	readonly #apply: (routes: readonly GsiRoute[]) => void;

	/**
	 * @param buffer - zeros for a new table
	 * @param apply - gives the back end all routes; called while the table cannot change
	 */
	constructor(buffer: SharedArrayBuffer, apply: (routes: readonly GsiRoute[]) => void) {
		this.#table = Table.on(buffer);
		this.#apply = apply;
	}

	/**
	 * Sets what an I/O APIC of ours sends for its inputs, all of them each time: the local APICs report the end of an
	 * interrupt only for vectors that are level-triggered here.
	 */
	setPins(routes: readonly GsiRoute[]): void {
		const {$atomic} = this.#table;
		const word = Table.word('lock');
		if (!lock($atomic, word)) throw gsiError('GSI_TABLE_HANGS', {});
		try {
			let changed = false;
			for (let pin = 0; pin < gsiCount; pin++) {
				const route = routes.find(({gsi}) => gsi === pin);
				changed = this.#route(pin, route) || changed;
			}
			if (changed) this.#apply(this.#routes());
		} finally {
			unlock($atomic, word);
		}
	}

	#routes(): GsiRoute[] {
		const {isRouted, addressLow, addressHigh, data} = this.#table;
		const routes: GsiRoute[] = [];
		for (let gsi = isRouted.indexOf(1); gsi >= 0; gsi = isRouted.indexOf(1, gsi + 1)) {
			const [low = 0, high = 0, value = 0] = [addressLow[gsi], addressHigh[gsi], data[gsi]];
			routes.push({gsi, addressLow: low, addressHigh: high, data: value});
		}
		return routes;
	}

	/** @returns whether the back end has to be told */
	#route(gsi: number, message: InterruptMessage | undefined): boolean {
		const {isRouted, addressLow, addressHigh, data} = this.#table;
		const was = isRouted[gsi] === 1;
		isRouted[gsi] = message === undefined ? 0 : 1;
		if (message === undefined) return was;
		const same =
			was &&
			addressLow[gsi] === message.addressLow &&
			addressHigh[gsi] === message.addressHigh &&
			data[gsi] === message.data;
		addressLow[gsi] = message.addressLow;
		addressHigh[gsi] = message.addressHigh;
		data[gsi] = message.data;
		return !same;
	}
}
