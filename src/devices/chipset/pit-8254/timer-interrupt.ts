import type {DeviceServices} from '#devices/device';
import type {InterruptLine} from '#devices/interrupts';
import type {Cell, FieldsView} from '#support/wire';
import {clocksIn, type PitClock} from './clock.ts';
import {Counter} from './counter.ts';
import {modes} from './modes.ts';
import {type CounterView, type Pit8254Fields, Pit8254State} from './state.ts';

/** Interrupts have at least 100 µs between them: no guest's rate may keep the thread from other devices. */
const spacing = clocksIn(100_000);

/** Ticks owed beyond this many are dropped: a guest that was away for that long reads another clock. */
export const maxTicksOwed = 1000;

/**
 * Counter 0 and its interrupt line. Every rising edge of the output becomes one interrupt. Those that came faster or were
 * looked at later than they can be served are owed and follow one by one, because guests tell the time by counting them.
 * The line does not follow the low phases of modes 2 to 5 but rises anew for each interrupt: only edges interrupt.
 */
export class TimerInterrupt {
	readonly counter: Counter;
	readonly #state: FieldsView<Pit8254Fields>;
	readonly #lastTick: Cell;
	readonly #clock: PitClock;
	readonly #line: InterruptLine;

	constructor(state: FieldsView<Pit8254Fields>, clock: PitClock, services: DeviceServices) {
		this.#state = state;
		this.#lastTick = Pit8254State.cell(state, 'lastTick');
		this.#clock = clock;
		this.#line = services.line('timer');
		this.counter = new Counter(state.counters[0] as CounterView, clock, {
			gate: () => true,
			rose: (times) => {
				const owed = state.ticksOwed + times;
				state.ticksOwed = Math.min(owed, maxTicksOwed);
				state.ticksDropped += owed - state.ticksOwed;
			},
		});
	}

	/** Raises an interrupt if one is due; returns the clock to look again at, if there is one. */
	serve(): number | undefined {
		const clock = this.#clock.now[0];
		this.counter.advance();
		if (this.#state.ticksOwed > 0 && clock >= this.#lastTick[0] + spacing) this.#tick();
		const next = this.#state.ticksOwed > 0 ? clock : this.counter.nextRise();
		return next === undefined ? undefined : Math.max(next, this.#lastTick[0] + spacing);
	}

	/** Before a write: what a one-shot has reached already is not lost to the next one. */
	beforeWrite(): void {
		this.counter.advance();
		if (!this.counter.mode.periodic && this.#state.ticksOwed > 0) this.#tick();
	}

	/** A control word ends what was counted, and with it what is owed. */
	configure(control: number): void {
		this.#state.ticksDropped += this.#state.ticksOwed;
		this.#state.ticksOwed = 0;
		this.counter.configure(control);
	}

	/** After a write or reset: brings the line to the level that is neither tick nor strobe. */
	settle(): void {
		this.#line.setLevel(this.counter.mode !== modes[0] || this.counter.output());
	}

	#tick(): void {
		this.#state.ticksOwed--;
		this.#state.ticks++;
		this.#lastTick[0] = this.#clock.now[0];
		this.#line.rise();
	}
}
