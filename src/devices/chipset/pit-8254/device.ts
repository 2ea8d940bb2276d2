import {byteFront} from '#devices/chipset/byte-registers';
import {timerBack} from '#devices/chipset/timer-back';
import type {BackServices, DeviceBack, DeviceFront, DeviceModel, DeviceServices} from '#devices/device';
import type {FieldsView} from '#support/wire';
import {PitClock, timeOfClock} from './clock.ts';
import {Counter, type CounterPins} from './counter.ts';
import {
	Access,
	ControlWord,
	controlOffset,
	counterPorts,
	floatingBus,
	NmiControl,
	nmiPort,
	ReadBack,
	readBackSelect,
	refreshNs,
} from './registers.ts';
import {type CounterView, type Pit8254Fields, Pit8254State, pit8254Versions} from './state.ts';
import {TimerInterrupt} from './timer-interrupt.ts';

/** Names this device in machine descriptions. */
export const pit8254Kind = 'pit-8254';

/** The interval timer of a machine. */
export interface Pit8254Config {
	/** Input of the interrupt controller that the output of counter 0 drives; 0 on a PC. */
	readonly irq: number;
}

/** The interval timer: periodic and one-shot interrupts, the clock that guests calibrate by, and port 0x61. */
export const pit8254: DeviceModel<Pit8254Config, Pit8254Fields> = {
	kind: pit8254Kind,
	state: Pit8254State,
	versions: pit8254Versions,
	attach: {
		regions: () => [
			{space: 'pio', name: 'counters', ...counterPorts},
			{space: 'pio', name: 'control', base: nmiPort, length: 1},
		],
	},
	lines: ({irq}) => ({timer: irq}),
	front: pit8254Front,
	back: pit8254Back,
};

const nmiRegion = 1;

/** The interval timer's ports on one thread. */
function pit8254Front(_config: Pit8254Config, state: FieldsView<Pit8254Fields>, services: DeviceServices): DeviceFront {
	const clock = new PitClock(services.time);
	const timer = new TimerInterrupt(state, clock, services);
	const unwired: CounterPins = {gate: () => true, rose: () => {}};
	const speaker = new Counter(state.counters[2] as CounterView, clock, {
		gate: () => (state.nmiControl & NmiControl.GATE_2) !== 0,
		rose: () => {},
	});
	const counters = [timer.counter, new Counter(state.counters[1] as CounterView, clock, unwired), speaker] as const;
	const counterAt = (index: number) => counters[index] as Counter;

	/** After a write to counter 0 that changed its output's future. */
	const timerChanged = () => {
		timer.settle();
		services.notifyBack();
	};

	const writeTimer = (value: number) => {
		timer.beforeWrite();
		if (timer.counter.write(value)) timerChanged();
	};

	const configure = (index: number, control: number) => {
		if (index === 0) {
			timer.beforeWrite();
			timer.configure(control);
			timerChanged();
		} else counterAt(index).configure(control);
	};

	const readBack = (command: number) => {
		for (let index = 0; index < counters.length; index++) {
			const counter = counterAt(index);
			if ((command & (ReadBack.COUNTER_0 << index)) === 0) continue;
			if ((command & ReadBack.NO_COUNT) === 0) counter.latchCount();
			if ((command & ReadBack.NO_STATUS) === 0) counter.latchStatus();
		}
	};

	const writeControl = (word: number) => {
		const index = word >> ControlWord.SELECT_SHIFT;
		const access = (word >> ControlWord.ACCESS_SHIFT) & ControlWord.ACCESS_MASK;
		if (index === readBackSelect) readBack(word);
		else if (access === Access.LATCH) counterAt(index).latchCount();
		else configure(index, word);
	};

	const writeNmi = (value: number) => {
		const changed = state.nmiControl ^ value;
		state.nmiControl = value & NmiControl.WRITABLE;
		if ((changed & NmiControl.GATE_2) !== 0) speaker.gateChanged();
	};

	const readNmi = () => {
		const refresh = Math.floor(clock.nowNs[0] / refreshNs) % 2 === 1;
		const output = speaker.output();
		return state.nmiControl | (refresh ? NmiControl.REFRESH : 0) | (output ? NmiControl.OUTPUT_2 : 0);
	};

	const front = byteFront({
		readByte(region, offset) {
			clock.look();
			if (region === nmiRegion) return readNmi();
			return offset === controlOffset ? floatingBus : counterAt(offset).read();
		},
		writeByte(region, offset, value) {
			clock.look();
			if (region === nmiRegion) writeNmi(value);
			else if (offset === controlOffset) writeControl(value);
			else if (offset === 0) writeTimer(value);
			else counterAt(offset).write(value);
		},
		reset() {
			for (const counter of counters) counter.configure(ControlWord.INITIAL);
			clock.look();
			timer.settle();
		},
	});
	return {
		...front,
		restored() {
			for (const counter of counters) counter.restored();
		},
	};
}

/** Wakes up for counter 0's rising edges and raises the timer interrupt. */
function pit8254Back(_config: Pit8254Config, state: FieldsView<Pit8254Fields>, services: BackServices): DeviceBack {
	const clock = new PitClock(services.time);
	const timer = new TimerInterrupt(state, clock, services);
	return timerBack(services, () => {
		clock.look();
		const next = timer.serve();
		// From the clock's own time, not from this wake-up: lateness must not add up.
		return next === undefined ? Number.POSITIVE_INFINITY : timeOfClock(next) - services.time.nowNs();
	});
}
