/** A store to RAM. */
export interface Store {
	/** In the memory that all of RAM is in. */
	readonly place: number;
	readonly before: Uint8Array;
	readonly after: Uint8Array;
}

/** Keeps the stores that a processor does, to undo them, or to do them again. */
export class StoreJournal {
	readonly #ram: Uint8Array;
	#stores: Store[] = [];

	constructor(ram: SharedArrayBuffer) {
		this.#ram = new Uint8Array(ram);
	}

	/** Takes note of a store that is to come. */
	note(place: number, after: Uint8Array): void {
		this.#stores.push({place, before: this.#ram.slice(place, place + after.length), after: after.slice()});
	}

	/** Takes note of a value of 1, 2, 4 or 8 bytes that has been exchanged for another. */
	noteExchange(place: number, bytes: number, before: bigint, after: bigint): void {
		const bytesOf = (value: bigint) => new Uint8Array(BigUint64Array.of(value).buffer, 0, bytes);
		this.#stores.push({place, before: bytesOf(before), after: bytesOf(after)});
	}

	/** Gives the stores since the last call. */
	take(): readonly Store[] {
		const stores = this.#stores;
		this.#stores = [];
		return stores;
	}

	undo(stores: readonly Store[]): void {
		for (const {place, before} of stores.toReversed()) this.#ram.set(before, place);
	}

	redo(stores: readonly Store[]): void {
		for (const {place, after} of stores) this.#ram.set(after, place);
	}
}
