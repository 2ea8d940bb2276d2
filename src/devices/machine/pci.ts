import type {AccessSize} from '#devices/device';
import type {UnclaimedCounters} from '#devices/io-bus';
import {assignResources} from '#devices/pci/assignment';
import {ConfigSpace} from '#devices/pci/config-space';
import {connect, PciFabric, type PlacedFunction} from '#devices/pci/fabric';
import {isFunctionModel} from '#devices/pci/function';
import {type RootComplexConfig, rootComplexKind} from '#devices/pci/root-complex';
import type {AttachedDevice} from './attached-machine.ts';
import {isResetting} from './device-reset.ts';

/** Makes a thread's way to the PCI functions of its machine; undefined where there is no root complex. */
export function attachFabric(
	devices: readonly AttachedDevice[],
	generation: Int32Array,
	unclaimed: UnclaimedCounters,
): PciFabric | undefined {
	const complexes = devices.flatMap(({placed}, device) => {
		const {name, kind, config} = placed;
		return kind === rootComplexKind ? [{device, name, config: config as RootComplexConfig}] : [];
	});
	if (complexes.length === 0) return undefined;
	const functions = devices.flatMap(({placed, model, state, header}, device): PlacedFunction[] => {
		const {name, place, config} = placed;
		if (place === undefined || !isFunctionModel(model)) return [];
		const design = model.design(config);
		const space = new ConfigSpace(design.layout, state['pci.config']);
		return [{device, name, place, design, space, isResetting: () => isResetting(header)}];
	});
	const targets = devices.map(({target}) => target);
	return new PciFabric(connect(complexes, functions), generation, targets, unclaimed);
}

/** Gives PCI functions their numbers and addresses, as firmware does at power-on. */
export function assignPci(fabric: PciFabric): void {
	for (const complex of fabric.complexes) {
		const {segment} = complex.config;
		const access = {
			read: (...[bus, devfn, offset, size]: [number, number, number, AccessSize]) =>
				fabric.readConfig(segment, bus, devfn, offset, size),
			write: (...[bus, devfn, offset, size, value]: [number, number, number, AccessSize, number]) =>
				fabric.writeConfig(segment, bus, devfn, offset, size, value),
		};
		assignResources(access, complex);
	}
}
