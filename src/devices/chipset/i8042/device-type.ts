import {device, eisaId, ioPorts, irq, name, resourceTemplate} from '#devices/acpi/aml';
import {deviceType} from '#devices/device-type';
import {concatBytes} from '#support/wire';
import {type I8042Config, i8042, i8042Kind, keyboardIrq, type MoveMouse, mouseIrq, type PressKey} from './device.ts';
import {commandPort, dataPort} from './registers.ts';

/** The keyboard controller as machines have it. */
export const i8042Type = deviceType({
	...i8042,
	kind: i8042Kind,
	summary: 'The keyboard controller, with a keyboard and a mouse',
	configure: (): I8042Config => ({}),
	/** Keyboard and mouse are a device each; the ports that they share are the keyboard's. */
	acpi: (config) => {
		const keyboard = [ioPorts(dataPort, 1), ioPorts(commandPort, 1), irq(config.keyboardIrq ?? keyboardIrq)];
		const mouse = irq(config.mouseIrq ?? mouseIrq);
		return {
			fadt: {iaPcBootArch: {i8042: true}},
			device: concatBytes(
				device('PS2K', name('_HID', eisaId('PNP0303')), name('_CRS', resourceTemplate(...keyboard))),
				device('PS2M', name('_HID', eisaId('PNP0F13')), name('_CRS', resourceTemplate(mouse))),
			),
		};
	},
	commands: [
		{kind: 'press-key', usage: 4, down: true} satisfies PressKey,
		{kind: 'move-mouse', move: {dx: 1, dy: -1, buttons: 1}} satisfies MoveMouse,
	],
});
