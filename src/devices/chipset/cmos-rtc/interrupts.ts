import type {InterruptLine} from '#devices/interrupts';
import type {FieldsView} from '#support/wire';
import {decodeAlarm, secondsToAlarm} from './alarm.ts';
import type {RtcClock} from './clock.ts';
import {hasTicked, msToTick, periodicHz} from './periodic.ts';
import {Cmos, interruptBits, RegisterB, RegisterC} from './registers.ts';
import type {CmosRtcFields} from './state.ts';
import {fractionMs, secondOf} from './wall-time.ts';

/**
 * The interrupt flags of register C and the interrupt line. Nothing ticks: the flags are made to show what has happened
 * when somebody looks. Every method runs under the device's lock.
 */
export class RtcInterrupts {
	readonly #state: FieldsView<CmosRtcFields>;
	readonly #clock: RtcClock;
	readonly #line: InterruptLine;
	/** The moment that was looked at before. */
	readonly #fromMs = new Float64Array(1);

	constructor(state: FieldsView<CmosRtcFields>, clock: RtcClock, line: InterruptLine) {
		this.#state = state;
		this.#clock = clock;
		this.#line = line;
	}

	/** Sets the flags for what happened until now. To be called before anything changes that they depend on. */
	advance(): void {
		const state = this.#state;
		const nowMs = this.#clock.wallMs[0] as number;
		const fromMs = state.lookedMs;
		this.#fromMs[0] = fromMs;
		state.lookedMs = nowMs;
		// The host's clock may have been set back while the machine stood still.
		if (nowMs > fromMs) state.flags |= this.#risen();
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
		const {wallMs} = this.#clock;
		const enabled = this.enabled();
		if (enabled === 0 || this.pending()) return Number.POSITIVE_INFINITY;
		const {ram} = this.#state;
		let ms = Number.POSITIVE_INFINITY;
		if ((enabled & RegisterB.PIE) !== 0 && this.#clock.dividerRuns()) {
			ms = msToTick(periodicHz(ram[Cmos.A] as number), wallMs);
		}
		if (!this.#clock.runs()) return ms;
		const intoMs = fractionMs(wallMs);
		if ((enabled & RegisterB.UIE) !== 0) ms = Math.min(ms, 1000 - intoMs);
		if ((enabled & RegisterB.AIE) !== 0) ms = Math.min(ms, this.#secondsToAlarm(secondOf(wallMs)) * 1000 - intoMs);
		return ms;
	}

	#risen(): number {
		const [fromMs, toMs] = [this.#fromMs, this.#clock.wallMs];
		const hz = this.#clock.dividerRuns() ? periodicHz(this.#state.ram[Cmos.A] as number) : 0;
		const ticked = hasTicked(hz, fromMs, toMs) ? RegisterC.PF : 0;
		const second = secondOf(fromMs);
		const passed = secondOf(toMs) - second;
		if (!this.#clock.runs() || passed === 0) return ticked;
		return ticked | RegisterC.UF | (this.#secondsToAlarm(second) <= passed ? RegisterC.AF : 0);
	}

	#secondsToAlarm(second: number): number {
		const {ram} = this.#state;
		return secondsToAlarm(decodeAlarm(ram, ram[Cmos.B] as number), second);
	}
}
