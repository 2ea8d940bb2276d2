import type {FieldsView} from '#support/wire';
import type {HpetClock} from './clock.ts';
import {General} from './registers.ts';
import type {HpetFields} from './state.ts';

const wrap = 2 ** 32;

/**
 * The 64-bit main counter, exact as two halves. Nothing ticks: while it runs it is the clock plus a constant, modulo
 * 2^64. Storing into the state's 32-bit fields wraps.
 */
export class MainCounter {
	readonly #state: FieldsView<HpetFields>;
	readonly #now: Float64Array;

	constructor(state: FieldsView<HpetFields>, clock: HpetClock) {
		this.#state = state;
		this.#now = clock.now;
	}

	get running(): boolean {
		return (this.#state.general & General.ENABLE) !== 0;
	}

	/** The lower half at the clock in `at`. */
	lowAt(at: Float64Array): number {
		const {low} = this.#state.counter;
		return this.running ? (low + ((at[0] as number) % wrap)) % wrap : low;
	}

	/** The higher half at the clock in `at`. */
	highAt(at: Float64Array): number {
		const {low, high} = this.#state.counter;
		if (!this.running) return high;
		const clock = at[0] as number;
		const carry = low + (clock % wrap) >= wrap ? 1 : 0;
		return (high + Math.floor(clock / wrap) + carry) % wrap;
	}

	/** Reads the lower half and keeps the higher one, so that the two halves of a 64-bit read belong together. */
	readLow(): number {
		this.#state.highLatch = this.highAt(this.#now);
		this.#state.highLatched = 1;
		return this.lowAt(this.#now);
	}

	/** Reads the higher half. One that was kept is given once: then high, low, high reads find it too. */
	readHigh(): number {
		const {highLatched, highLatch} = this.#state;
		this.#state.highLatched = 0;
		return highLatched !== 0 ? highLatch : this.highAt(this.#now);
	}

	/** Writes the lower half; without effect while the counter runs. */
	writeLow(value: number): void {
		if (this.running) return;
		this.#state.counter.low = value;
		this.#state.highLatched = 0;
	}

	/** Writes the higher half; without effect while the counter runs. */
	writeHigh(value: number): void {
		if (this.running) return;
		this.#state.counter.high = value;
		this.#state.highLatched = 0;
	}

	/** Goes on from where the counter is. */
	start(): void {
		const state = this.#state;
		if (this.running) return;
		const clock = this.#now[0] as number;
		const low = state.counter.low - (clock % wrap);
		state.counter.high = state.counter.high - Math.floor(clock / wrap) - (low < 0 ? 1 : 0);
		state.counter.low = low;
		state.highLatched = 0;
		state.general |= General.ENABLE;
	}

	/** Keeps the counter where it is. */
	halt(): void {
		const state = this.#state;
		const low = this.lowAt(this.#now);
		const high = this.highAt(this.#now);
		state.general &= ~General.ENABLE;
		state.counter.low = low;
		state.counter.high = high;
		state.highLatched = 0;
	}
}
