import {Bridge} from '#devices/pci/config-space';
import {functionsOf, type PciFabric} from '#devices/pci/fabric';
import type {AcpiInitiator} from '#main/acpi';
import type {PcieConfig} from '#main/config';

/**
 * Finds the devices behind the configured ports by the bus numbers of now: to be asked at power-on, when they are the same each
 * time. Such a device is function 0 of the only slot on the bus behind its port.
 */
export function genericInitiators(
	pcie: Pick<PcieConfig, 'genericInitiators'> | undefined,
	fabric: Pick<PciFabric, 'complexes'> | undefined,
): AcpiInitiator[] {
	const initiators: AcpiInitiator[] = [];
	for (const {config, bus: root} of fabric?.complexes ?? []) {
		for (const {name, space} of functionsOf(root)) {
			for (const {port, node} of pcie?.genericInitiators ?? []) {
				if (port !== name) continue;
				const bus = space.read(Bridge.SECONDARY_BUS, 1);
				initiators.push({segment: config.segment, bus, devfn: 0, node});
			}
		}
	}
	return initiators;
}
