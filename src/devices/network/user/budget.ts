/** Most and fewest bytes that one connection holds in one direction: what OpenVMM's consomme has, within what all may have. */
const most = 4 * 1024 * 1024;
const least = 64 * 1024;

/** Memory of the host that one guest's connections have for what is under way. */
export class Budget {
	readonly #limit: number;
	/** Bytes that wait in either direction. */
	used = 0;

	constructor(limit: number) {
		this.#limit = limit;
	}

	/** How much one connection may hold in one direction: an eighth of what is left, so that many share and few run fast. */
	get share(): number {
		return Math.min(most, Math.max(least, (this.#limit - this.used) / 8)) >>> 0;
	}
}
