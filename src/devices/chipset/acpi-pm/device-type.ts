import {deviceType} from '#devices/device-type';
import {acpiPmKind, powerButton} from './handle.ts';
import {acpiPm} from './model.ts';
import {pmLayout} from './registers.ts';

/** Power management as machines have it. */
export const acpiPmType = deviceType({
	...acpiPm,
	kind: acpiPmKind,
	summary: 'ACPI power management: power-off, reset, power button, timer, events',
	configure: () => ({base: pmLayout.base, sciIrq: pmLayout.sciIrq}),
	commands: [powerButton],
});
