import {uptime} from 'node:os';

/** Clocks of a host that has not slept differ by less, in milliseconds: one of them counts in hundredths of a second. */
const leastMs = 500;

/** Clocks of the host, in milliseconds from anywhere. */
interface HostClocks {
	/** CLOCK_MONOTONIC, which stands still while the host sleeps (clock_gettime(2)). */
	readonly monotonicMs: () => number;
	/** CLOCK_BOOTTIME, which does not. */
	readonly bootMs: () => number;
}

/** Notices that the host has slept: suspended to RAM or to disk. */
export class SleepWatch {
	readonly #clocks: HostClocks;
	#aheadMs: number;

	constructor(clocks: HostClocks = {monotonicMs: () => performance.now(), bootMs: () => uptime() * 1000}) {
		this.#clocks = clocks;
		this.#aheadMs = this.#ahead();
	}

	/** Whether it has slept since the last look. */
	look(): boolean {
		const before = this.#aheadMs;
		this.#aheadMs = this.#ahead();
		return this.#aheadMs - before > leastMs;
	}

	#ahead(): number {
		const {bootMs, monotonicMs} = this.#clocks;
		return bootMs() - monotonicMs();
	}
}
