import {byteFront} from '#devices/chipset/byte-registers';
import type {DeviceFront, DeviceServices} from '#devices/device';
import type {StructView} from '#support/shared-memory';
import type {I8042Config} from './handle.ts';
import {
	Command,
	commandsWithData,
	interfaceStuck,
	interfaceWorks,
	Mode,
	OutputPort,
	resend,
	Status,
	selfTestPassed,
} from './registers.ts';
import type {I8042Fields} from './state.ts';

const dataRegion = 0;

/** A keyboard controller without keyboard and mouse, on one thread. Every command is answered at once. */
export function i8042Front(
	_config: I8042Config,
	state: StructView<I8042Fields>,
	services: DeviceServices,
): DeviceFront {
	const answer = (byte: number, timedOut = 0) => {
		state.output = byte;
		state.full = 1;
		state.timedOut = timedOut;
	};

	const status = () =>
		Status.UNLOCKED |
		Status.SYSTEM_FLAG |
		(state.full === 1 ? Status.OUTPUT_FULL : 0) |
		(state.timedOut === 1 ? Status.TIMEOUT : 0) |
		(state.lastWasCommand === 1 ? Status.COMMAND : 0);

	const command = (code: number) => {
		state.lastWasCommand = 1;
		state.pending = commandsWithData.includes(code) ? code : 0;
		if (code >= Command.PULSE) {
			if ((code & OutputPort.NO_RESET) === 0) services.request({kind: 'reset'});
			return;
		}
		switch (code) {
			case Command.READ_MODE:
				return answer(state.mode);
			case Command.SELF_TEST:
				state.mode = Mode.INITIAL;
				return answer(selfTestPassed);
			case Command.TEST_KEYBOARD:
				return answer(interfaceWorks);
			case Command.TEST_AUX:
				return answer(interfaceStuck);
			case Command.DISABLE_KEYBOARD:
				state.mode |= Mode.KEYBOARD_DISABLED;
				return;
			case Command.ENABLE_KEYBOARD:
				state.mode &= ~Mode.KEYBOARD_DISABLED;
				return;
			case Command.DISABLE_AUX:
				state.mode |= Mode.AUX_DISABLED;
				return;
			case Command.ENABLE_AUX:
				state.mode &= ~Mode.AUX_DISABLED;
				return;
			case Command.READ_INPUT_PORT:
				return answer(0);
			case Command.READ_OUTPUT_PORT:
				return answer(OutputPort.NO_RESET | OutputPort.A20);
		}
	};

	const data = (byte: number) => {
		const {pending} = state;
		state.lastWasCommand = 0;
		state.pending = 0;
		switch (pending) {
			case Command.WRITE_MODE:
				state.mode = byte;
				return;
			case Command.WRITE_OUTPUT_PORT:
				if ((byte & OutputPort.NO_RESET) === 0) services.request({kind: 'reset'});
				return;
			// Without an auxiliary port its echo comes back as a keyboard byte, which tells a driver that there is none.
			case Command.ECHO_AS_KEYBOARD:
			case Command.ECHO_AS_AUX:
				return answer(byte);
			default:
				// For a keyboard or mouse, and neither is there.
				return answer(resend, 1);
		}
	};

	return byteFront({
		readByte: (region) => {
			if (region !== dataRegion) return status();
			state.full = 0;
			state.timedOut = 0;
			return state.output;
		},
		writeByte: (region, _offset, value) => {
			if (region === dataRegion) data(value);
			else command(value);
		},
	});
}
