import type {DeviceModel} from '#devices/device';
import {serial16550Back} from './back.ts';
import {serial16550Front} from './front.ts';
import {type Serial16550Config, serial16550Kind} from './handle.ts';
import {registerCount} from './registers.ts';
import {type Serial16550Fields, Serial16550State} from './state.ts';

/** A 16550A UART with its host side. */
export const serial16550: DeviceModel<Serial16550Config, Serial16550Fields> = {
	kind: serial16550Kind,
	state: Serial16550State,
	attach: {regions: ({base}) => [{space: 'pio', name: 'registers', base, length: registerCount}]},
	lines: ({irq}) => ({interrupt: irq}),
	front: serial16550Front,
	back: serial16550Back,
};
