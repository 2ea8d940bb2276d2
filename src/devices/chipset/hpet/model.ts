import type {DeviceModel} from '#devices/device';
import {hpetInputs, pitReplacedInput} from '#devices/interrupts';
import {hpetBack} from './back.ts';
import {hpetFront} from './front.ts';
import {type HpetConfig, hpetKind} from './handle.ts';
import {lineInputs} from './outputs.ts';
import {regionLength} from './registers.ts';
import {type HpetFields, HpetState} from './state.ts';
import {hpetVersions} from './versions.ts';

/** The high precision event timer: a counter that guests tell the time by, and three timers that interrupt. */
export const hpet: DeviceModel<HpetConfig, HpetFields> = {
	kind: hpetKind,
	state: HpetState,
	versions: hpetVersions,
	attach: {regions: ({base}) => [{space: 'mmio', name: 'registers', base, length: regionLength}]},
	lines: () => ({...lineInputs, 'pit-replaced': pitReplacedInput}),
	inputs: () => hpetInputs,
	front: hpetFront,
	back: hpetBack,
};
