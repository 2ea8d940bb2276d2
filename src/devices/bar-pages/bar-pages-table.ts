import type {MappedRange} from '#devices/guest-memory';
import {errorTable} from '#support/errors';
import {lock, unlock} from '#support/shared-memory';
import {array, f64, i32, wire} from '#support/wire';

/** How many BARs of a machine may be memory: each takes a slot of the back end. */
export const pagesEntries = 64;

/** What a back end does with memory of BARs. Without it, or where it refuses, accesses to them come by the bus. */
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

/** Where the BARs that are memory are mapped, shared by all threads of a machine. */
export const BarPagesState = wire('bar-pages', {
	lock: i32,
	/** Guest-physical addresses; 0 for memory that is not mapped: no BAR lies there. */
	at: array(f64, pagesEntries),
});

const lockWord = BarPagesState.word('lock');

const tableError = errorTable({
	BAR_PAGES_HANG: () => ({
		message: 'Another thread does not come back from mapping memory of a PCI function',
		remedy: 'This is a bug in openvmm or in the kernel: please report it with what the guest did',
	}),
});

/** Memory as it should be mapped. */
export interface WantedPages {
	readonly entry: number;
	/** Where it lies in the guest. */
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
	 * Maps the memory that should be, and nothing else. Whoever changes where BARs answer calls this afterwards, so that the last
	 * one leaves what is right.
	 * @param wanted - asked for under the table's lock
	 */
	refresh(wanted: () => Iterable<WantedPages>): void {
		const [backEnd, {at, $atomic: atomic}] = [this.#backEnd, this.#state];
		if (backEnd === undefined) return;
		if (!lock(atomic, lockWord)) throw tableError('BAR_PAGES_HANG', {});
		try {
			const all = [...wanted()];
			// What moves may take the place of what leaves.
			for (let entry = 0; entry < pagesEntries; entry++) {
				if (at[entry] === 0 || all.some((each) => each.entry === entry && each.range.gpa === at[entry])) continue;
				backEnd.unmap(entry);
				at[entry] = 0;
			}
			for (const {entry, range} of all) if (at[entry] === 0 && backEnd.map(entry, range)) at[entry] = range.gpa;
		} finally {
			unlock(atomic, lockWord);
		}
	}

	/** Where an entry's memory is mapped; undefined where it is not. */
	placeOf(entry: number): number | undefined {
		return this.#state.at[entry] || undefined;
	}
}
