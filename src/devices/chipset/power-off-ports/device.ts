import type {DeviceModel} from '#devices/device';
import {u32, wire} from '#support/wire';

/** Names this device in machine descriptions. */
export const powerOffPortsKind = 'power-off-ports';

/** A port that powers off when a guest writes this 16-bit value to it. */
export interface PowerOffPort {
	/** Owner of the port. */
	readonly name: string;
	readonly port: number;
	readonly value: number;
}

/** The ports that the machine has of {@link knownPowerOffPorts}. */
export interface PowerOffPortsConfig {
	readonly ports: readonly PowerOffPort[];
}

/**
 * Ports by which small kernels power off without reading ACPI tables: the sleep control registers of other machines at their
 * usual places, with SLP_EN and the sleep type that these give to S5 (ACPI 6.5, 4.8.3.2.1).
 */
export const knownPowerOffPorts: readonly PowerOffPort[] = [
	{name: 'qemu', port: 0x604, value: 0x2000},
	{name: 'bochs', port: 0xb004, value: 0x2000},
	{name: 'virtualbox', port: 0x4004, value: 0x3400},
];

const PowerOffPortsState = wire('power-off-ports', {
	/** Power-offs asked for. */
	requests: u32,
	/** The latest value that meant nothing. */
	other: u32,
});

/** Powers off for guests that know the power-management registers of other machines by heart. Reads as nothing. */
export const powerOffPorts: DeviceModel<PowerOffPortsConfig, (typeof PowerOffPortsState)['fields']> = {
	kind: powerOffPortsKind,
	state: PowerOffPortsState,
	attach: {
		regions: ({ports}) => ports.map(({name, port}) => ({space: 'pio', name, base: port, length: 2, yields: true})),
	},
	front: ({ports}, state, services) => ({
		read: (_region, _offset, size) => 2 ** (8 * size) - 1,
		write: (region, offset, size, value) => {
			if (offset === 0 && size === 2 && value === ports[region]?.value) {
				state.requests++;
				services.request({kind: 'power-off'});
			} else state.other = value;
		},
	}),
};
