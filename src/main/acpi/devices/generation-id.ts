import {type GenerationIdConfig, generationIdEvent} from '#devices/chipset/generation-id';
import {device, integer, name, notify, packageOf, string} from '#main/acpi/aml';
import type {AcpiDevice} from './acpi-device.ts';
import {edgeEvent} from './events.ts';

const deviceName = 'VGEN';
/** "The generation id has changed" (Virtual Machine Generation ID, section on ACPI). */
const changed = 0x80;

/**
 * Guests bind by the compatible id: Windows by the first, which is longer than ACPI allows, Linux and newer Windows by
 * either. ADDR gives the address as two halves of 32 bits.
 */
export function generationIdDevice({address}: GenerationIdConfig): AcpiDevice {
	return {
		device: device(
			deviceName,
			name('_HID', string('OVMM0001')),
			name('_CID', packageOf(string('VM_Gen_Counter'), string('VMGENCTR'))),
			name('_DDN', string('VM_Gen_Counter')),
			name('ADDR', packageOf(integer(address % 2 ** 32), integer(Math.floor(address / 2 ** 32)))),
		),
		event: edgeEvent(generationIdEvent, notify(`\\_SB.${deviceName}`, changed)),
	};
}
