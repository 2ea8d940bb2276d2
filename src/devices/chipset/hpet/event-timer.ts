import type {Cell} from '#support/wire';
import {clocksIn, type HpetClock} from './clock.ts';
import {Comparator} from './comparator.ts';
import type {MainCounter} from './main-counter.ts';
import type {Outputs} from './outputs.ts';
import {Config, routeCapabilities} from './registers.ts';
import {HpetTimer} from './state.ts';
import {interrupts, is32Bit, isLevel, isPeriodic, type TimerView} from './timer-view.ts';

/** A timer's periodic interrupts have at least 100 µs between them, so that no rate keeps the thread from other devices. */
const spacing = clocksIn(100_000);

/** Interrupts owed beyond this many are dropped: a guest that was away for that long reads the counter. */
export const maxOwed = 1000;

const writable =
	Config.LEVEL | Config.INTERRUPT | Config.MODE_32 | (Config.ROUTE_MASK << Config.ROUTE_SHIFT) | Config.FSB;

/** Values that the parts of one timer share. */
export interface TimerParts {
	readonly index: number;
	readonly timer: TimerView;
	readonly counter: MainCounter;
	readonly clock: HpetClock;
	readonly outputs: Outputs;
	/** The timer's bit of the interrupt status is set. */
	isPending(): boolean;
}

/**
 * One timer. Matches become interrupts one by one: of periodic ones, those that came faster or were looked at later than
 * they can be served are owed, because guests tell the time by counting them.
 */
export class EventTimer {
	readonly comparator: Comparator;
	readonly #parts: TimerParts;
	readonly #lastTick: Cell;

	constructor(parts: TimerParts) {
		this.#parts = parts;
		this.#lastTick = HpetTimer.cell(parts.timer, 'lastTick');
		this.comparator = new Comparator(parts.timer, parts.counter, parts.clock);
	}

	/** Raises an interrupt if one is due. */
	serve(): void {
		const {timer, index, outputs, clock} = this.#parts;
		const now = clock.now[0];
		this.#owe(this.comparator.advance());
		if (timer.owed === 0 || (isPeriodic(timer) && now < this.#lastTick[0] + spacing)) return;
		timer.owed--;
		timer.ticks++;
		this.#lastTick[0] = now;
		outputs.raise(index);
	}

	/**
	 * Lowers `clock[0]` to the clock at which {@link serve} has something to do that the guest would notice by itself. A clock
	 * that is returned would be an object.
	 */
	lowerDue(clock: Cell): void {
		const {timer, isPending} = this.#parts;
		if (!interrupts(timer) || (isLevel(timer) && isPending())) return;
		if (timer.owed > 0) this.comparator.match[0] = 0;
		else this.comparator.find();
		let due = this.comparator.match[0];
		if (isPeriodic(timer)) due = Math.max(due, this.#lastTick[0] + spacing);
		clock[0] = Math.min(clock[0], due);
	}

	/** Bits 31:0 of the configuration. */
	get config(): number {
		const periodic = this.#isPeriodicCapable ? Config.PERIODIC_CAPABLE : 0;
		return (this.#parts.timer.config | periodic | Config.IS_64_BIT | Config.FSB_CAPABLE) >>> 0;
	}

	/** Keeps the bits that there are: a saved state may hold more. */
	restored(): void {
		const {timer} = this.#parts;
		timer.config = this.#legal(timer.config);
	}

	/** Writes bits 31:0 of the configuration. */
	configure(value: number): void {
		const {timer, index, outputs} = this.#parts;
		const config = this.#legal(value);
		const changed = (config ^ timer.config) & ~Config.VALUE_SET;
		timer.config = config;
		timer.setsHigh = 0;
		if (is32Bit(timer)) this.comparator.truncate();
		if (changed === 0) return;
		this.dropOwed();
		outputs.settle(index);
	}

	/** Forgets what is owed. */
	dropOwed(): void {
		const {timer} = this.#parts;
		timer.dropped += timer.owed;
		timer.owed = 0;
	}

	get #isPeriodicCapable(): boolean {
		return this.#parts.index === 0;
	}

	/** A route that does not exist is not kept, by which software notices (Tn_INT_ROUTE_CNF). */
	#legal(value: number): number {
		let config = value & writable;
		if (this.#isPeriodicCapable) config |= value & Config.PERIODIC;
		if ((config & Config.PERIODIC) !== 0) config |= value & Config.VALUE_SET;
		const route = (config >> Config.ROUTE_SHIFT) & Config.ROUTE_MASK;
		const exists = ((routeCapabilities >>> route) & 1) !== 0;
		return exists ? config : config & ~(Config.ROUTE_MASK << Config.ROUTE_SHIFT);
	}

	/** A status bit is set whether or not the timer interrupts, and holds one match (General Interrupt Status, Tn_INT_ENB_CNF). */
	#owe(matches: number): void {
		const {timer, isPending} = this.#parts;
		if (matches === 0) return;
		if (isLevel(timer)) timer.owed = isPending() ? 0 : 1;
		else if (interrupts(timer)) {
			const owed = timer.owed + matches;
			timer.owed = Math.min(owed, isPeriodic(timer) ? maxOwed : 1);
			timer.dropped += owed - timer.owed;
		}
	}
}
