import type {PvpanicConfig} from '#devices/chipset/pvpanic';
import {device, integer, ioPorts, method, name, resourceTemplate, returns, string} from '#main/acpi/aml';
import type {AcpiDevice} from './acpi-device.ts';

const present = 0xf;

/** The panic port as QEMU announces it, by which Linux and Windows drivers bind (QEMU docs/specs/pvpanic). */
export function pvpanicDevice({port}: PvpanicConfig): AcpiDevice {
	return {
		device: device(
			'PEVT',
			name('_HID', string('QEMU0001')),
			name('_CRS', resourceTemplate(ioPorts(port, 1))),
			method('_STA', 0, returns(integer(present))),
		),
	};
}
