import {byteFront} from '#devices/chipset/byte-registers';
import type {DeviceFront, DeviceServices} from '#devices/device';
import type {FieldsView} from '#support/wire';
import type {Pic8259Config} from './handle.ts';
import {PicPair} from './pic-pair.ts';
import type {Pic8259Fields} from './state.ts';

const elcrRegion = 2;

/** The ports of both chips on one thread: region 0 is the master, 1 the slave, 2 both ELCRs. */
export function pic8259Front(
	_config: Pic8259Config,
	state: FieldsView<Pic8259Fields>,
	services: DeviceServices,
): DeviceFront {
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
