import type {DeviceModel} from '#devices/device';
import {pit8254Back} from './back.ts';
import {pit8254Front} from './front.ts';
import {type Pit8254Config, pit8254Kind} from './handle.ts';
import {counterPorts, nmiPort} from './registers.ts';
import {type Pit8254Fields, Pit8254State, pit8254Versions} from './state.ts';

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
