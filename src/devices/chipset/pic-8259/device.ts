import {byteFront} from '#devices/chipset/byte-registers';
import type {DeviceFront, DeviceModel, DeviceServices} from '#devices/device';
import type {FieldsView} from '#support/wire';
import {PicPair} from './pic-pair.ts';
import {ports} from './registers.ts';
import {type Pic8259Fields, Pic8259State, pic8259Versions} from './state.ts';

/** Names this device in machine descriptions. */
export const pic8259Kind = 'pic-8259';

/** The pair of interrupt controllers of a PC. */
export interface Pic8259Config {
	/** Input that the master's INTR output leads to. */
	readonly intrInput: number;
}

/**
 * The two cascaded interrupt controllers of a PC. A caller that drives their inputs and runs INTA cycles makes
 * a `PicPair` over the same state.
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

const elcrRegion = 2;

/** The ports of both chips on one thread: region 0 is the master, 1 the slave, 2 both ELCRs. */
function pic8259Front(_config: Pic8259Config, state: FieldsView<Pic8259Fields>, services: DeviceServices): DeviceFront {
	const pair = new PicPair(state, services.line('intr'));
	const chipOf = (index: number) => (index === 0 ? 0 : 1);
	return byteFront({
		readByte: (region, offset) =>
			region === elcrRegion ? pair.readElcr(chipOf(offset)) : pair.read(chipOf(region), offset),
		writeByte: (region, offset, value) => {
			if (region === elcrRegion) pair.writeElcr(chipOf(offset), value);
			else pair.write(chipOf(region), offset, value);
		},
		reset: () => pair.update(),
	});
}
