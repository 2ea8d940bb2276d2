import type {InterruptLine} from '#devices/interrupts';
import type {Cell, FieldsView} from '#support/wire';
import {type Alarm, decodeAlarm, secondsToAlarm} from './alarm.ts';
import type {RtcClock} from './clock.ts';
import {hasTicked, msToTick, periodicHz} from './periodic.ts';
import {Cmos, interruptBits, RegisterB, RegisterC} from './registers.ts';
import {type CmosRtcFields, CmosRtcState} from './state.ts';
import {WallTime} from './wall-time.ts';

/**
 * The interrupt flags of register C and the interrupt line. Nothing ticks: the flags are made to show what has happened
 * when somebody looks. Every method runs under the device's lock.
 */
export class RtcInterrupts {
	readonly #state: FieldsView<CmosRtcFields>;
	readonly #clock: RtcClock;
	readonly #line: InterruptLine;
	/** The moment that was looked at before. */
	readonly #from = new WallTime();
	readonly #lookedMs: Cell;
	readonly #alarm: Alarm = {hours: 0, minutes: 0, seconds: 0};

	constructor(state: FieldsView<CmosRtcFields>, clock: RtcClock, line: InterruptLine) {
		this.#state = state;
		this.#clock = clock;
		this.#line = line;
		this.#lookedMs = CmosRtcState.cell(state, 'lookedMs');
	}

	/** Sets the flags for what happened until now. To be called before anything changes that they depend on. */
	advance(): void {
		const nowMs = this.#clock.wall.ms[0];
		const fromMs = this.#lookedMs[0];
		this.#from.ms[0] = fromMs;
		this.#from.split();
		this.#lookedMs[0] = nowMs;
		// The host's clock may have been set back while the machine stood still.
		if (nowMs > fromMs) this.#state.flags |= this.#risen();
	}

	/** Interrupt enables that are on, as bits of register B. */
	enabled(): number {
		return (this.#state.ram[Cmos.B] as number) & interruptBits;
	}

	/** True when a flag is set whose interrupt is enabled (IRQF). */
	pending(): boolean {
		return (this.#state.flags & this.enabled()) !== 0;
	}

	/** Makes the line follow the flags and enables. */
	drive(): void {
		this.#line.setLevel(this.pending());
	}

	/** Register C, with the effect of reading it. */
	take(): number {
		const value = this.#state.flags | (this.pending() ? RegisterC.IRQF : 0);
		this.#state.flags = 0;
		this.drive();
		return value;
	}

	/** Milliseconds until the line rises by itself; infinity when it is up already or nothing is due. */
	msToInterrupt(): number {
		const {wall} = this.#clock;
		const enabled = this.enabled();
		if (enabled === 0 || this.pending()) return Number.POSITIVE_INFINITY;
		const {ram} = this.#state;
		let ms = Number.POSITIVE_INFINITY;
		if ((enabled & RegisterB.PIE) !== 0 && this.#clock.dividerRuns()) {
			ms = msToTick(periodicHz(ram[Cmos.A] as number), wall);
		}
		if (!this.#clock.runs()) return ms;
		const intoMs = wall.fractionMs[0];
		if ((enabled & RegisterB.UIE) !== 0) ms = Math.min(ms, 1000 - intoMs);
		if ((enabled & RegisterB.AIE) !== 0) ms = Math.min(ms, this.#secondsToAlarm(wall) * 1000 - intoMs);
		return ms;
	}

	#risen(): number {
		const from = this.#from;
		const to = this.#clock.wall;
		const hz = this.#clock.dividerRuns() ? periodicHz(this.#state.ram[Cmos.A] as number) : 0;
		const ticked = hasTicked(hz, from, to) ? RegisterC.PF : 0;
		const passed = to.second[0] - from.second[0];
		if (!this.#clock.runs() || passed === 0) return ticked;
		return ticked | RegisterC.UF | (this.#secondsToAlarm(from) <= passed ? RegisterC.AF : 0);
	}

	/** Infinity without an alarm. */
	#secondsToAlarm({second}: WallTime): number {
		const {ram} = this.#state;
		if (!decodeAlarm(ram, ram[Cmos.B] as number, this.#alarm)) return Number.POSITIVE_INFINITY;
		return secondsToAlarm(this.#alarm, second[0]);
	}
}
