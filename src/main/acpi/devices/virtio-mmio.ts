import type {OnMmio} from '#devices/virtio/device';
import {device, integer, interrupt, memory32Fixed, name, resourceTemplate, string} from '#main/acpi/aml';
import type {AcpiDevice} from './acpi-device.ts';

const pageShift = 12;
const regionBytes = 0x1000;

/** A virtio device on MMIO, by the id that Linux binds to; its page tells it apart from others. */
export function virtioMmioDevice({mmio}: OnMmio<object>): AcpiDevice {
	const page = mmio.base >>> pageShift;
	return {
		device: device(
			`V${(page & 0xfff).toString(16).toUpperCase().padStart(3, '0')}`,
			name('_HID', string('LNRO0005')),
			name('_UID', integer(page)),
			name('_CRS', resourceTemplate(memory32Fixed(mmio.base, regionBytes), interrupt(mmio.irq, {edge: false}))),
		),
	};
}
