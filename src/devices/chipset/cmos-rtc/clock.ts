import type {VmTime} from '#devices/vm-time';
import type {FieldsView} from '#support/wire';
import {decodeTime, encodeTime} from './calendar.ts';
import type {CmosRtcConfig} from './handle.ts';
import {Cmos, RegisterA, RegisterB, updateMs} from './registers.ts';
import type {CmosRtcFields} from './state.ts';
import {fractionMs} from './wall-time.ts';

/**
 * The time of day over the shared state, computed from VM time. Every method runs under the device's lock; those that
 * take a wall-clock time expect the one that {@link wallMs} gave to this access, so that an access has one moment.
 */
export class RtcClock {
	readonly #config: CmosRtcConfig;
	readonly #state: FieldsView<CmosRtcFields>;
	readonly #time: VmTime;

	constructor(config: CmosRtcConfig, state: FieldsView<CmosRtcFields>, time: VmTime) {
		this.#config = config;
		this.#state = state;
		this.#time = time;
	}

	/**
	 * Wall-clock time now, in milliseconds since 1970. Goes on while the clock is stopped. A battery keeps it going while
	 * the machine stands still, so that it follows real time, whatever VM time does.
	 */
	wallMs(): number {
		return this.#config.baseTimeMs + this.#state.adjustmentMs + this.#time.lagMs + this.#time.nowNs() / 1e6;
	}

	/** True while the divider counts: the periodic interrupt needs no more. */
	dividerRuns(): boolean {
		return ((this.#state.ram[Cmos.A] as number) & RegisterA.DIVIDER_MASK) === RegisterA.DIVIDER_32KHZ;
	}

	/** True while the time of day is updated. */
	runs(): boolean {
		return this.dividerRuns() && ((this.#state.ram[Cmos.B] as number) & RegisterB.SET) === 0;
	}

	/** The UIP bit. */
	updateInProgress(wallMs: number): boolean {
		return this.runs() && 1000 - fractionMs(wallMs) <= updateMs;
	}

	/** Brings the time bytes up to date, unless the clock is stopped. */
	refresh(wallMs: number): void {
		if (this.runs()) encodeTime(this.#state.ram, wallMs, this.#state.ram[Cmos.B] as number);
	}

	/** Moves the clock to the time bytes, `intoMs` into their second. A time that does not exist changes nothing. */
	setFromBytes(wallMs: number, intoMs: number): void {
		const {ram} = this.#state;
		const time = decodeTime(ram, ram[Cmos.B] as number);
		if (time === undefined) return;
		const shiftMs = time + intoMs - wallMs;
		this.#state.adjustmentMs += shiftMs;
		// No event lies in the time that was jumped over.
		this.#state.lookedMs += shiftMs;
	}
}
