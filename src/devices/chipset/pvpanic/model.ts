import type {DeviceModel} from '#devices/device';
import {pvpanicFront} from './front.ts';
import {type PvpanicConfig, pvpanicKind} from './handle.ts';
import {type PvpanicFields, PvpanicState} from './state.ts';

/** QEMU's ISA panic port: a guest's report of its panic is a crash, one of an orderly end a power-off. */
export const pvpanic: DeviceModel<PvpanicConfig, PvpanicFields> = {
	kind: pvpanicKind,
	state: PvpanicState,
	attach: {regions: ({port}) => [{space: 'pio', name: 'event', base: port, length: 1}]},
	front: pvpanicFront,
};
