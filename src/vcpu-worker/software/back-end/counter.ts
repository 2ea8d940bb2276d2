import type {ApicClock} from '#vcpu-worker/software/local-apic';
import type {PartitionClock} from './partition-clock.ts';

/** Frequency of a new processor's time-stamp counter in kHz: it counts nanoseconds. */
const ownKhz = 1_000_000;
const nsPerMs = 1_000_000n;

/** A processor's time-stamp counter (Intel SDM volume 3, 17.17): invariant, and in step with those of the others. */
export class TimeStampCounter implements ApicClock {
	readonly #clock: PartitionClock;
	#khz: number;
	/** Value at nanosecond 0 of the clock. */
	#offset: bigint;

	/** @param khz - its frequency: nanoseconds without one */
	constructor(clock: PartitionClock, khz: number = ownKhz) {
		this.#clock = clock;
		this.#khz = khz;
		this.#offset = -this.#ticks(clock.startNs);
	}

	now(): bigint {
		return this.#clock.nowNs();
	}

	counter(): bigint {
		return this.at(this.#clock.nowNs());
	}

	/** Its value at a moment of the clock. */
	at(nowNs: bigint): bigint {
		return BigInt.asUintN(64, this.#offset + this.#ticks(nowNs));
	}

	timeOf(counter: bigint): bigint {
		const nowNs = this.#clock.nowNs();
		const left = counter - this.at(nowNs);
		if (left <= 0n) return nowNs;
		const khz = BigInt(this.#khz);
		return ((this.#ticks(nowNs) + left) * nsPerMs + khz - 1n) / khz;
	}

	get khz(): number {
		return this.#khz;
	}

	/** Its value at nanosecond 0: what is common to counters that are in step. */
	get offset(): bigint {
		return BigInt.asUintN(64, this.#offset);
	}

	/** Moves it on or back. */
	move(by: bigint): void {
		this.#offset = BigInt.asIntN(64, this.#offset + by);
	}

	/** Sets frequency, and value at this moment. */
	set(khz: number, value: bigint): void {
		this.#khz = khz;
		this.#offset = BigInt.asIntN(64, value - this.#ticks(this.#clock.nowNs()));
	}

	#ticks(ns: bigint): bigint {
		return this.#khz === ownKhz ? ns : (ns * BigInt(this.#khz)) / nsPerMs;
	}
}
