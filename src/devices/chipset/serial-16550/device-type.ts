import {device, eisaId, integer, interrupt, ioPorts, name, resourceTemplate, string} from '#devices/acpi/aml';
import {deviceType} from '#devices/device-type';
import {serialBinding} from '#devices/serial-backends';
import {serial16550Kind, standardSerialPorts} from './handle.ts';
import {serial16550} from './model.ts';
import {serialPortFlags} from './serial-ports.ts';
import {serial16550Words} from './words.ts';

/** A serial port as machines have it. */
export const serial16550Type = deviceType({
	...serial16550,
	kind: serial16550Kind,
	summary: 'A serial port',
	options: {
		number: {type: 'number', min: 1, max: standardSerialPorts.length, default: 1, help: 'which of the COM ports it is'},
		backend: {
			type: serialBinding,
			default: {kind: 'none'},
			example: {kind: 'stderr'},
			host: true,
			help: 'what it is bound to',
		},
		waitForRts: {
			type: 'flag',
			optional: true,
			host: true,
			help: 'hold input back until the guest raises RTS; without it where an operating system is started',
		},
	},
	configure: ({number, backend, waitForRts}, machine) => {
		const {base, irq} = standardSerialPorts[number - 1] as (typeof standardSerialPorts)[number];
		// Linux clears the FIFO when it opens the port, and then raises RTS: what is typed ahead waits for that.
		return {base, irq, backend, waitForRts: waitForRts ?? machine.hasSystem};
	},
	/** By the conventional numbers, which tell guests in which order the ports are. */
	acpi: ({base, irq}) => {
		const number = 1 + standardSerialPorts.findIndex((port) => port.base === base);
		return {
			fadt: {iaPcBootArch: {legacyDevices: true}},
			device: device(
				`UAR${number}`,
				name('_HID', eisaId('PNP0501')),
				name('_DDN', string(`COM${number}`)),
				name('_UID', integer(number)),
				name('_CRS', resourceTemplate(ioPorts(base, 8), interrupt(irq, {edge: true}))),
			),
		};
	},
	defaultName: ({number}) => `com${number}`,
	terminal: ({number, backend}) =>
		backend.kind === 'console' ? {takesInput: true, linuxName: `ttyS${number - 1}`} : undefined,
	flags: serialPortFlags,
	words: serial16550Words,
});
