import type {DeviceModel} from '#devices/device';
import {u32, wire} from '#support/wire';
import {type PowerOffPortsConfig, powerOffPortsKind} from './handle.ts';

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
