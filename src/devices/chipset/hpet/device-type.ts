import {deviceType, switchFlag} from '#devices/device-type';
import {hpetAcpi} from './acpi.ts';
import {hpet, hpetAddress, hpetKind} from './device.ts';

/** The timer as machines have it. */
export const hpetType = deviceType({
	...hpet,
	kind: hpetKind,
	summary: 'A high precision event timer',
	configure: () => ({base: hpetAddress}),
	acpi: hpetAcpi,
	flags: switchFlag('hpet', 'a high precision event timer, announced to the guest'),
});
