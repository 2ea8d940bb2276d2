import {type Cell, cell, type Pair, pair} from '#support/wire';
import {type HpetClock, never} from './clock.ts';
import type {MainCounter} from './main-counter.ts';
import {Config} from './registers.ts';
import {HpetTimer} from './state.ts';
import {is32Bit, isPeriodic, type TimerView} from './timer-view.ts';

const wrap = 2 ** 32;
/** Higher half of the shortest distance that counts as never: 2^53 clocks, or 28 years. */
const neverHigh = 2 ** 21;

/** One timer's comparator: when it matches the main counter, and how writes change it. */
export class Comparator {
	readonly #timer: TimerView;
	readonly #counter: MainCounter;
	readonly #now: Cell;
	readonly #from: Cell;
	readonly #comparator: Pair;
	readonly #period: Pair;
	readonly #passed = pair();
	/** The clock that {@link find} has found. */
	readonly match = cell();

	constructor(timer: TimerView, counter: MainCounter, clock: HpetClock) {
		this.#timer = timer;
		this.#counter = counter;
		this.#now = clock.now;
		this.#from = HpetTimer.cell(timer, 'from');
		this.#comparator = HpetTimer.pair(timer, 'comparator');
		this.#period = HpetTimer.pair(timer, 'period');
	}

	/** Finds the clock of the first match that {@link advance} has not found. A comparator behind the counter waits for a wrap. */
	find(): void {
		this.match[0] = never;
		if (!this.#counter.running) return;
		const from = this.#from[0];
		const comparator = this.#comparator;
		const counter = this.#counter.at(this.#from);
		const difference = comparator[0] - counter[0];
		const borrow = difference < 0 ? 1 : 0;
		const low = difference + borrow * wrap;
		if (is32Bit(this.#timer)) {
			this.match[0] = from + low;
			return;
		}
		const high = (comparator[1] - counter[1] - borrow + wrap) % wrap;
		if (high < neverHigh) this.match[0] = from + high * wrap + low;
	}

	/** Counts the matches up to now and moves the accumulator behind them; a timer that is not periodic has one at most. */
	advance(): number {
		const timer = this.#timer;
		const clock = this.#now[0];
		if (!this.#counter.running || clock < this.#from[0]) return 0;
		this.find();
		const first = this.match[0];
		this.#from[0] = clock + 1;
		if (first > clock) return 0;
		const period = this.#period[1] * wrap + this.#period[0];
		if (!isPeriodic(timer) || period === 0) return 1;
		// Exact: a period that is not an integer below 2^53 is longer than any time that passed.
		const further = Math.floor((clock - first) / period);
		const passed = further * period;
		this.#passed[0] = passed;
		this.#passed[1] = passed / wrap;
		this.#add(this.#passed);
		this.#add(this.#period);
		return further + 1;
	}

	/** Matches are looked for from now on. */
	lookFromNow(): void {
		this.#from[0] = this.#now[0];
	}

	/** The lower half of the comparator, signed. */
	get low(): number {
		return this.#comparator[0] | 0;
	}

	/** The higher half of the comparator, signed. */
	get high(): number {
		return this.#comparator[1] | 0;
	}

	/**
	 * Writes a half. In periodic mode this is the period, and the accumulator only after Tn_VAL_SET_CNF ("Periodic Mode"), which
	 * holds for one write: of 32 bits, or of 64 that arrive as the lower and then the higher half.
	 */
	write(half: 'low' | 'high', value: number): void {
		const timer = this.#timer;
		const high = half === 'high';
		if (high && is32Bit(timer)) return;
		const valueSet = (timer.config & Config.VALUE_SET) !== 0;
		const sets = !isPeriodic(timer) || valueSet || (high && timer.setsHigh !== 0);
		this.#period[high ? 1 : 0] = value;
		timer.config &= ~Config.VALUE_SET;
		timer.setsHigh = valueSet && !high ? 1 : 0;
		if (!sets) return;
		this.#comparator[high ? 1 : 0] = value;
		this.lookFromNow();
	}

	/** In 32-bit mode the higher halves are zero. */
	truncate(): void {
		this.#comparator[1] = 0;
		this.#period[1] = 0;
	}

	#add(clocks: Pair): void {
		const comparator = this.#comparator;
		const sum = comparator[0] + clocks[0];
		comparator[0] = sum;
		if (!is32Bit(this.#timer)) comparator[1] += clocks[1] + (sum >= wrap ? 1 : 0);
	}
}
