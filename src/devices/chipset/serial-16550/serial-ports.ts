import type {DeviceFlag, DeviceFlags} from '#devices/device-type';
import {type SerialBackendConfig, serialBinding} from '#devices/serial-backends';
import {type SerialPortName, serial16550Kind, standardSerialPorts} from './device.ts';

/** One serial port of a machine. */
export interface SerialPortHandle {
	readonly kind: typeof serial16550Kind;
	readonly name: SerialPortName;
	readonly options: {readonly number: number; readonly backend: SerialBackendConfig};
}

const unbound: SerialBackendConfig = {kind: 'none'};
const terminal: SerialBackendConfig = {kind: 'console', outputFd: 1};

/**
 * The serial ports of a machine: all four, as a guest expects of a PC, or none where none of them is bound to anything. COM1 is
 * bound to the console unless something else is said of it.
 */
export function serialPorts(
	bindings: Partial<Readonly<Record<SerialPortName, SerialBackendConfig>>> = {},
): SerialPortHandle[] {
	const ports = standardSerialPorts.map(({name}, index): SerialPortHandle => {
		const backend = bindings[name] ?? (name === 'com1' ? terminal : unbound);
		return {kind: serial16550Kind, name, options: {number: index + 1, backend}};
	});
	return ports.some(({options}) => options.backend.kind !== 'none') ? ports : [];
}

const rows: readonly DeviceFlag[] = standardSerialPorts.map(({name}) => ({
	name,
	value: 'SERIAL',
	...(name === 'com1'
		? {
				default: 'console',
				help: 'what the serial port is bound to: none, console, stderr, file=PATH (overwritten), listen=PATH (a Unix socket) or listen=tcp:IP:PORT',
			}
		: {default: 'none', help: 'same bindings as --com1'}),
}));

/** The flags `--com1` to `--com4`. */
export const serialPortFlags: DeviceFlags = {
	rows,
	devices: (given) => {
		const bindings = standardSerialPorts.flatMap(({name}) => {
			const text = given(name).at(-1);
			return text === undefined ? [] : [[name, serialBinding.parse(text, `--${name}`)] as const];
		});
		return serialPorts(Object.fromEntries(bindings));
	},
};
