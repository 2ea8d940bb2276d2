import type {DeviceModel} from '#devices/device';
import {acpiPmFront} from './front.ts';
import {type AcpiPmConfig, acpiPmKind} from './handle.ts';
import {pmLayout} from './registers.ts';
import {type AcpiPmFields, AcpiPmState} from './state.ts';

/** ACPI power management: power-off, hibernate, reset, PM timer, general-purpose events. */
export const acpiPm: DeviceModel<AcpiPmConfig, AcpiPmFields> = {
	kind: acpiPmKind,
	state: AcpiPmState,
	regions: ({base}) => [{space: 'pio', name: 'dynamic', base, length: pmLayout.length}],
	lines: ({sciIrq}) => ({sci: sciIrq}),
	front: acpiPmFront,
};
