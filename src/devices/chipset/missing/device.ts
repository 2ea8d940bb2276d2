import type {DeviceModel} from '#devices/device';
import {f64, u32, wire} from '#support/wire';

/** Names this device in machine descriptions. */
export const missingKind = 'missing';

/** Ports of hardware that is not there but that guests are known to touch. */
export interface MissingConfig {
	readonly ports: readonly MissingPorts[];
}

/** A range of ports. */
export interface MissingPorts {
	readonly name: string;
	readonly base: number;
	readonly length: number;
}

const MissingState = wire('missing', {
	reads: f64,
	writes: f64,
	/** The latest value written to a port called `post-code`. */
	postCode: u32,
});

/** Claimed ports that read all ones and ignore writes, as a bus without a responder. */
export const missing: DeviceModel<MissingConfig, (typeof MissingState)['fields']> = {
	kind: missingKind,
	state: MissingState,
	attach: {
		regions: ({ports}) => ports.map(({name, base, length}) => ({space: 'pio', name, base, length, yields: true})),
	},
	front: ({ports}, state) => {
		const postCode = ports.findIndex(({name}) => name === 'post-code');
		return {
			read: (_region, _offset, size) => {
				state.reads++;
				return 2 ** (8 * size) - 1;
			},
			write: (region, _offset, _size, value) => {
				state.writes++;
				if (region === postCode) state.postCode = value;
			},
		};
	},
};
