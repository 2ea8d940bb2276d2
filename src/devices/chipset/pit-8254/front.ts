import {byteFront} from '#devices/chipset/byte-registers';
import type {DeviceFront, DeviceServices} from '#devices/device';
import type {FieldsView} from '#support/wire';
import {clockAt} from './clock.ts';
import {Counter, type CounterPins} from './counter.ts';
import type {Pit8254Config} from './handle.ts';
import {
	Access,
	ControlWord,
	controlOffset,
	floatingBus,
	NmiControl,
	ReadBack,
	readBackSelect,
	refreshNs,
} from './registers.ts';
import type {CounterView, Pit8254Fields} from './state.ts';
import {TimerInterrupt} from './timer-interrupt.ts';

const nmiRegion = 1;

/** The interval timer's ports on one thread. */
export function pit8254Front(
	_config: Pit8254Config,
	state: FieldsView<Pit8254Fields>,
	services: DeviceServices,
): DeviceFront {
	const timer = new TimerInterrupt(state, services);
	const unwired: CounterPins = {gate: () => true, rose: () => {}};
	const speaker = new Counter(state.counters[2] as CounterView, {
		gate: () => (state.nmiControl & NmiControl.GATE_2) !== 0,
		rose: () => {},
	});
	const counters = [timer.counter, new Counter(state.counters[1] as CounterView, unwired), speaker] as const;
	const counterAt = (index: number) => counters[index] as Counter;
	const clockNow = () => clockAt(services.time.nowNs());

	/** After a write to counter 0 that changed its output's future. */
	const timerChanged = (clock: number) => {
		timer.settle(clock);
		services.notifyBack();
	};

	const writeTimer = (clock: number, value: number) => {
		timer.beforeWrite(clock);
		if (timer.counter.write(clock, value)) timerChanged(clock);
	};

	const configure = (clock: number, index: number, control: number) => {
		if (index === 0) {
			timer.beforeWrite(clock);
			timer.configure(control);
			timerChanged(clock);
		} else counterAt(index).configure(control);
	};

	const readBack = (clock: number, command: number) => {
		for (let index = 0; index < counters.length; index++) {
			const counter = counterAt(index);
			if ((command & (ReadBack.COUNTER_0 << index)) === 0) continue;
			if ((command & ReadBack.NO_COUNT) === 0) counter.latchCount(clock);
			if ((command & ReadBack.NO_STATUS) === 0) counter.latchStatus(clock);
		}
	};

	const writeControl = (clock: number, word: number) => {
		const index = word >> ControlWord.SELECT_SHIFT;
		const access = (word >> ControlWord.ACCESS_SHIFT) & ControlWord.ACCESS_MASK;
		if (index === readBackSelect) readBack(clock, word);
		else if (access === Access.LATCH) counterAt(index).latchCount(clock);
		else configure(clock, index, word);
	};

	const writeNmi = (clock: number, value: number) => {
		const changed = state.nmiControl ^ value;
		state.nmiControl = value & NmiControl.WRITABLE;
		if ((changed & NmiControl.GATE_2) !== 0) speaker.gateChanged(clock);
	};

	const readNmi = () => {
		const refresh = Math.floor(services.time.nowNs() / refreshNs) % 2 === 1;
		const output = speaker.output(clockNow());
		return state.nmiControl | (refresh ? NmiControl.REFRESH : 0) | (output ? NmiControl.OUTPUT_2 : 0);
	};

	const front = byteFront({
		readByte(region, offset) {
			if (region === nmiRegion) return readNmi();
			return offset === controlOffset ? floatingBus : counterAt(offset).read(clockNow());
		},
		writeByte(region, offset, value) {
			const clock = clockNow();
			if (region === nmiRegion) writeNmi(clock, value);
			else if (offset === controlOffset) writeControl(clock, value);
			else if (offset === 0) writeTimer(clock, value);
			else counterAt(offset).write(clock, value);
		},
		reset() {
			for (const counter of counters) counter.configure(ControlWord.INITIAL);
			timer.settle(clockNow());
		},
	});
	return {
		...front,
		restored() {
			for (const counter of counters) counter.restored();
		},
	};
}
