import type {MappedRange} from '#devices/guest-memory';
import {array, f64, wire} from '#support/wire';

/** Number of BARs of a machine that may be memory: each takes a slot of the back end. */
export const pagesEntries = 64;

/** Part of a back end that maps memory of BARs. Without it, or where it refuses, accesses to them come by the bus. */
export interface PagesBackEnd {
	/**
	 * Puts memory into the guest where there is none.
	 * @param entry - its number, of {@link pagesEntries}, which has no memory yet
	 * @returns false where that is not possible
	 */
	map(entry: number, range: MappedRange): boolean;
	/** Takes away what {@link map} put there. No processor reaches it when this returns. */
	unmap(entry: number): void;
}

/** Addresses at which the BARs that are memory are mapped, shared by all threads of a machine. */
export const BarPagesState = wire('bar-pages', {
	/** Guest-physical addresses; 0 for memory that is not mapped: no BAR lies there. */
	at: array(f64, pagesEntries),
});

/** Memory as it should be mapped. */
export interface WantedPages {
	readonly entry: number;
	/** Its place in the guest. */
	readonly range: MappedRange;
}

/** One thread's view of what memory of BARs is mapped. */
export class BarPagesTable {
	readonly #state;
	readonly #backEnd: PagesBackEnd | undefined;

	constructor(buffer: SharedArrayBuffer, backEnd: PagesBackEnd | undefined) {
		this.#state = BarPagesState.on(buffer);
		this.#backEnd = backEnd;
	}

	/**
	 * Maps this memory, and nothing else. For one thread at a time, as `DecodeChanges` sees to it.
	 * @param wanted - of the whole machine
	 */
	follow(wanted: readonly WantedPages[]): void {
		const [backEnd, {at}] = [this.#backEnd, this.#state];
		if (backEnd === undefined) return;
		// Memory that moves may take the place of memory that leaves.
		for (let entry = 0; entry < pagesEntries; entry++) {
			if (at[entry] === 0 || wanted.some((each) => each.entry === entry && each.range.gpa === at[entry])) continue;
			backEnd.unmap(entry);
			at[entry] = 0;
		}
		for (const {entry, range} of wanted) if (at[entry] === 0 && backEnd.map(entry, range)) at[entry] = range.gpa;
	}

	/** Gives the address at which an entry's memory is mapped; undefined where it is not. */
	placeOf(entry: number): number | undefined {
		return this.#state.at[entry] || undefined;
	}
}
