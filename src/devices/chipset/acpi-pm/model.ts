import type {DeviceModel} from '#devices/device';
import {gpeCount, gpeInput} from '#devices/interrupts';
import {acpiPmFront} from './front.ts';
import {gpeName} from './general-purpose-events.ts';
import {type AcpiPmConfig, acpiPmKind} from './handle.ts';
import {pmLayout} from './registers.ts';
import {type AcpiPmFields, AcpiPmState} from './state.ts';

const gpeInputs = Object.fromEntries(Array.from({length: gpeCount}, (_, event) => [gpeName(event), gpeInput(event)]));

/** ACPI power management: power-off, hibernate, reset, PM timer, general-purpose events. */
export const acpiPm: DeviceModel<AcpiPmConfig, AcpiPmFields> = {
	kind: acpiPmKind,
	state: AcpiPmState,
	attach: {regions: ({base}) => [{space: 'pio', name: 'dynamic', base, length: pmLayout.length}]},
	lines: ({sciIrq}) => ({sci: sciIrq}),
	inputs: () => gpeInputs,
	front: acpiPmFront,
};
