import type {DeviceModel} from '#devices/device';
import {gpeInput} from '#devices/interrupts';
import {batteryFront} from './front.ts';
import {type BatteryConfig, batteryEvent, batteryKind} from './handle.ts';
import {regionLength} from './registers.ts';
import {type BatteryFields, BatteryState} from './state.ts';

/** A battery and a power adapter whose status the machine's owner sets; guests see them through ACPI. */
export const battery: DeviceModel<BatteryConfig, BatteryFields> = {
	kind: batteryKind,
	state: BatteryState,
	attach: {regions: ({base}) => [{space: 'mmio', name: 'registers', base, length: regionLength}]},
	lines: () => ({changed: gpeInput(batteryEvent)}),
	front: batteryFront,
};
