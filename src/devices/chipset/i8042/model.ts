import type {DeviceModel} from '#devices/device';
import {i8042Front} from './front.ts';
import {type I8042Config, i8042Kind, keyboardIrq, mouseIrq} from './handle.ts';
import {commandPort, dataPort} from './registers.ts';
import {type I8042Fields, I8042State} from './state.ts';

/**
 * The keyboard controller with a PS/2 keyboard and a PS/2 mouse. Who has input for them makes an `I8042Input` over the
 * same state.
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
