import type {AcpiDescription} from '#devices/acpi';
import {acpiPmKind} from '#devices/chipset/acpi-pm';
import {cmosRtcKind} from '#devices/chipset/cmos-rtc';
import {serial16550Kind, standardSerialPorts} from '#devices/chipset/serial-16550';
import type {DeviceInstance} from '#devices/device';
import {deviceRegistry} from '#devices/registry';
import {deviceTables} from '#main/machine';

/** A device as machines describe it. */
type Described = readonly [kind: string, config: unknown];

/** Describes a PC's power management, clock and serial ports, and of other devices. */
export function pc({
	pm = {base: 0x400, sciIrq: 9},
	comPorts = [1],
	others = [],
}: {
	readonly pm?: {readonly base: number; readonly sciIrq: number};
	readonly comPorts?: readonly number[];
	readonly others?: readonly Described[];
} = {}): readonly AcpiDescription[] {
	const ports = comPorts.map((number): Described => [serial16550Kind, standardSerialPorts[number - 1]]);
	const devices = [...ports, [acpiPmKind, pm] as const, [cmosRtcKind, {}] as const, ...others].map(
		([kind, config], index): DeviceInstance => ({name: `${index}`, kind, config}),
	);
	return deviceTables(devices, deviceRegistry.types).acpi;
}
