import type {VmTime} from '#devices/vm-time';
import {type Cell, cell, type FieldsView} from '#support/wire';
import {decodeTime, encodeTime} from './calendar.ts';
import {Cmos, dividerStartMs, RegisterA, RegisterB, updateMs} from './registers.ts';
import {type CmosRtcFields, CmosRtcState} from './state.ts';
import {WallTime} from './wall-time.ts';

/**
 * The time of day over the shared state, computed from VM time. Every method runs under the device's lock; those that
 * ask for the time mean the moment of the latest {@link look}, so that an access has one moment.
 */
export class RtcClock {
	readonly #baseTimeMs: number;
	readonly #state: FieldsView<CmosRtcFields>;
	readonly #time: VmTime;
	/** The moment of the latest {@link look}. */
	readonly wall = new WallTime();
	readonly #adjustmentMs: Cell;
	readonly #lookedMs: Cell;
	readonly #setMs = cell();

	/** @param baseTimeMs - wall-clock time at power-on, milliseconds since 1970 */
	constructor(baseTimeMs: number, state: FieldsView<CmosRtcFields>, time: VmTime) {
		this.#baseTimeMs = baseTimeMs;
		this.#state = state;
		this.#time = time;
		this.#adjustmentMs = CmosRtcState.cell(state, 'adjustmentMs');
		this.#lookedMs = CmosRtcState.cell(state, 'lookedMs');
	}

	/**
	 * Looks at the wall-clock time. It goes on while the clock is stopped. A battery keeps it going while the machine stands still,
	 * so that it follows real time, whatever VM time does.
	 */
	look(): void {
		const {ms} = this.wall;
		this.#time.lookReal(ms);
		ms[0] += this.#baseTimeMs + this.#adjustmentMs[0];
		this.wall.split();
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
	updateInProgress(): boolean {
		return this.runs() && 1000 - this.wall.fractionMs[0] <= updateMs;
	}

	/** Brings the time bytes up to date, unless the clock is stopped. */
	refresh(): void {
		if (this.runs()) encodeTime(this.#state.ram, this.wall, this.#state.ram[Cmos.B] as number);
	}

	/**
	 * Moves the clock to the time bytes: as far into their second as it is, or, where the divider starts, half a second before its end.
	 * A time that does not exist changes nothing.
	 */
	setFromBytes(startsDivider: boolean): void {
		const {ram} = this.#state;
		if (!decodeTime(ram, ram[Cmos.B] as number, this.#setMs)) return;
		const intoMs = startsDivider ? 1000 - dividerStartMs : this.wall.fractionMs[0];
		const shiftMs = this.#setMs[0] + intoMs - this.wall.ms[0];
		this.#adjustmentMs[0] += shiftMs;
		// No event lies in the time that was jumped over.
		this.#lookedMs[0] += shiftMs;
	}
}
