import type {BusSpace, Claim} from './claims.ts';
import {RangeMap} from './range-map.ts';

/** The claims of one space, by their addresses. */
export class ClaimMap {
	readonly #claims: readonly Claim[];
	readonly #ranges: RangeMap;

	constructor(claims: readonly Claim[], space: BusSpace) {
		this.#claims = claims;
		this.#ranges = new RangeMap(claims.length);
		for (const [index, claim] of claims.entries()) {
			if (claim.space === space) this.#ranges.insert(claim.base, claim.base + claim.length, index);
		}
	}

	/** The claim that has the address. */
	find(address: number): Claim | undefined {
		const piece = this.#ranges.find(address);
		return piece < 0 ? undefined : this.#claims[this.#ranges.owner(piece)];
	}
}
