import {byteFront} from '#devices/chipset/byte-registers';
import type {DeviceCommand, DeviceFront, DeviceModel, DeviceServices} from '#devices/device';
import type {FieldsView} from '#support/wire';
import {I8042Input} from './input.ts';
import {Keyboard} from './keyboard.ts';
import {Mouse, type MouseMove} from './mouse.ts';
import {OutputBuffer} from './output-buffer.ts';
import {
	Command,
	commandPort,
	commandsWithData,
	dataPort,
	inputPort,
	interfaceWorks,
	Mode,
	OutputPort,
	Source,
	Status,
	selfTestPassed,
} from './registers.ts';
import {type I8042Fields, I8042State} from './state.ts';

/** Names this device in machine descriptions. */
export const i8042Kind = 'i8042';

/** Inputs of the interrupt controller on every PC. */
export const keyboardIrq = 1;
export const mouseIrq = 12;

/** The keyboard controller of a PC. */
export interface I8042Config {
	/** Input of the interrupt controller for the keyboard; the PC's 1 by default. */
	readonly keyboardIrq?: number;
	/** Input of the interrupt controller for the mouse; the PC's 12 by default. */
	readonly mouseIrq?: number;
}

/** Presses or releases the key with this USB HID usage id (page 7). Lost when the guest does not listen. */
export interface PressKey extends DeviceCommand {
	readonly kind: 'press-key';
	readonly usage: number;
	readonly down: boolean;
}

/** Moves the mouse, turns its wheel, or changes its buttons. Lost while the guest does not listen. */
export interface MoveMouse extends DeviceCommand {
	readonly kind: 'move-mouse';
	readonly move: MouseMove;
}

/**
 * The keyboard controller with a PS/2 keyboard and a PS/2 mouse. A caller with input for them makes an `I8042Input` over
 * the same state.
 */
export const i8042: DeviceModel<I8042Config, I8042Fields> = {
	kind: i8042Kind,
	state: I8042State,
	attach: {
		regions: () => [
			{space: 'pio', name: 'data', base: dataPort, length: 1},
			{space: 'pio', name: 'command', base: commandPort, length: 1},
		],
	},
	lines: (config) => ({keyboard: config.keyboardIrq ?? keyboardIrq, mouse: config.mouseIrq ?? mouseIrq}),
	front: i8042Front,
};

const dataRegion = 0;

/** The controller's two ports on one thread. Every command is answered at once. */
function i8042Front(_config: I8042Config, state: FieldsView<I8042Fields>, services: DeviceServices): DeviceFront {
	const keyboard = new Keyboard(state);
	const mouse = new Mouse(state);
	const output = new OutputBuffer(state, keyboard, mouse, services);

	const status = () =>
		Status.UNLOCKED |
		((state.mode & Mode.SYSTEM_FLAG) !== 0 ? Status.SYSTEM_FLAG : 0) |
		(state.source !== Source.NONE ? Status.OUTPUT_FULL : 0) |
		(state.source === Source.AUX ? Status.AUX_OUTPUT_FULL : 0) |
		(state.lastWasCommand === 1 ? Status.COMMAND : 0);

	const outputPort = () =>
		OutputPort.NO_RESET |
		OutputPort.A20 |
		(state.source === Source.KEYBOARD ? OutputPort.KEYBOARD_FULL : 0) |
		(state.source === Source.AUX ? OutputPort.AUX_FULL : 0);

	const setMode = (mode: number) => {
		state.mode = mode;
		output.refill();
	};

	/** Outputs of the controller's chip as bits: 0 is the processors' reset, active low. */
	const setLines = (lines: number) => {
		if ((lines & OutputPort.NO_RESET) === 0) services.request({kind: 'reset'});
	};

	const selfTest = () => {
		state.mode = Mode.INITIAL;
		output.clear();
		output.answer(selfTestPassed);
	};

	const command = (code: number) => {
		state.lastWasCommand = 1;
		state.pending = commandsWithData.includes(code) ? code : 0;
		if (code >= Command.PULSE) return setLines(code);
		switch (code) {
			case Command.READ_MODE:
				return output.answer(state.mode);
			case Command.SELF_TEST:
				return selfTest();
			case Command.TEST_KEYBOARD:
			case Command.TEST_AUX:
				return output.answer(interfaceWorks);
			case Command.DISABLE_KEYBOARD:
				return setMode(state.mode | Mode.KEYBOARD_DISABLED);
			case Command.ENABLE_KEYBOARD:
				return setMode(state.mode & ~Mode.KEYBOARD_DISABLED);
			case Command.DISABLE_AUX:
				return setMode(state.mode | Mode.AUX_DISABLED);
			case Command.ENABLE_AUX:
				return setMode(state.mode & ~Mode.AUX_DISABLED);
			case Command.READ_INPUT_PORT:
				return output.answer(inputPort);
			case Command.READ_OUTPUT_PORT:
				return output.answer(outputPort());
		}
	};

	const data = (byte: number) => {
		const {pending} = state;
		state.lastWasCommand = 0;
		state.pending = 0;
		switch (pending) {
			case Command.WRITE_MODE:
				return setMode(byte);
			case Command.WRITE_OUTPUT_PORT:
				return setLines(byte);
			case Command.ECHO_AS_KEYBOARD:
				return output.answer(byte, Source.KEYBOARD);
			case Command.ECHO_AS_AUX:
				return output.answer(byte, Source.AUX);
			// To send to a device, the controller has to enable its clock, and leaves it so.
			case Command.WRITE_AUX:
				mouse.write(byte);
				return setMode(state.mode & ~Mode.AUX_DISABLED);
			default:
				keyboard.write(byte);
				return setMode(state.mode & ~Mode.KEYBOARD_DISABLED);
		}
	};

	const input = new I8042Input(state, services);
	const registers = byteFront({
		readByte: (region) => (region === dataRegion ? output.take() : status()),
		writeByte: (region, _offset, value) => {
			if (region === dataRegion) data(value);
			else command(value);
		},
		reset: () => output.refill(),
	});
	return {
		...registers,
		control(command: DeviceCommand) {
			if (command.kind === 'press-key') {
				const {usage, down} = command as PressKey;
				input.pressKey(usage, down);
			}
			if (command.kind === 'move-mouse') input.moveMouse((command as MoveMouse).move);
		},
	};
}
