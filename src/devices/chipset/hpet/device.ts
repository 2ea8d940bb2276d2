import {timerBack} from '#devices/chipset/timer-back';
import type {BackServices, DeviceBack, DeviceFront, DeviceModel, DeviceServices} from '#devices/device';
import {hpetInputs, pitReplacedInput} from '#devices/interrupts';
import type {FieldsView} from '#support/wire';
import {never, timeOfClock} from './clock.ts';
import type {EventTimer} from './event-timer.ts';
import {EventTimers} from './event-timers.ts';
import {lineInputs} from './outputs.ts';
import {capabilities, Offset, periodFs, regionLength, routeCapabilities, TimerOffset, timerCount} from './registers.ts';
import {type HpetFields, HpetState} from './state.ts';
import type {TimerView} from './timer-view.ts';
import {hpetVersions} from './versions.ts';

/** Names this device in machine descriptions. */
export const hpetKind = 'hpet';

/** Address of its registers in a PC, the first of the places that Intel's chipsets offer. */
export const hpetAddress = 0xfed0_0000;

/** The high precision event timer of a PC. */
export interface HpetConfig {
	/** Guest-physical address of the registers; see {@link hpetAddress}. */
	readonly base: number;
}

/** The high precision event timer: a counter that guests tell the time by, and three timers that interrupt. */
export const hpet: DeviceModel<HpetConfig, HpetFields> = {
	kind: hpetKind,
	state: HpetState,
	versions: hpetVersions,
	attach: {regions: ({base}) => [{space: 'mmio', name: 'registers', base, length: regionLength}]},
	lines: () => ({...lineInputs, 'pit-replaced': pitReplacedInput}),
	inputs: () => hpetInputs,
	front: hpetFront,
	back: hpetBack,
};

/**
 * The registers on one thread, 32 bits wide. Narrower reads find the register's bytes, and zeros behind its end; narrower
 * writes do nothing: the specification asks for aligned accesses of 32 and 64 bits.
 */
function hpetFront(_config: HpetConfig, state: FieldsView<HpetFields>, services: DeviceServices): DeviceFront {
	const events = new EventTimers(state, services);
	const {counter, timers} = events;

	const readTimer = (index: number, register: number): number => {
		const timer = timers[index] as EventTimer;
		const view = state.timers[index] as TimerView;
		switch (register) {
			case TimerOffset.CONFIGURATION:
				return timer.config;
			case TimerOffset.ROUTES:
				return routeCapabilities;
			case TimerOffset.COMPARATOR_LOW:
				events.serve();
				return timer.comparator.low;
			case TimerOffset.COMPARATOR_HIGH:
				events.serve();
				return timer.comparator.high;
			case TimerOffset.FSB_VALUE:
				return view.fsbValue;
			case TimerOffset.FSB_ADDRESS:
				return view.fsbAddress;
			default:
				return 0;
		}
	};

	const readRegister = (offset: number): number => {
		switch (offset) {
			case Offset.COUNTER_LOW:
				return counter.readLow();
			case Offset.COUNTER_HIGH:
				return counter.readHigh();
			case Offset.CAPABILITIES:
				return capabilities;
			case Offset.PERIOD:
				return periodFs;
			case Offset.CONFIGURATION:
				return state.general;
			case Offset.STATUS:
				events.serve();
				return state.status;
		}
		const index = timerAt(offset);
		return index < 0 ? 0 : readTimer(index, offset % Offset.TIMER_BYTES);
	};

	const writeTimer = (index: number, register: number, value: number) => {
		const [timer, view] = [timers[index] as EventTimer, state.timers[index] as TimerView];
		if (register === TimerOffset.CONFIGURATION) timer.configure(value);
		if (register === TimerOffset.COMPARATOR_LOW) timer.comparator.write('low', value);
		if (register === TimerOffset.COMPARATOR_HIGH) timer.comparator.write('high', value);
		if (register === TimerOffset.FSB_VALUE) view.fsbValue = value;
		if (register === TimerOffset.FSB_ADDRESS) view.fsbAddress = value;
	};

	const writeRegister = (offset: number, value: number) => {
		if (offset === Offset.CONFIGURATION) events.configure(value);
		if (offset === Offset.STATUS) events.clearStatus(value);
		if (offset === Offset.COUNTER_LOW) counter.writeLow(value);
		if (offset === Offset.COUNTER_HIGH) counter.writeHigh(value);
		const index = timerAt(offset);
		if (index >= 0) writeTimer(index, offset % Offset.TIMER_BYTES, value);
	};

	return {
		read(_region, offset, size) {
			events.clock.look();
			if (size === 4 && offset % 4 === 0) return readRegister(offset);
			const value = readRegister(offset - (offset % 4)) >>> (8 * (offset % 4));
			return value & (2 ** (8 * size) - 1);
		},
		write(_region, offset, size, value) {
			if (size !== 4 || offset % 4 !== 0) return;
			events.clock.look();
			// The write does not lose a match that was reached before it.
			events.serve();
			events.noteDue();
			writeRegister(offset, value);
			events.outputs.drive();
			if (events.hasNewDue()) services.notifyBack();
		},
		inputChanged(name, rose) {
			events.outputs.follow(name, rose);
		},
		reset() {
			events.outputs.drive();
		},
		restored() {
			for (const timer of timers) timer.restored();
		},
	};
}

/** The timer that a register belongs to; -1 for the others. */
function timerAt(offset: number): number {
	const index = Math.floor((offset - Offset.TIMERS) / Offset.TIMER_BYTES);
	return index >= 0 && index < timerCount ? index : -1;
}

/** Wakes up for the matches and raises their interrupts. */
function hpetBack(_config: HpetConfig, state: FieldsView<HpetFields>, services: BackServices): DeviceBack {
	const events = new EventTimers(state, services);
	return timerBack(services, () => {
		events.clock.look();
		events.serve();
		const next = events.due();
		return next === never ? Number.POSITIVE_INFINITY : timeOfClock(next) - services.time.nowNs();
	});
}
