import {type Cell, cell} from '#support/wire';
import type {PitClock} from './clock.ts';
import {type CountCode, countCode} from './count-code.ts';
import {highClocks, type Mode, modes} from './modes.ts';
import {Access, ControlWord, Status} from './registers.ts';
import {type CounterView, Pending, PitCounter} from './state.ts';

/** Pins of a counter. */
export interface CounterPins {
	/** Level of the gate input. */
	gate(): boolean;
	/** The output rose so often since it was last looked at. */
	rose(times: number): void;
}

/**
 * One counter over its shared state. Nothing ticks: every method computes from the current clock and the one at
 * which the count was loaded. A count is loaded in the clock after the one in which it was written.
 */
export class Counter {
	readonly #state: CounterView;
	readonly #origin: Cell;
	/** Result of {@link #elapsed}. */
	readonly #counted = cell();
	readonly #pins: CounterPins;
	/** The clock of the access. */
	readonly #now: Cell;

	constructor(state: CounterView, clock: PitClock, pins: CounterPins) {
		this.#state = state;
		this.#origin = PitCounter.cell(state, 'origin');
		this.#now = clock.now;
		this.#pins = pins;
	}

	get mode(): Mode {
		return modes[(this.#state.control >> ControlWord.MODE_SHIFT) & ControlWord.MODE_MASK] as Mode;
	}

	/** Keeps the bits that there are: a saved state may hold more. */
	restored(): void {
		const state = this.#state;
		state.control &= ControlWord.KEPT;
		const {modulus} = this.#code;
		state.count = Math.min(state.count, modulus);
		state.reload = Math.min(state.reload, modulus);
		state.pending &= Pending.TRIGGER;
	}

	/** A control word other than a command: stops the counter until a count is written. */
	configure(control: number): void {
		const state = this.#state;
		state.control = control & ControlWord.KEPT;
		state.count = 0;
		state.reload = 0;
		state.pending = Pending.NONE;
		state.held = 0;
		state.expired = 0;
		state.writesMsb = 0;
		state.readsMsb = 0;
		state.countLatched = 0;
		state.statusLatched = 0;
		state.origin = 0;
	}

	/** A byte of the count; true when it changed what the output will do. */
	write(value: number): boolean {
		const state = this.#state;
		if (this.#access === Access.LSB) return this.#setCount(value);
		if (this.#access === Access.MSB) return this.#setCount(value << 8);
		if (state.writesMsb !== 0) {
			state.writesMsb = 0;
			return this.#setCount(state.lsb | (value << 8));
		}
		state.lsb = value;
		state.writesMsb = 1;
		// In mode 0 the first byte stops the counting.
		if (this.mode !== modes[0]) return false;
		state.count = 0;
		return true;
	}

	/** The next byte of the latched status, the latched count, or the count. */
	read(): number {
		const state = this.#state;
		if (state.statusLatched !== 0) {
			state.statusLatched = 0;
			return state.statusLatch;
		}
		const both = this.#access === Access.BOTH;
		const msb = both ? state.readsMsb !== 0 : this.#access === Access.MSB;
		const count = state.countLatched !== 0 ? state.countLatch : this.#readCount();
		if (both) state.readsMsb = msb ? 0 : 1;
		if (!both || msb) state.countLatched = 0;
		return msb ? count >> 8 : count & 0xff;
	}

	/** Holds the count for reading. A second latch before that is ignored. */
	latchCount(): void {
		const state = this.#state;
		if (state.countLatched !== 0) return;
		state.countLatch = this.#readCount();
		state.countLatched = 1;
	}

	/** Holds the status for reading. A second latch before that is ignored. */
	latchStatus(): void {
		const state = this.#state;
		if (state.statusLatched !== 0) return;
		const output = this.output() ? Status.OUTPUT : 0;
		const loading = state.held === 0 && this.#now[0] < this.#origin[0];
		const isNull = state.count === 0 || state.pending !== Pending.NONE || loading;
		state.statusLatch = state.control | output | (isNull ? Status.NULL_COUNT : 0);
		state.statusLatched = 1;
	}

	/** Level of the output. */
	output(): boolean {
		this.advance();
		const {count, held} = this.#state;
		const {mode} = this;
		if (count === 0) return mode.startsHigh;
		return (held !== 0 && mode.periodic) || mode.output(count, this.#elapsed());
	}

	/** The gate input changed to what {@link CounterPins.gate} says. */
	gateChanged(): void {
		const state = this.#state;
		const {mode} = this;
		if (this.#pins.gate()) {
			if (mode.triggered || mode.periodic) this.#begin();
			else if (state.held !== 0) this.#origin[0] = this.#now[0] - this.#origin[0];
			state.held = 0;
			return;
		}
		if (mode.triggered || state.count === 0 || state.held !== 0) return;
		this.advance();
		this.#origin[0] = this.#elapsed()[0];
		state.held = 1;
		if (state.pending !== Pending.NONE) state.pending = Pending.TRIGGER;
	}

	/** The clock of the next rising edge after those that {@link advance} has found. */
	nextRise(): number | undefined {
		const {count, reload, pending, held, expired} = this.#state;
		const origin = this.#origin[0];
		if (count === 0 || held !== 0 || expired !== 0) return undefined;
		if (pending === Pending.HIGH_END) return origin + highClocks(count) + reload - highClocks(reload);
		return origin + this.mode.riseAt(count);
	}

	/**
	 * Accounts for the rising edges up to now, and moves a periodic mode's origin to its current period. Must come
	 * before whatever changes the output's future.
	 */
	advance(): void {
		const state = this.#state;
		const {mode} = this;
		if (state.count === 0 || state.held !== 0 || this.#now[0] < this.#origin[0]) return;
		let rises = 0;
		if (mode.periodic) {
			rises += this.#takePending();
			const periods = Math.floor(this.#elapsed()[0] / state.count);
			this.#origin[0] += periods * state.count;
			rises += periods;
		} else if (state.expired === 0 && this.#elapsed()[0] >= mode.riseAt(state.count)) {
			state.expired = 1;
			rises = 1;
		}
		if (rises > 0) this.#pins.rose(rises);
	}

	get #access(): number {
		return (this.#state.control >> ControlWord.ACCESS_SHIFT) & ControlWord.ACCESS_MASK;
	}

	get #code(): CountCode {
		return countCode((this.#state.control & ControlWord.BCD) !== 0);
	}

	/** Finds the clocks that were counted since the count was loaded. */
	#elapsed(): Cell {
		const origin = this.#origin[0];
		this.#counted[0] = this.#state.held !== 0 ? origin : Math.max(0, this.#now[0] - origin);
		return this.#counted;
	}

	/** The counting element as the guest reads it. */
	#readCount(): number {
		this.advance();
		const {count} = this.#state;
		const {modulus, encode} = this.#code;
		const value = count === 0 ? 0 : this.mode.value(count, this.#elapsed(), modulus);
		return encode(value < 0 ? value + modulus : value);
	}

	/** A whole count was written: it is loaded at once, or waits for the end of the period or for a trigger. */
	#setCount(raw: number): true {
		const state = this.#state;
		const {mode} = this;
		this.advance();
		// A smaller count than the data sheet allows counts as the smallest.
		state.reload = Math.max(this.#code.decode(raw), mode.minimum);
		if (mode.triggered || (mode.periodic && state.held !== 0)) state.pending = Pending.TRIGGER;
		else if (!mode.periodic || state.count === 0) this.#begin();
		// Only a square wave is loaded in the middle of its period.
		else if (mode === modes[3] && mode.output(state.count, this.#elapsed())) state.pending = Pending.HIGH_END;
		else state.pending = Pending.PERIOD_END;
		return true;
	}

	/** Begins to count what was written last, if anything was. */
	#begin(): void {
		const state = this.#state;
		if (state.reload === 0) return;
		this.advance();
		state.count = state.reload;
		state.pending = Pending.NONE;
		state.expired = 0;
		state.held = this.#pins.gate() || this.mode.triggered ? 0 : 1;
		this.#origin[0] = state.held !== 0 ? 0 : this.#now[0] + 1;
	}

	/** Loads the count that was written during a period that is over; returns the rising edges up to then. */
	#takePending(): number {
		const state = this.#state;
		const atHighEnd = state.pending === Pending.HIGH_END;
		if (!atHighEnd && state.pending !== Pending.PERIOD_END) return 0;
		const end = atHighEnd ? highClocks(state.count) : state.count;
		if (this.#elapsed()[0] < end) return 0;
		// The new count begins with its low half, as if its high half had just passed.
		this.#origin[0] += atHighEnd ? end - highClocks(state.reload) : end;
		state.count = state.reload;
		state.pending = Pending.NONE;
		return atHighEnd ? 0 : 1;
	}
}
