const pageBytes = 4096;

/** A byte that two runs have left otherwise. */
export interface UnlikeByte {
	/** In the memory that all of RAM is in. */
	readonly place: number;
	readonly before: number;
	/** What the run has left that was undone, and the one whose stores are there. */
	readonly undone: number;
	readonly now: number;
}

/** Keeps pages as they are before a processor stores there, to undo that, and to compare what two runs have made of them. */
export class PageJournal {
	/** A walk has set bits in tables: what the TLB has from it has to be walked for again, once that is undone. */
	hasMarked = false;
	readonly #ram: SharedArrayBuffer;
	readonly #before = new Map<number, Uint8Array>();
	/** Bits that walks have set, by the byte that they are in. */
	readonly #marks = new Map<number, number>();

	constructor(ram: SharedArrayBuffer) {
		this.#ram = ram;
	}

	/** Takes note of a page to which stores are to come. */
	keep(place: number): void {
		const page = place - (place % pageBytes);
		if (!this.#before.has(page)) this.#before.set(page, this.#page(page).slice());
	}

	/** Takes note of bits that a walk sets, in the lowest byte of an entry: when it walks is its own affair, so that they count as alike. */
	mark(place: number, bits: number): void {
		this.keep(place);
		this.hasMarked = true;
		this.#marks.set(place, (this.#marks.get(place) ?? 0) | bits);
	}

	/** Forgets all. */
	clear(): void {
		this.#before.clear();
		this.#marks.clear();
		this.hasMarked = false;
	}

	/**
	 * Makes pages what they were.
	 * @param restored - told of each that was not
	 * @returns what they have been until now
	 */
	undo(restored: (place: number, before: Uint8Array, after: Uint8Array) => void): ReadonlyMap<number, Uint8Array> {
		const changed = new Map<number, Uint8Array>();
		for (const [place, before] of this.#before) {
			const page = this.#page(place);
			if (Buffer.compare(page, before) === 0) continue;
			const after = page.slice();
			changed.set(place, after);
			page.set(before);
			restored(place, before, after);
		}
		return changed;
	}

	/** Compares pages with what {@link undo} has given. @param most - bytes that are told, at most */
	unlike(undone: ReadonlyMap<number, Uint8Array>, most: number): UnlikeByte[] {
		const found: UnlikeByte[] = [];
		for (const [start, before] of this.#before) {
			const [now, other] = [this.#page(start), undone.get(start) ?? before];
			if (Buffer.compare(now, other) === 0) continue;
			for (let at = 0; at < pageBytes && found.length < most; at++)
				if (now[at] !== other[at]) {
					const place = start + at;
					const [was, is, undoneByte] = [before[at], now[at], other[at]] as [number, number, number];
					if (((is ^ undoneByte) & ~(this.#marks.get(place) ?? 0)) !== 0)
						found.push({place, before: was, undone: undoneByte, now: is});
				}
		}
		return found;
	}

	#page(place: number): Uint8Array {
		return new Uint8Array(this.#ram, place, pageBytes);
	}
}
