import {byteFront} from '#devices/chipset/byte-registers';
import type {DeviceFront, DeviceServices} from '#devices/device';
import type {FieldsView} from '#support/wire';
import {encodeTime, timeBytes} from './calendar.ts';
import {RtcClock} from './clock.ts';
import type {CmosRtcConfig} from './handle.ts';
import {fillInitialRam} from './initial-ram.ts';
import {RtcInterrupts} from './interrupts.ts';
import {alarmBytes, Cmos, cmosSize, RegisterA, RegisterB, RegisterD} from './registers.ts';
import type {CmosRtcFields} from './state.ts';

const dataPort = 1;

/** What each byte is for. */
const Use = {NONE: 0, TIME: 1, TIMING: 2} as const;
const uses = new Uint8Array(cmosSize);
for (const index of [...alarmBytes, Cmos.A, Cmos.B]) uses[index] = Use.TIMING;
for (const index of timeBytes) uses[index] = Use.TIME;

/** The real-time clock's two ports on one thread. The time is computed when it is looked at; nothing ticks. */
export function cmosRtcFront(
	config: CmosRtcConfig,
	state: FieldsView<CmosRtcFields>,
	services: DeviceServices,
): DeviceFront {
	const {ram} = state;
	const at = (index: number) => ram[index] as number;
	// A saved state may hold more bits than the register has.
	const indexed = () => state.index & (cmosSize - 1);
	const clock = new RtcClock(config, state, services.time);
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
			fillInitialRam(ram, config);
			clock.look();
			encodeTime(ram, clock.wallMs, at(Cmos.B));
			state.lookedMs = clock.wallMs[0] as number;
			interrupts.drive();
		},
	});
}
