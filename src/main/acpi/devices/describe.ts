import {batteryKind} from '#devices/chipset/battery';
import {generationIdKind} from '#devices/chipset/generation-id';
import {guestWatchdogKind} from '#devices/chipset/guest-watchdog';
import {hpetKind} from '#devices/chipset/hpet';
import {i8042Kind} from '#devices/chipset/i8042';
import {pvpanicKind} from '#devices/chipset/pvpanic';
import type {DeviceInstance} from '#devices/device';
import {virtioBlkMmio} from '#devices/virtio/blk';
import {virtioRngMmio} from '#devices/virtio/rng';
import type {AcpiDevice} from './acpi-device.ts';
import {batteryDevices} from './battery.ts';
import {generationIdDevice} from './generation-id.ts';
import {hpetDevice} from './hpet.ts';
import {i8042Devices} from './i8042.ts';
import {pvpanicDevice} from './pvpanic.ts';
import {virtioMmioDevice} from './virtio-mmio.ts';
import {watchdogTable} from './watchdog.ts';

/** By kind of device. Each gets the configuration of its own kind. */
const descriptions: Readonly<Record<string, (config: never) => AcpiDevice>> = {
	[batteryKind]: batteryDevices,
	[generationIdKind]: generationIdDevice,
	[guestWatchdogKind]: watchdogTable,
	[hpetKind]: hpetDevice,
	[i8042Kind]: i8042Devices,
	[pvpanicKind]: pvpanicDevice,
	[virtioBlkMmio.kind]: virtioMmioDevice,
	[virtioRngMmio.kind]: virtioMmioDevice,
};

/** What the tables say of the machine's devices, in their order; nothing of those that a guest finds by itself. */
export function describeToAcpi(devices: readonly DeviceInstance[]): AcpiDevice[] {
	return devices.flatMap(({kind, config}) => descriptions[kind]?.(config as never) ?? []);
}
