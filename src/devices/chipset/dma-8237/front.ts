import {byteFront} from '#devices/chipset/byte-registers';
import type {DeviceFront} from '#devices/device';
import type {FieldsView} from '#support/wire';
import {DmaChip} from './dma-chip.ts';
import type {Dma8237Config} from './handle.ts';
import {ports} from './registers.ts';
import type {Dma8237Fields} from './state.ts';

const [secondRegion, pageRegion] = [1, 2];

/** The ports on one thread: region 0 is the first chip, 1 the second, 2 the page registers. */
export function dma8237Front(_config: Dma8237Config, state: FieldsView<Dma8237Fields>): DeviceFront {
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
