import {generationIdKind} from '#devices/chipset/generation-id';
import type {DeviceInstance} from '#devices/device';
import type {AcpiDevice} from './acpi-device.ts';
import {generationIdDevice} from './generation-id.ts';

/** By kind of device. Each gets the configuration of its own kind. */
const descriptions: Readonly<Record<string, (config: never) => AcpiDevice>> = {
	[generationIdKind]: generationIdDevice,
};

/** What the tables say of the machine's devices, in their order; nothing of those that a guest finds by itself. */
export function describeToAcpi(devices: readonly DeviceInstance[]): AcpiDevice[] {
	return devices.flatMap(({kind, config}) => descriptions[kind]?.(config as never) ?? []);
}
