import type {DeviceModel, Region} from '#devices/device';
import {i32, wire} from '#support/wire';
import {type RootComplexConfig, rootComplexKind} from './handle.ts';

const RootComplexState = wire('pcie-root-complex', {
	/** Configuration accesses that no function answered. */
	absent: i32,
});

/** The region of {@link rootComplex} that is configuration space; the others are windows. */
export const ecamRegion = 0;

/**
 * A PCI Express root complex: the addresses that it claims. In a machine its functions answer there, found by the thread's
 * `PciFabric` without this device's lock; what comes here is what nobody answers.
 */
export const rootComplex: DeviceModel<RootComplexConfig, (typeof RootComplexState)['fields']> = {
	kind: rootComplexKind,
	state: RootComplexState,
	attach: {
		regions: ({ecam, lowMmio, highMmio}) => [
			mmio('ecam', ecam),
			...[mmio('low-mmio', lowMmio), mmio('high-mmio', highMmio)].filter(({length}) => length > 0),
		],
	},
	front: (_config, state) => ({
		read(_region, _offset, size) {
			state.absent++;
			return 2 ** (8 * size) - 1;
		},
		write() {
			state.absent++;
		},
	}),
};

const mmio = (name: string, {gpa, length}: {readonly gpa: number; readonly length: number}): Region => {
	return {space: 'mmio', name, base: gpa, length};
};
