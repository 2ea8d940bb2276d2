import {type Cell, type FieldsView, type Pair, pair} from '#support/wire';
import type {HpetClock} from './clock.ts';
import {General} from './registers.ts';
import {type HpetFields, HpetState} from './state.ts';

const wrap = 2 ** 32;

/**
 * The 64-bit main counter, exact as two halves. Nothing ticks: while it runs it is the clock plus a constant, modulo
 * 2^64. Storing into 32 bits wraps.
 */
export class MainCounter {
	readonly #state: FieldsView<HpetFields>;
	readonly #counter: Pair;
	readonly #found = pair();
	readonly #now: Cell;

	constructor(state: FieldsView<HpetFields>, clock: HpetClock) {
		this.#state = state;
		this.#counter = HpetState.pair(state, 'counter');
		this.#now = clock.now;
	}

	get running(): boolean {
		return (this.#state.general & General.ENABLE) !== 0;
	}

	/** The counter at a clock, until the next call. */
	at(clock: Cell): Pair {
		const found = this.#found;
		const counter = this.#counter;
		found.set(counter);
		if (!this.running) return found;
		const low = counter[0] + (clock[0] % wrap);
		found[0] = low;
		found[1] = counter[1] + Math.floor(clock[0] / wrap) + (low >= wrap ? 1 : 0);
		return found;
	}

	/** Reads the lower half and keeps the higher one, so that the two halves of a 64-bit read belong together. */
	readLow(): number {
		const now = this.at(this.#now);
		this.#state.highLatch = now[1];
		this.#state.highLatched = 1;
		return now[0] | 0;
	}

	/** Reads the higher half. One that was kept is given once: then high, low, high reads find it too. */
	readHigh(): number {
		const {highLatched, highLatch} = this.#state;
		this.#state.highLatched = 0;
		return (highLatched !== 0 ? highLatch : this.at(this.#now)[1]) | 0;
	}

	/** Writes the lower half; without effect while the counter runs. */
	writeLow(value: number): void {
		if (this.running) return;
		this.#counter[0] = value;
		this.#state.highLatched = 0;
	}

	/** Writes the higher half; without effect while the counter runs. */
	writeHigh(value: number): void {
		if (this.running) return;
		this.#counter[1] = value;
		this.#state.highLatched = 0;
	}

	/** Goes on from where the counter is. */
	start(): void {
		if (this.running) return;
		const counter = this.#counter;
		const clock = this.#now[0];
		const low = counter[0] - (clock % wrap);
		counter[0] = low;
		counter[1] = counter[1] - Math.floor(clock / wrap) - (low < 0 ? 1 : 0);
		this.#state.highLatched = 0;
		this.#state.general |= General.ENABLE;
	}

	/** Keeps the counter where it is. */
	halt(): void {
		this.#counter.set(this.at(this.#now));
		this.#state.general &= ~General.ENABLE;
		this.#state.highLatched = 0;
	}
}
