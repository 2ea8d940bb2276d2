import type {DeviceServices} from '#devices/device';
import {cell, type FieldsView} from '#support/wire';
import {HpetClock, never} from './clock.ts';
import {EventTimer} from './event-timer.ts';
import {MainCounter} from './main-counter.ts';
import {Outputs} from './outputs.ts';
import {General} from './registers.ts';
import type {HpetFields} from './state.ts';

/** The main counter and the three timers over their shared state. Every method runs under the device's lock. */
export class EventTimers {
	readonly counter: MainCounter;
	readonly timers: readonly EventTimer[];
	readonly outputs: Outputs;
	/** To be looked at before every call of the others. */
	readonly clock: HpetClock;
	readonly #state: FieldsView<HpetFields>;
	readonly #due = cell();
	readonly #noted = cell();

	constructor(state: FieldsView<HpetFields>, services: DeviceServices) {
		this.#state = state;
		this.clock = new HpetClock(services.time);
		this.counter = new MainCounter(state, this.clock);
		this.outputs = new Outputs(state, services);
		this.timers = state.timers.map((timer, index) => {
			const isPending = () => (state.status & (1 << index)) !== 0;
			return new EventTimer({index, timer, counter: this.counter, clock: this.clock, outputs: this.outputs, isPending});
		});
	}

	/** Raises the interrupts that are due. */
	serve(): void {
		for (const timer of this.timers) timer.serve();
	}

	/** The clock to serve again at. */
	due(): number {
		this.#findDue();
		return this.#due[0];
	}

	/** Notes the clock to serve again at, for {@link hasNewDue}. */
	noteDue(): void {
		this.#findDue();
		this.#noted[0] = this.#due[0];
	}

	/** The clock to serve again at is another one than when it was noted. */
	hasNewDue(): boolean {
		this.#findDue();
		return this.#due[0] !== this.#noted[0];
	}

	#findDue(): void {
		this.#due[0] = never;
		for (const timer of this.timers) timer.lowerDue(this.#due);
	}

	/** Writes the general configuration. A halted counter interrupts nobody (ENABLE_CNF). */
	configure(value: number): void {
		const state = this.#state;
		const changed = state.general ^ (value & General.WRITABLE);
		if (changed === 0) return;
		state.general = (state.general & ~General.LEGACY) | (value & General.LEGACY);
		state.pulses = 0;
		if ((changed & General.ENABLE) === 0) return;
		for (const timer of this.timers) timer.dropOwed();
		if ((value & General.ENABLE) === 0) this.counter.halt();
		else {
			this.counter.start();
			for (const {comparator} of this.timers) comparator.lookFromNow();
		}
	}

	/** Clears the status bits that are written as ones. */
	clearStatus(value: number): void {
		this.#state.status &= ~value;
	}
}
