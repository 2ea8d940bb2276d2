import type {DeviceModel} from '#devices/device';
import {f64, u32, wire} from '#support/wire';

/** Names this device in machine descriptions. */
export const latchKind = 'latch';

/** A register for tests and benchmarks. */
export interface LatchConfig {
	/** First of its four ports. */
	readonly port: number;
}

const LatchState = wire('latch', {
	value: u32,
	reads: f64,
	writes: f64,
});

/** All bits of an access of each size. */
const masks = {1: 0xff, 2: 0xffff, 4: 0xffffffff} as const;

/** One 32-bit register that keeps what was written, byte by byte, and counts accesses: the shortest way of an exit. */
export const latch: DeviceModel<LatchConfig, (typeof LatchState)['fields']> = {
	kind: latchKind,
	state: LatchState,
	attach: {regions: ({port}) => [{space: 'pio', name: 'value', base: port, length: 4}]},
	front: (_config, state) => ({
		read: (_region, offset, size) => {
			state.reads++;
			return ((state.value >>> (8 * offset)) & masks[size]) >>> 0;
		},
		write: (_region, offset, size, value) => {
			state.writes++;
			const mask = masks[size] << (8 * offset);
			state.value = (state.value & ~mask) | ((value << (8 * offset)) & mask);
		},
	}),
};
