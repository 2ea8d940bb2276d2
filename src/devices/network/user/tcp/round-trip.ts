/** Bounds of the time after which a segment is sent again, in milliseconds. The least is Linux's: RFC 6298's whole second is for wires. */
const leastMs = 200;
const mostMs = 60_000;

/** How long an answer takes, and how long to wait for one (RFC 6298, 2). */
export class RoundTrip {
	#smoothed: number | undefined;
	#variation = 0;
	#timeoutMs = 1000;
	/** The byte whose acknowledgment is timed, and since when. */
	#timed: {readonly position: number; readonly sinceMs: number} | undefined;

	get timeoutMs(): number {
		return this.#timeoutMs;
	}

	/** Times the first byte that is sent while none is timed. */
	sent(position: number, nowMs: number): void {
		this.#timed ??= {position, sinceMs: nowMs};
	}

	acknowledged(position: number, nowMs: number): void {
		if (this.#timed === undefined || position <= this.#timed.position) return;
		const sample = nowMs - this.#timed.sinceMs;
		this.#timed = undefined;
		if (this.#smoothed === undefined) {
			this.#smoothed = sample;
			this.#variation = sample / 2;
		} else {
			this.#variation = 0.75 * this.#variation + 0.25 * Math.abs(this.#smoothed - sample);
			this.#smoothed = 0.875 * this.#smoothed + 0.125 * sample;
		}
		this.#timeoutMs = Math.min(mostMs, Math.max(leastMs, this.#smoothed + 4 * this.#variation));
	}

	/** Something is sent again: its acknowledgment tells nothing (Karn), and the next wait is longer. */
	repeated(isTimeout: boolean): void {
		this.#timed = undefined;
		if (isTimeout) this.#timeoutMs = Math.min(mostMs, this.#timeoutMs * 2);
	}
}
