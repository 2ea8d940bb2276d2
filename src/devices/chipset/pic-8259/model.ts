import type {DeviceModel} from '#devices/device';
import {pic8259Front} from './front.ts';
import {type Pic8259Config, pic8259Kind} from './handle.ts';
import {ports} from './registers.ts';
import {type Pic8259Fields, Pic8259State, pic8259Versions} from './state.ts';

/**
 * The two cascaded interrupt controllers of a PC. Who drives their inputs and runs INTA cycles makes a `PicPair` over
 * the same state.
 */
export const pic8259: DeviceModel<Pic8259Config, Pic8259Fields> = {
	kind: pic8259Kind,
	state: Pic8259State,
	versions: pic8259Versions,
	attach: {
		regions: () => [
			{space: 'pio', name: 'master', base: ports.master, length: 2},
			{space: 'pio', name: 'slave', base: ports.slave, length: 2},
			{space: 'pio', name: 'elcr', base: ports.elcr, length: 2},
		],
	},
	lines: ({intrInput}) => ({intr: intrInput}),
	front: pic8259Front,
};
