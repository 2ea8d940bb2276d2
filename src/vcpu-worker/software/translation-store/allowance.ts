/** What somebody may ask for: so much at once, and then so much a second. */
export class Allowance {
	readonly #most: number;
	readonly #perSecond: number;
	readonly #nowMs: () => number;
	#left: number;
	#atMs: number;

	constructor(most: number, perSecond: number, nowMs: () => number = () => performance.now()) {
		this.#most = most;
		this.#perSecond = perSecond;
		this.#nowMs = nowMs;
		this.#left = most;
		this.#atMs = nowMs();
	}

	/** Takes one; false where nothing is left. */
	spend(): boolean {
		const nowMs = this.#nowMs();
		this.#left = Math.min(this.#most, this.#left + ((nowMs - this.#atMs) / 1000) * this.#perSecond);
		this.#atMs = nowMs;
		if (this.#left < 1) return false;
		this.#left--;
		return true;
	}
}
