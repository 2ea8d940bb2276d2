import {device, integer, ioPorts, method, name, resourceTemplate, returns, string} from '#devices/acpi/aml';
import {deviceType} from '#devices/device-type';
import {pvpanic, pvpanicKind, pvpanicPort} from './device.ts';

const present = 0xf;

/** The panic port as machines have it. */
export const pvpanicType = deviceType({
	...pvpanic,
	kind: pvpanicKind,
	summary: 'The port through which a guest reports its panic',
	configure: () => ({port: pvpanicPort}),
	// As QEMU announces it, by which Linux and Windows drivers bind (QEMU docs/specs/pvpanic).
	acpi: ({port}) => ({
		device: device(
			'PEVT',
			name('_HID', string('QEMU0001')),
			name('_CRS', resourceTemplate(ioPorts(port, 1))),
			method('_STA', 0, returns(integer(present))),
		),
	}),
});
