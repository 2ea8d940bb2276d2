import {type HpetClock, never} from './clock.ts';
import type {MainCounter} from './main-counter.ts';
import {Config} from './registers.ts';
import {is32Bit, isPeriodic, type TimerView} from './timer-view.ts';

const wrap = 2 ** 32;
/** Higher half of the shortest distance that counts as never: 2^53 clocks, or 28 years. */
const neverHigh = 2 ** 21;

/** One timer's comparator: when it matches the main counter, and how writes change it. */
export class Comparator {
	readonly #timer: TimerView;
	readonly #counter: MainCounter;
	readonly #now: Float64Array;
	readonly #from = new Float64Array(1);
	/** Where {@link find} leaves the clock that it finds. */
	readonly match = new Float64Array(1);

	constructor(timer: TimerView, counter: MainCounter, clock: HpetClock) {
		this.#timer = timer;
		this.#counter = counter;
		this.#now = clock.now;
	}

	/** Finds the clock of the first match that {@link advance} has not found. A comparator behind the counter waits for a wrap. */
	find(): void {
		this.match[0] = never;
		if (!this.#counter.running) return;
		const {from, comparator} = this.#timer;
		this.#from[0] = from;
		const difference = comparator.low - this.#counter.lowAt(this.#from);
		const borrow = difference < 0 ? 1 : 0;
		const low = difference + borrow * wrap;
		if (is32Bit(this.#timer)) {
			this.match[0] = from + low;
			return;
		}
		const high = (comparator.high - this.#counter.highAt(this.#from) - borrow + wrap) % wrap;
		if (high < neverHigh) this.match[0] = from + high * wrap + low;
	}

	/** Counts the matches up to now and moves the accumulator behind them; a timer that is not periodic has one at most. */
	advance(): number {
		const timer = this.#timer;
		const clock = this.#now[0] as number;
		if (!this.#counter.running || clock < timer.from) return 0;
		this.find();
		const first = this.match[0] as number;
		timer.from = clock + 1;
		if (first > clock) return 0;
		const period = timer.period.high * wrap + timer.period.low;
		if (!isPeriodic(timer) || period === 0) return 1;
		// Exact: a period that is not an integer below 2^53 is longer than any time that passed.
		const further = Math.floor((clock - first) / period);
		const passed = further * period;
		this.#add(passed % wrap, Math.floor(passed / wrap));
		this.#add(timer.period.low, timer.period.high);
		return further + 1;
	}

	/** Matches are looked for from now on. */
	lookFromNow(): void {
		this.#timer.from = this.#now[0] as number;
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
		timer.period[half] = value;
		timer.config &= ~Config.VALUE_SET;
		timer.setsHigh = valueSet && !high ? 1 : 0;
		if (!sets) return;
		timer.comparator[half] = value;
		this.lookFromNow();
	}

	/** In 32-bit mode the higher halves are zero. */
	truncate(): void {
		this.#timer.comparator.high = 0;
		this.#timer.period.high = 0;
	}

	#add(low: number, high: number): void {
		const {comparator} = this.#timer;
		const sum = comparator.low + low;
		comparator.low = sum;
		if (!is32Bit(this.#timer)) comparator.high += high + (sum >= wrap ? 1 : 0);
	}
}
