import type {DeviceModel} from '#devices/device';
import {dma8237Front} from './front.ts';
import {type Dma8237Config, dma8237Kind} from './handle.ts';
import {ports} from './registers.ts';
import {type Dma8237Fields, Dma8237State} from './state.ts';

/**
 * The two cascaded DMA controllers of a PC. A device that transfers through a channel makes a `DmaChannel` over the same
 * state. Transfers from memory to memory, which no PC is wired for, do not exist.
 */
export const dma8237: DeviceModel<Dma8237Config, Dma8237Fields> = {
	kind: dma8237Kind,
	state: Dma8237State,
	attach: {
		regions: () => [
			{space: 'pio', name: 'first', ...ports.first},
			{space: 'pio', name: 'second', ...ports.second},
			{space: 'pio', name: 'page', ...ports.page},
		],
	},
	front: dma8237Front,
};
