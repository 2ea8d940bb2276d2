import type {DeviceInstance} from '#devices/device';
import {rootInput} from '#devices/pci/fabric';
import {type RootComplexConfig, rootComplexKind} from '#devices/pci/root-complex';
import type {PcieHostBridge} from '#main/acpi';

const pins = [0, 1, 2, 3] as const;

/** What the ACPI tables say of a machine's root complexes. @param devices - all of the machine */
export function hostBridges(devices: readonly DeviceInstance[]): PcieHostBridge[] {
	return devices
		.filter(({kind}) => kind === rootComplexKind)
		.map(({name, config}) => {
			const {lowMmio, highMmio, ...rest} = config as RootComplexConfig;
			const numbers = new Set(devices.flatMap(({place}) => (place?.on === name ? [place.devfn >> 3] : [])));
			const interrupts = [...numbers].flatMap((device) =>
				pins.map((pin) => ({device, pin, input: rootInput(device, pin)})),
			);
			return {...rest, mmio: [lowMmio, highMmio], interrupts};
		});
}
