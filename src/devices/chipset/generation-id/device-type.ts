import {device, edgeEvent, integer, name, notify, packageOf, string} from '#devices/acpi/aml';
import {deviceType} from '#devices/device-type';
import {type ChangeGeneration, generationId, generationIdEvent, generationIdKind} from './device.ts';

const objectName = 'VGEN';
/** "The generation id has changed" (Virtual Machine Generation ID, section on ACPI). */
const changed = 0x80;

/** The generation id as machines have it. */
export const generationIdType = deviceType({
	...generationId,
	kind: generationIdKind,
	summary: 'The id by which a guest notices that it was restored or cloned',
	options: {
		address: {
			type: 'number',
			min: 0,
			max: 2 ** 52 - 1,
			example: 0x1000,
			help: 'where the guest finds the id, a multiple of 8 in RAM that the memory map reserves',
		},
	},
	configure: ({address}, machine) => ({address, id: machine.generationId}),
	/**
	 * Guests bind by the compatible id: Windows by the first, which is longer than ACPI allows, Linux and newer Windows by
	 * either. ADDR gives the address as two halves of 32 bits.
	 */
	acpi: ({address}) => ({
		device: device(
			objectName,
			name('_HID', string('OVMM0001')),
			name('_CID', packageOf(string('VM_Gen_Counter'), string('VMGENCTR'))),
			name('_DDN', string('VM_Gen_Counter')),
			name('ADDR', packageOf(integer(address % 2 ** 32), integer(Math.floor(address / 2 ** 32)))),
		),
		event: edgeEvent(generationIdEvent, notify(`\\_SB.${objectName}`, changed)),
	}),
	commands: [{kind: 'change-generation', id: 'fedcba9876543210fedcba9876543210'} satisfies ChangeGeneration],
});
