import type {AccessSize} from '#devices/device';
import type {UnclaimedCounters} from '#devices/io-bus';
import {assignResources} from '#devices/pci/assignment';
import {PciFabric} from '#devices/pci/fabric';
import type {AttachedDevice} from './attached-device.ts';
import {isResetting} from './device-rest.ts';
import {complexesOf} from './pci-complexes.ts';

/** Makes a thread's way to the PCI functions of its machine; undefined where there is no root complex. */
export function attachFabric(
	devices: readonly AttachedDevice[],
	generation: Int32Array,
	unclaimed: UnclaimedCounters,
): PciFabric | undefined {
	const complexes = complexesOf(
		devices.map(({placed, model, state, header}) => ({
			instance: placed,
			model,
			space: state['pci.config'],
			isResetting: () => isResetting(header),
			hasZeros: () => state.zeros === 1,
		})),
	);
	if (complexes.length === 0) return undefined;
	const targets = devices.map(({target}) => target);
	return new PciFabric(complexes, generation, targets, unclaimed);
}

/** Gives PCI functions their numbers and addresses, as firmware does at power-on. */
export function assignPci(fabric: PciFabric): void {
	for (const complex of fabric.complexes) {
		const {segment} = complex.config;
		const access = {
			write: (...[bus, devfn, offset, size, value]: [number, number, number, AccessSize, number]) =>
				fabric.writeConfig(segment, bus, devfn, offset, size, value),
		};
		assignResources(access, complex);
	}
}
