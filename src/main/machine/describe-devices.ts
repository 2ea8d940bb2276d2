import {type AcpiPmConfig, acpiPmKind, pmLayout} from '#devices/chipset/acpi-pm';
import {type BatteryConfig, batteryAddress, batteryKind, defaultBattery} from '#devices/chipset/battery';
import {type CmosRtcConfig, cmosRtcKind} from '#devices/chipset/cmos-rtc';
import {debugExitKind} from '#devices/chipset/debug-exit';
import {debugconKind} from '#devices/chipset/debugcon';
import {type GenerationIdConfig, generationIdKind} from '#devices/chipset/generation-id';
import {type GuestWatchdogConfig, guestWatchdogKind, guestWatchdogPort} from '#devices/chipset/guest-watchdog';
import {type HpetConfig, hpetAddress, hpetKind} from '#devices/chipset/hpet';
import {i8042Kind} from '#devices/chipset/i8042';
import {type IoApic82093aaConfig, ioApic82093aaKind} from '#devices/chipset/ioapic-82093aa';
import {type MissingConfig, missingKind, missingOnEveryPc, missingSerialPorts} from '#devices/chipset/missing';
import {pciConfigKind} from '#devices/chipset/pci-config';
import {type Pic8259Config, pic8259Kind} from '#devices/chipset/pic-8259';
import {type Pit8254Config, pit8254Kind} from '#devices/chipset/pit-8254';
import {knownPowerOffPorts, type PowerOffPortsConfig, powerOffPortsKind} from '#devices/chipset/power-off-ports';
import {type PvpanicConfig, pvpanicKind, pvpanicPort} from '#devices/chipset/pvpanic';
import {type Serial16550Config, serial16550Kind, standardSerialPorts} from '#devices/chipset/serial-16550';
import type {DeviceInstance} from '#devices/device';
import type {MemoryRange} from '#devices/guest-memory';
import {extIntInput, hpetInputs} from '#devices/interrupts';
import {ioApicAddress} from '#main/acpi';
import type {VmConfig} from '#main/config';
import {bootLayout} from '#main/loader';
import {generationIdName} from './generation.ts';

/** What the power-management device and the watchdog are called. */
export const pmName = 'pm';
export const guestWatchdogName = 'guest-watchdog';

/** A shared-state device of this configuration. */
const shared = (name: string, kind: string, config: unknown): DeviceInstance => ({name, kind, config, route: 'shared'});

/** What KVM's interrupt controllers and timer are in a machine where they are not ours. */
const interruptChips = (pitInput: number): readonly DeviceInstance[] => [
	shared('pic', pic8259Kind, {intrInput: extIntInput} satisfies Pic8259Config),
	shared('ioapic', ioApic82093aaKind, {base: ioApicAddress} satisfies IoApic82093aaConfig),
	shared('pit', pit8254Kind, {irq: pitInput} satisfies Pit8254Config),
];

/** What a machine has by chance: where and when it was made. */
export interface MachineBirth {
	/** Wall-clock time, milliseconds since 1970. */
	readonly timeMs: number;
	/** 16 random bytes in hexadecimal. */
	readonly generationId: string;
}

/** Lists the devices of a machine. All four serial ports exist when any of them is attached to something. */
export function describeDevices(config: VmConfig, ram: readonly MemoryRange[], birth: MachineBirth): DeviceInstance[] {
	const {serial, debugcon, debugExitPort} = config;
	const hasHpet = config.hpet || (config.devices?.some(({kind}) => kind === hpetKind) ?? false);
	const hasSerial = Object.values(serial).some(({kind}) => kind !== 'none');
	return [
		...(hasSerial ? standardSerialPorts.map((port) => shared(port.name, serial16550Kind, uart(config, port))) : []),
		...(config.irqchip === 'split' ? interruptChips(hasHpet ? hpetInputs.pit : 0) : []),
		shared('rtc', cmosRtcKind, {
			baseTimeMs: birth.timeMs,
			...ramSplit(ram),
			...(hasHpet && {irq: hpetInputs.rtc}),
		} satisfies CmosRtcConfig),
		shared(pmName, acpiPmKind, {base: pmLayout.base, sciIrq: pmLayout.sciIrq} satisfies AcpiPmConfig),
		shared(generationIdName, generationIdKind, {
			address: bootLayout.generationId,
			id: birth.generationId,
		} satisfies GenerationIdConfig),
		shared('i8042', i8042Kind, {}),
		shared('pvpanic', pvpanicKind, {port: pvpanicPort} satisfies PvpanicConfig),
		...optionalDevices(config),
		shared('pci-config', pciConfigKind, {}),
		shared('power-off-ports', powerOffPortsKind, {ports: knownPowerOffPorts} satisfies PowerOffPortsConfig),
		shared('missing', missingKind, {
			ports: [...missingOnEveryPc, ...(hasSerial ? [] : missingSerialPorts)].map(({name, base, length}) => ({
				name,
				base,
				length,
			})),
		} satisfies MissingConfig),
		...(debugcon ? [shared('debugcon', debugconKind, debugcon)] : []),
		...(debugExitPort === undefined ? [] : [shared('debug-exit', debugExitKind, {port: debugExitPort})]),
		...(config.devices ?? []),
	];
}

/** Devices that a flag adds. */
function optionalDevices({hpet, guestWatchdog, battery}: VmConfig): DeviceInstance[] {
	const watchdogConfig: GuestWatchdogConfig = {port: guestWatchdogPort};
	const batteryConfig: BatteryConfig = {base: batteryAddress, initial: defaultBattery};
	return [
		...(hpet ? [shared('hpet', hpetKind, {base: hpetAddress} satisfies HpetConfig)] : []),
		...(guestWatchdog ? [shared(guestWatchdogName, guestWatchdogKind, watchdogConfig)] : []),
		...(battery ? [shared('battery', batteryKind, batteryConfig)] : []),
	];
}

const fourGib = 2 ** 32;

/** RAM below and above 4 GiB, in bytes. */
function ramSplit(ram: readonly MemoryRange[]): {lowMemory: number; highMemory: number} {
	const sum = (ranges: readonly MemoryRange[]) => ranges.reduce((total, {length}) => total + length, 0);
	return {lowMemory: sum(ram.filter(({gpa}) => gpa < fourGib)), highMemory: sum(ram.filter(({gpa}) => gpa >= fourGib))};
}

function uart({serial, boot}: VmConfig, port: (typeof standardSerialPorts)[number]): Serial16550Config {
	// Linux clears the FIFO when it opens the port, and then raises RTS: what is typed ahead waits for that.
	return {
		base: port.base,
		irq: port.irq,
		backend: serial[port.name],
		waitForRts: boot.kind === 'linux' || boot.kind === 'none',
	};
}
