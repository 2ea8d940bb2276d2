import {byteFront} from '#devices/chipset/byte-registers';
import {timerBack} from '#devices/chipset/timer-back';
import type {BackServices, DeviceBack, DeviceFront, DeviceModel, DeviceServices} from '#devices/device';
import type {FieldsView} from '#support/wire';
import {encodeTime, timeBytes} from './calendar.ts';
import {RtcClock} from './clock.ts';
import {fillInitialRam} from './initial-ram.ts';
import {RtcInterrupts} from './interrupts.ts';
import {alarmBytes, Cmos, cmosSize, ports, RegisterA, RegisterB, RegisterD} from './registers.ts';
import {type CmosRtcFields, CmosRtcState} from './state.ts';

/** Names this device in machine descriptions. */
export const cmosRtcKind = 'cmos-rtc';

/** The input that the clock has on every PC (IBM PC/AT Technical Reference). */
export const cmosRtcIrq = 8;

/** The real-time clock and CMOS RAM of a machine. */
export interface CmosRtcConfig {
	/** Wall-clock time at power-on, milliseconds since 1970 in the guest's RTC time zone (UTC by default). */
	readonly baseTimeMs: number;
	/** RAM below 4 GiB, in bytes. */
	readonly lowMemory: number;
	/** RAM at and above 4 GiB, in bytes. */
	readonly highMemory: number;
	/** Input of the interrupt controller; the PC's 8 by default. */
	readonly irq?: number;
}

/** Time of day with its periodic, alarm and update-ended interrupts, and CMOS RAM. */
export const cmosRtc: DeviceModel<CmosRtcConfig, CmosRtcFields> = {
	kind: cmosRtcKind,
	state: CmosRtcState,
	attach: {regions: () => [{space: 'pio', name: 'io', ...ports}]},
	lines: ({irq}) => ({interrupt: irq ?? cmosRtcIrq}),
	front: cmosRtcFront,
	back: cmosRtcBack,
};

const dataPort = 1;

/** Use of each byte. */
const Use = {NONE: 0, TIME: 1, TIMING: 2} as const;
const uses = new Uint8Array(cmosSize);
for (const index of [...alarmBytes, Cmos.A, Cmos.B]) uses[index] = Use.TIMING;
for (const index of timeBytes) uses[index] = Use.TIME;

/** The real-time clock's two ports on one thread. The time is computed when it is looked at; nothing ticks. */
function cmosRtcFront(
	{baseTimeMs, lowMemory, highMemory}: CmosRtcConfig,
	state: FieldsView<CmosRtcFields>,
	services: DeviceServices,
): DeviceFront {
	const {ram} = state;
	const at = (index: number) => ram[index] as number;
	// A saved state may hold more bits than the register has.
	const indexed = () => state.index & (cmosSize - 1);
	const clock = new RtcClock(baseTimeMs, state, services.time);
	const interrupts = new RtcInterrupts(state, clock, services.line('interrupt'));

	const readFlags = () => {
		interrupts.advance();
		const wasPending = interrupts.pending();
		const flags = interrupts.take();
		// The back waits for nothing while an interrupt is pending.
		if (wasPending) services.notifyBack();
		return flags;
	};

	const readData = (index: number) => {
		clock.look();
		switch (index) {
			case Cmos.A:
				return at(Cmos.A) | (clock.updateInProgress() ? RegisterA.UIP : 0);
			case Cmos.C:
				return readFlags();
			case Cmos.D:
				return RegisterD.VRT;
			default:
				if (uses[index] === Use.TIME) clock.refresh();
				return at(index);
		}
	};

	/** Changes a mode register. A clock that stops leaves its time in the RAM; one that starts takes it from there. */
	const writeMode = (index: number, value: number) => {
		const [ran, hadDivider] = [clock.runs(), clock.dividerRuns()];
		clock.refresh();
		ram[index] = value;
		if (!ran && clock.runs()) clock.setFromBytes(!hadDivider);
	};

	/** A running clock that is written to without SET goes on from the changed time. */
	const writeTime = (index: number, value: number) => {
		clock.refresh();
		ram[index] = value;
		if (clock.runs()) clock.setFromBytes(false);
	};

	const writeTiming = (index: number, value: number) => {
		switch (index) {
			case Cmos.A:
				writeMode(index, value & ~RegisterA.UIP);
				break;
			case Cmos.B:
				// SET clears the update-ended interrupt enable (data sheet, register B).
				writeMode(index, (value & RegisterB.SET) !== 0 ? value & ~RegisterB.UIE : value);
				break;
			default:
				if (uses[index] === Use.TIME) writeTime(index, value);
				else ram[index] = value;
		}
	};

	const writeData = (index: number, value: number) => {
		if (index === Cmos.C || index === Cmos.D) return;
		if (uses[index] === Use.NONE) {
			ram[index] = value;
			return;
		}
		clock.look();
		const wereEnabled = interrupts.enabled();
		interrupts.advance();
		writeTiming(index, value);
		interrupts.drive();
		if ((wereEnabled | interrupts.enabled()) !== 0) services.notifyBack();
	};

	return byteFront({
		readByte: (_region, offset) => (offset === dataPort ? readData(indexed()) : indexed()),
		writeByte: (_region, offset, value) => {
			if (offset === dataPort) writeData(indexed(), value);
			else state.index = value & (cmosSize - 1);
		},
		reset: () => {
			fillInitialRam(ram, lowMemory, highMemory);
			clock.look();
			encodeTime(ram, clock.wall, at(Cmos.B));
			state.lookedMs = clock.wall.ms[0];
			interrupts.drive();
		},
	});
}

/** Added to every delay: wall-clock milliseconds round, and a look that comes too early has to be repeated. */
const slackNs = 1000;

/** Raises the interrupt line when time alone makes it rise; a guest that does not read register C costs nothing more. */
function cmosRtcBack(
	{baseTimeMs}: CmosRtcConfig,
	state: FieldsView<CmosRtcFields>,
	services: BackServices,
): DeviceBack {
	const clock = new RtcClock(baseTimeMs, state, services.time);
	const interrupts = new RtcInterrupts(state, clock, services.line('interrupt'));
	return timerBack(services, () => {
		clock.look();
		interrupts.advance();
		interrupts.drive();
		return Math.ceil(interrupts.msToInterrupt() * 1e6) + slackNs;
	});
}
