import type {DeviceServices} from '#devices/device';
import type {InterruptLine} from '#devices/interrupts';
import type {FieldsView} from '#support/wire';
import {Config, General, routeFirst, routeLast, timerCount} from './registers.ts';
import type {HpetFields} from './state.ts';
import {interrupts, isLevel, type TimerView} from './timer-view.ts';

const inputs = Array.from({length: routeLast - routeFirst + 1}, (_, index) => routeFirst + index);
const legacyInputs = {'legacy-timer': 0, 'legacy-rtc': 8} as const;

/** Interrupt outputs: those of legacy replacement for timers 0 and 1 (LEG_RT_CNF), then the routable ones. */
export const lineInputs: Readonly<Record<string, number>> = {
	...legacyInputs,
	...Object.fromEntries(inputs.map((input) => [`input-${input}`, input])),
};

/** The inputs that the legacy lines follow while they are not replaced, in the lines' order. */
const replacedInputs = ['pit', 'rtc'] as const;
type ReplacedInput = (typeof replacedInputs)[number];

const lineNames = Object.keys(lineInputs);
const legacyTimers = Object.keys(legacyInputs).length;
const noLine = -1;
/** Both are needed for PIT and RTC to be replaced (LEG_RT_CNF). */
const legacyMode = General.ENABLE | General.LEGACY;

/**
 * The interrupt lines and messages of the timers. The lines of level-triggered timers follow the status. Those of
 * edge-triggered ones rise anew for each match, and stay up until the guest changes the timer: only edges interrupt.
 */
export class Outputs {
	readonly #state: FieldsView<HpetFields>;
	readonly #timers: readonly TimerView[];
	readonly #messages: DeviceServices['messages'];
	readonly #lines: readonly InterruptLine[];
	readonly #pitReplaced: InterruptLine;
	readonly #isAsserted: DeviceServices['isAsserted'];

	constructor(state: FieldsView<HpetFields>, services: DeviceServices) {
		this.#state = state;
		this.#timers = state.timers;
		this.#messages = services.messages;
		this.#lines = lineNames.map((name) => services.line(name));
		this.#pitReplaced = services.line('pit-replaced');
		this.#isAsserted = (name) => services.isAsserted(name);
	}

	/** A timer's match: a message, an edge, or the status bit and with it the level. */
	raise(index: number): void {
		const timer = this.#timers[index] as TimerView;
		const rising = isLevel(timer) ? noLine : this.#lineOf(index);
		if (isLevel(timer)) this.#state.status |= 1 << index;
		else if ((timer.config & Config.FSB) !== 0) this.#messages.send(timer.fsbAddress, 0, timer.fsbValue);
		else this.#state.pulses |= 1 << index;
		this.drive(rising);
	}

	/** PIT or RTC has changed its output. */
	follow(name: string, rose: boolean): void {
		this.drive(rose && !this.#replaces ? replacedInputs.indexOf(name as ReplacedInput) : noLine);
	}

	/** A timer's configuration changed: what it drove is over. */
	settle(index: number): void {
		this.#state.pulses &= ~(1 << index);
		if (!isLevel(this.#timers[index] as TimerView)) this.#state.status &= ~(1 << index);
	}

	/**
	 * Makes every line follow the state, and the legacy ones PIT and RTC unless those are replaced.
	 * @param rising - the line that gets an edge if it is asserted
	 */
	drive(rising = noLine): void {
		const replaces = this.#replaces;
		// The PIT goes first: its level must not be seen beside a timer's.
		this.#pitReplaced.setLevel(replaces);
		let asserted = 0;
		for (let line = 0; line < legacyTimers; line++) {
			if (!replaces && this.#isAsserted(replacedInputs[line] as ReplacedInput)) asserted |= 1 << line;
		}
		for (let index = 0; index < timerCount; index++) {
			const line = this.#lineOf(index);
			if (line !== noLine && this.#asserts(index)) asserted |= 1 << line;
		}
		for (let line = 0; line < this.#lines.length; line++) {
			const isAsserted = (asserted & (1 << line)) !== 0;
			if (isAsserted && line === rising) this.#lines[line]?.rise();
			else this.#lines[line]?.setLevel(isAsserted);
		}
	}

	get #replaces(): boolean {
		return (this.#state.general & legacyMode) === legacyMode;
	}

	#asserts(index: number): boolean {
		const {general, status, pulses} = this.#state;
		const timer = this.#timers[index] as TimerView;
		if ((general & General.ENABLE) === 0 || !interrupts(timer)) return false;
		return ((isLevel(timer) ? status : pulses) & (1 << index)) !== 0;
	}

	/** Messages come before legacy replacement, which comes before the route (Tn_FSB_EN_CNF, LEG_RT_CNF). */
	#lineOf(index: number): number {
		const {config} = this.#timers[index] as TimerView;
		if ((config & Config.FSB) !== 0) return noLine;
		if ((this.#state.general & General.LEGACY) !== 0 && index < legacyTimers) return index;
		const route = (config >> Config.ROUTE_SHIFT) & Config.ROUTE_MASK;
		return route < routeFirst || route > routeLast ? noLine : legacyTimers + route - routeFirst;
	}
}
