import {commandPort, dataPort, type I8042Config, keyboardIrq, mouseIrq} from '#devices/chipset/i8042';
import {device, eisaId, ioPorts, irq, name, resourceTemplate} from '#main/acpi/aml';
import {concatBytes} from '#support/wire';
import type {AcpiDevice} from './acpi-device.ts';

/** Keyboard and mouse, each a device; the ports that they share are the keyboard's. */
export function i8042Devices(config: I8042Config): AcpiDevice {
	const keyboard = resourceTemplate(
		ioPorts(dataPort, 1),
		ioPorts(commandPort, 1),
		irq(config.keyboardIrq ?? keyboardIrq),
	);
	const mouse = resourceTemplate(irq(config.mouseIrq ?? mouseIrq));
	return {
		isI8042: true,
		device: concatBytes(
			device('PS2K', name('_HID', eisaId('PNP0303')), name('_CRS', keyboard)),
			device('PS2M', name('_HID', eisaId('PNP0F13')), name('_CRS', mouse)),
		),
	};
}
