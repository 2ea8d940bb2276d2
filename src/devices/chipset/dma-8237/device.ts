import {byteFront} from '#devices/chipset/byte-registers';
import type {DeviceFront, DeviceModel} from '#devices/device';
import type {FieldsView} from '#support/wire';
import {DmaChip} from './dma-chip.ts';
import {ports} from './registers.ts';
import {type Dma8237Fields, Dma8237State} from './state.ts';

/** Names this device in machine descriptions. */
export const dma8237Kind = 'dma-8237';

/** The pair of DMA controllers of a PC; where they are is fixed. */
export type Dma8237Config = Readonly<Record<string, never>>;

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

const [secondRegion, pageRegion] = [1, 2];

/** The ports on one thread: region 0 is the first chip, 1 the second, 2 the page registers. */
function dma8237Front(_config: Dma8237Config, state: FieldsView<Dma8237Fields>): DeviceFront {
	const [first, second] = [new DmaChip(state, 0), new DmaChip(state, 1)];
	const pageAt = (offset: number) => (ports.page.base + offset) & 0xf;
	return byteFront({
		readByte(region, offset) {
			if (region === pageRegion) return state.page[pageAt(offset)] as number;
			return region === secondRegion ? second.read(offset >> 1) : first.read(offset);
		},
		writeByte(region, offset, value) {
			if (region === pageRegion) state.page[pageAt(offset)] = value;
			else if (region === secondRegion) second.write(offset >> 1, value);
			else first.write(offset, value);
		},
	});
}
