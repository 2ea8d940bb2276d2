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

/** Inputs of one machine: those of the I/O APIC first, then those that are allocated. KVM takes 4096 routes. */
const limit = 1024;

const Use = {FREE: 0, TAKEN: 1, ROUTED: 2} as const;

const Table = wire('gsi-table', {
	lock: i32,
	/** One of {@link Use}. */
	use: array(u8, limit),
	addressLow: array(u32, limit),
	addressHigh: array(u32, limit),
	data: array(u32, limit),
});

const gsiError = errorTable({
	GSI_TABLE_HANGS: (_: Record<never, never>) => ({
		message: 'Another thread does not come back from changing the interrupt routes',
		remedy: 'This is a bug in openvmm: please report it with what the guest did',
	}),
});

/**
 * Where the back end's inputs lead, in memory that all threads of a machine share. The back end takes the routes of a whole
 * machine at once, so nobody else sets any: a change by one device leaves those of the others alone.
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
		this.#change(() => {
			let changed = false;
			for (let pin = 0; pin < gsiCount; pin++)
				changed =
					this.#route(
						pin,
						routes.find(({gsi}) => gsi === pin),
					) || changed;
			return changed;
		});
	}

	/** Takes an input that nobody has; undefined when there is none left. It sends nothing before {@link setMessage}. */
	allocate(): number | undefined {
		let gsi = -1;
		this.#change(() => {
			gsi = this.#table.use.indexOf(Use.FREE, gsiCount);
			if (gsi >= 0) this.#table.use[gsi] = Use.TAKEN;
			return false;
		});
		return gsi < 0 ? undefined : gsi;
	}

	/** Sets what an allocated input sends; undefined: nothing. */
	setMessage(gsi: number, message: InterruptMessage | undefined): void {
		if (!this.#isAllocated(gsi)) throw new TypeError(`the interrupt input ${gsi} is nobody's`);
		this.#change(() => this.#route(gsi, message, Use.TAKEN));
	}

	/** Gives back what {@link allocate} gave. */
	free(gsi: number): void {
		if (!this.#isAllocated(gsi)) throw new TypeError(`the interrupt input ${gsi} is nobody's`);
		this.#change(() => this.#route(gsi, undefined));
	}

	/** All routes, by input. */
	routes(): GsiRoute[] {
		const {use, addressLow, addressHigh, data} = this.#table;
		const routes: GsiRoute[] = [];
		for (let gsi = use.indexOf(Use.ROUTED); gsi >= 0; gsi = use.indexOf(Use.ROUTED, gsi + 1)) {
			const [low = 0, high = 0, value = 0] = [addressLow[gsi], addressHigh[gsi], data[gsi]];
			routes.push({gsi, addressLow: low, addressHigh: high, data: value});
		}
		return routes;
	}

	#isAllocated(gsi: number): boolean {
		return gsi >= gsiCount && (this.#table.use[gsi] ?? Use.FREE) !== Use.FREE;
	}

	/** @returns whether the back end has to be told */
	#route(gsi: number, message: InterruptMessage | undefined, unrouted: number = Use.FREE): boolean {
		const {use, addressLow, addressHigh, data} = this.#table;
		const was = use[gsi];
		if (message === undefined) {
			use[gsi] = unrouted;
			return was === Use.ROUTED;
		}
		const same =
			was === Use.ROUTED &&
			addressLow[gsi] === message.addressLow &&
			addressHigh[gsi] === message.addressHigh &&
			data[gsi] === message.data;
		use[gsi] = Use.ROUTED;
		addressLow[gsi] = message.addressLow;
		addressHigh[gsi] = message.addressHigh;
		data[gsi] = message.data;
		return !same;
	}

	#change(change: () => boolean): void {
		const {$atomic} = this.#table;
		const word = Table.word('lock');
		if (!lock($atomic, word)) throw gsiError('GSI_TABLE_HANGS', {});
		try {
			if (change()) this.#apply(this.routes());
		} finally {
			unlock($atomic, word);
		}
	}
}
