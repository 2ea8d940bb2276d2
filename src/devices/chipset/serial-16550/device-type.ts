import {device, eisaId, integer, interrupt, ioPorts, name, resourceTemplate, string} from '#devices/acpi/aml';
import {deviceType} from '#devices/device-type';
import {serialBinding} from '#devices/serial-backends';
import type {FieldsView} from '#support/wire';
import {serial16550, serial16550Kind, standardSerialPorts} from './device.ts';
import {fastestBaud, Lcr} from './registers.ts';
import {serialPortFlags} from './serial-ports.ts';
import type {Serial16550Fields} from './state.ts';

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

/** By LCR bits 3 to 5: without bit 3 none, bit 4 even instead of odd, bit 5 the same bit always. */
const parities = ['N', 'O', 'N', 'E', 'N', 'M', 'N', 'S'] as const;

/** Says how the guest has set the line, as terminals are told, and whether somebody is at its other end. */
function serial16550Words({dll, dlm, lcr, connected}: FieldsView<Serial16550Fields>) {
	const divisor = dll | (dlm << 8);
	const bits = 5 + (lcr & Lcr.WORD_LENGTH);
	const stop = (lcr & Lcr.STOP) === 0 ? '1' : bits === 5 ? '1.5' : '2';
	const parity = parities[(lcr >>> Lcr.PARITY_SHIFT) & 7];
	return {
		line: `${divisor === 0 ? 'no' : Math.round(fastestBaud / divisor)} baud, ${bits}${parity}${stop}`,
		peer: connected === 0 ? 'nobody' : 'connected',
	};
}
