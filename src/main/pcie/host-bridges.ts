import type {DeviceInstance} from '#devices/device';
import {rootInput} from '#devices/pci/fabric';
import {type RootComplexConfig, rootComplexKind} from '#devices/pci/root-complex';
import type {AcpiInitiator, PcieHostBridge} from '#main/acpi';

const pins = [0, 1, 2, 3] as const;

/**
 * Describes a machine's root complexes for the ACPI tables. A guest that gave other numbers to buses would no longer find
 * generic initiators where the tables have them, so it is told to leave them as they are.
 * @param devices - all of the machine
 */
export function hostBridges(
	devices: readonly DeviceInstance[],
	initiators: readonly AcpiInitiator[] = [],
): PcieHostBridge[] {
	return devices
		.filter(({kind}) => kind === rootComplexKind)
		.map(({name, config}) => {
			const {lowMmio, highMmio, ...rest} = config as RootComplexConfig;
			const {segment, startBus, endBus} = rest;
			const hasInitiator = initiators.some(
				(initiator) => initiator.segment === segment && initiator.bus >= startBus && initiator.bus <= endBus,
			);
			const preserveBars = rest.preserveBars || hasInitiator;
			const numbers = new Set(devices.flatMap(({place}) => (place?.on === name ? [place.devfn >> 3] : [])));
			const interrupts = [...numbers].flatMap((device) =>
				pins.map((pin) => ({device, pin, input: rootInput(device, pin)})),
			);
			return {...rest, preserveBars, mmio: [lowMmio, highMmio], interrupts};
		});
}
