/**
 * Which BAR answers an address: disjoint ranges in order of their addresses, in memory that is allocated once, because it
 * is filled again on the exit path whenever the guest has moved something.
 */
export class BarMap {
	readonly #starts: Float64Array;
	readonly #ends: Float64Array;
	readonly #owners: Int32Array;
	#count = 0;
	#last = 0;

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
		this.#last = 0;
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
		const last = this.#last;
		if (last < this.#count && address >= (this.#starts[last] as number) && address < (this.#ends[last] as number))
			return last;
		const at = this.#firstBehind(address);
		if (at >= this.#count || address < (this.#starts[at] as number)) return -1;
		this.#last = at;
		return at;
	}

	owner(piece: number): number {
		return this.#owners[piece] as number;
	}

	/** First address behind the piece. */
	end(piece: number): number {
		return this.#ends[piece] as number;
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
