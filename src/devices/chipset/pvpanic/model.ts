import type {DeviceModel} from '#devices/device';
import {pvpanicFront} from './front.ts';
import {type PvpanicConfig, pvpanicKind} from './handle.ts';
import {type PvpanicFields, PvpanicState} from './state.ts';

/** QEMU's ISA panic port: counts what a guest reports of its end, and powers off after an orderly one. */
export const pvpanic: DeviceModel<PvpanicConfig, PvpanicFields> = {
	kind: pvpanicKind,
	state: PvpanicState,
	regions: ({port}) => [{space: 'pio', name: 'event', base: port, length: 1}],
	front: pvpanicFront,
};
