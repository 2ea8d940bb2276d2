/** Bounds of the time after which a segment is sent again, in milliseconds. The least is Linux's: RFC 6298's whole second is for wires. */
const leastMs = 200;
const mostMs = 60_000;
/** The first, and that for data after a SYN that was sent again (RFC 6298, 2.1 and 5.7). */
const [firstMs, afterSynMs] = [1000, 3000];

/** How long an answer takes, and how long to wait for one (RFC 6298, 2). */
export class RoundTrip {
	#smoothed: number | undefined;
	#variation = 0;
	#timeoutMs = firstMs;

	get timeoutMs(): number {
		return this.#timeoutMs;
	}

	/** Undefined until something was answered that was sent once. */
	get smoothedMs(): number | undefined {
		return this.#smoothed;
	}

	/** Something was answered that was sent once: of another that tells nothing, and a longer wait stays (Karn). */
	took(ms: number): void {
		if (this.#smoothed === undefined) {
			this.#smoothed = ms;
			this.#variation = ms / 2;
		} else {
			this.#variation = 0.75 * this.#variation + 0.25 * Math.abs(this.#smoothed - ms);
			this.#smoothed = 0.875 * this.#smoothed + 0.125 * ms;
		}
		this.#timeoutMs = Math.min(mostMs, Math.max(leastMs, this.#smoothed + 4 * this.#variation));
	}

	/** Nothing was answered in time: the next wait is longer. */
	backOff(): void {
		this.#timeoutMs = Math.min(mostMs, this.#timeoutMs * 2);
	}

	/** Data follows a SYN that was sent more than once. */
	afterLateSyn(): void {
		this.#timeoutMs = afterSynMs;
	}
}
