import {byteFront} from '#devices/chipset/byte-registers';
import type {DeviceFront, DeviceServices} from '#devices/device';
import type {StructView} from '#support/shared-memory';
import {decodeTime, encodeTime, timeBytes} from './calendar.ts';
import type {CmosRtcConfig} from './handle.ts';
import {fillInitialRam} from './initial-ram.ts';
import {Cmos, cmosSize, dividerStartMs, RegisterA, RegisterB, RegisterC, RegisterD, updateMs} from './registers.ts';
import type {CmosRtcFields} from './state.ts';

const dataPort = 1;

/** The real-time clock's two ports on one thread. The time is computed when it is looked at; nothing ticks. */
export function cmosRtcFront(
	config: CmosRtcConfig,
	state: StructView<CmosRtcFields>,
	services: DeviceServices,
): DeviceFront {
	const {ram} = state;
	const at = (index: number) => ram[index] as number;
	const wallMs = () => config.baseTimeMs + state.adjustmentMs + services.time.nowNs() / 1e6;
	const fractionMs = () => ((wallMs() % 1000) + 1000) % 1000;
	const dividerRuns = () => (at(Cmos.A) & RegisterA.DIVIDER_MASK) === RegisterA.DIVIDER_32KHZ;
	const runs = () => dividerRuns() && (at(Cmos.B) & RegisterB.SET) === 0;

	/** Moves the clock to the time in the RAM, `intoMs` into its second. A time that does not exist changes nothing. */
	const setClock = (intoMs: number) => {
		const time = decodeTime(ram, at(Cmos.B));
		if (time !== undefined) state.adjustmentMs += time + intoMs - wallMs();
	};

	const updateInProgress = () => runs() && 1000 - fractionMs() <= updateMs;

	const readFlags = () => {
		const second = Math.floor(wallMs() / 1000);
		const ended = runs() && second !== state.shownSecond;
		if (ended) state.shownSecond = second;
		const flags = ended ? RegisterC.UF : 0;
		return flags === 0 || (at(Cmos.B) & RegisterB.UIE) === 0 ? flags : flags | RegisterC.IRQF;
	};

	const readData = (index: number) => {
		switch (index) {
			case Cmos.A:
				return at(Cmos.A) | (updateInProgress() ? RegisterA.UIP : 0);
			case Cmos.C:
				return readFlags();
			case Cmos.D:
				return RegisterD.VRT;
			default:
				if (timeBytes.includes(index) && runs()) encodeTime(ram, wallMs(), at(Cmos.B));
				return at(index);
		}
	};

	/** Changes a mode register. A clock that stops leaves its time in the RAM; one that starts takes it from there. */
	const writeMode = (index: number, value: number) => {
		const [ran, hadDivider] = [runs(), dividerRuns()];
		if (ran) encodeTime(ram, wallMs(), at(Cmos.B));
		ram[index] = value;
		if (!ran && runs()) setClock(hadDivider ? fractionMs() : 1000 - dividerStartMs);
	};

	const writeData = (index: number, value: number) => {
		switch (index) {
			case Cmos.A:
				writeMode(index, value & ~RegisterA.UIP);
				break;
			case Cmos.B:
				// SET clears the update-ended interrupt enable (data sheet, register B).
				writeMode(index, (value & RegisterB.SET) !== 0 ? value & ~RegisterB.UIE : value);
				break;
			case Cmos.C:
			case Cmos.D:
				break;
			default:
				writeByte(index, value);
		}
	};

	/** A running clock that is written to without SET goes on from the changed time. */
	const writeByte = (index: number, value: number) => {
		const adjusts = timeBytes.includes(index) && runs();
		if (adjusts) encodeTime(ram, wallMs(), at(Cmos.B));
		ram[index] = value;
		if (adjusts) setClock(fractionMs());
	};

	return byteFront({
		readByte: (_region, offset) => (offset === dataPort ? readData(state.index) : state.index),
		writeByte: (_region, offset, value) => {
			if (offset === dataPort) writeData(state.index, value);
			else state.index = value & (cmosSize - 1);
		},
		reset: () => {
			fillInitialRam(ram, config);
			encodeTime(ram, wallMs(), at(Cmos.B));
			state.shownSecond = Math.floor(wallMs() / 1000);
		},
	});
}
