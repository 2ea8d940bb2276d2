/** Pieces that were found last, by a hash of the page: a search takes longer the more regions there are. */
const recentBits = 6;
const hash = (address: number): number => Math.imul(Math.floor(address / 4096), 0x9e37_79b1) >>> (32 - recentBits);

/**
 * Finds the owner that answers an address: disjoint ranges in order of their addresses, in memory that is allocated once,
 * because it may be filled again on the exit path.
 */
export class RangeMap {
	readonly #starts: Float64Array;
	readonly #ends: Float64Array;
	readonly #owners: Int32Array;
	readonly #recent = new Int32Array(1 << recentBits);
	#count = 0;

	/** @param most - how many ranges may be inserted */
	constructor(most: number) {
		// Each range adds two borders, so that n ranges make at most 2n - 1 pieces.
		const pieces = Math.max(1, 2 * most);
		this.#starts = new Float64Array(pieces);
		this.#ends = new Float64Array(pieces);
		this.#owners = new Int32Array(pieces);
	}

	/** Pieces there are. */
	get count(): number {
		return this.#count;
	}

	clear(): void {
		this.#count = 0;
	}

	/** Gives the range to `owner`, but for what belongs to an earlier one. */
	insert(start: number, end: number, owner: number): void {
		let at = this.#firstBehind(start);
		for (let from = start; from < end; at++) {
			const next = at < this.#count ? (this.#starts[at] as number) : end;
			const to = Math.min(next, end);
			if (from < to) this.#add(at++, from, to, owner);
			if (to === end || at >= this.#count) return;
			from = this.#ends[at] as number;
		}
	}

	/** Index of the piece that holds the address, or -1. */
	find(address: number): number {
		const slot = hash(address);
		const recent = this.#recent[slot] as number;
		if (recent < this.#count && address >= (this.#starts[recent] as number) && address < (this.#ends[recent] as number))
			return recent;
		const at = this.#firstBehind(address);
		if (at >= this.#count || address < (this.#starts[at] as number)) return -1;
		this.#recent[slot] = at;
		return at;
	}

	/** True where all of a range that was inserted is its owner's. */
	isWhole(start: number, end: number, owner: number): boolean {
		const piece = this.find(start);
		return piece >= 0 && this.#owners[piece] === owner && this.#starts[piece] === start && this.#ends[piece] === end;
	}

	owner(piece: number): number {
		return this.#owners[piece] as number;
	}

	/** The first piece that ends behind the address. */
	#firstBehind(address: number): number {
		let [low, high] = [0, this.#count];
		while (low < high) {
			const middle = (low + high) >> 1;
			if (address < (this.#ends[middle] as number)) high = middle;
			else low = middle + 1;
		}
		return low;
	}

	#add(at: number, start: number, end: number, owner: number): void {
		for (const array of [this.#starts, this.#ends, this.#owners]) array.copyWithin(at + 1, at, this.#count);
		this.#starts[at] = start;
		this.#ends[at] = end;
		this.#owners[at] = owner;
		this.#count++;
	}
}
