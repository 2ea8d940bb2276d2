import {acpiPmType} from '#devices/chipset/acpi-pm';
import {batteryType} from '#devices/chipset/battery';
import {cmosRtcType} from '#devices/chipset/cmos-rtc';
import {debugExitType} from '#devices/chipset/debug-exit';
import {debugconType} from '#devices/chipset/debugcon';
import {dma8237Type} from '#devices/chipset/dma-8237';
import {generationIdType} from '#devices/chipset/generation-id';
import {guestWatchdogType} from '#devices/chipset/guest-watchdog';
import {hpetType} from '#devices/chipset/hpet';
import {i8042Type} from '#devices/chipset/i8042';
import {ioApic82093aaType} from '#devices/chipset/ioapic-82093aa';
import {latchType} from '#devices/chipset/latch';
import {missingType} from '#devices/chipset/missing';
import {pciConfigType} from '#devices/chipset/pci-config';
import {pic8259Type} from '#devices/chipset/pic-8259';
import {pit8254Type} from '#devices/chipset/pit-8254';
import {powerOffPortsType} from '#devices/chipset/power-off-ports';
import {pvpanicType} from '#devices/chipset/pvpanic';
import {serial16550Type} from '#devices/chipset/serial-16550';
import type {AnyDeviceModel} from '#devices/device';
import type {AnyDeviceType, DeclaredType, DeviceFlag, KindHandle} from '#devices/device-type';
import {nvmeType} from '#devices/nvme';
import {completeModel} from '#devices/pci/function';
import {downstreamPortType, rootPortType, upstreamPortType} from '#devices/pci/port';
import {rootComplexType} from '#devices/pci/root-complex';
import {virtio9pMmioType, virtio9pPciType} from '#devices/virtio/9p';
import {virtioBalloonMmioType, virtioBalloonPciType} from '#devices/virtio/balloon';
import {virtioBlkMmioType, virtioBlkPciType} from '#devices/virtio/blk';
import {virtioConsoleMmioType, virtioConsolePciType} from '#devices/virtio/console';
import {virtioFsMmioType, virtioFsPciType} from '#devices/virtio/fs';
import {virtioNetMmioType, virtioNetPciType} from '#devices/virtio/net';
import {virtioPmemType} from '#devices/virtio/pmem';
import {virtioRngMmioType, virtioRngPciType} from '#devices/virtio/rng';
import {virtioScsiMmioType, virtioScsiPciType} from '#devices/virtio/scsi';
import {virtioVsockMmioType, virtioVsockPciType} from '#devices/virtio/vsock';

/**
 * Every kind of device that this program has: a new one is a folder, and a line here. Flags, and devices in the ACPI tables, are in
 * this order.
 */
const known: readonly (DeclaredType | AnyDeviceType)[] = [
	serial16550Type,
	cmosRtcType,
	acpiPmType,
	generationIdType,
	i8042Type,
	pvpanicType,
	hpetType,
	guestWatchdogType,
	batteryType,
	pic8259Type,
	ioApic82093aaType,
	pit8254Type,
	dma8237Type,
	pciConfigType,
	debugconType,
	debugExitType,
	powerOffPortsType,
	missingType,
	latchType,
	rootComplexType,
	rootPortType,
	upstreamPortType,
	downstreamPortType,
	virtioRngPciType,
	virtioRngMmioType,
	virtioBlkPciType,
	virtioBlkMmioType,
	virtioPmemType,
	nvmeType,
	virtioScsiPciType,
	virtioScsiMmioType,
	virtioVsockPciType,
	virtioVsockMmioType,
	virtioConsolePciType,
	virtioConsoleMmioType,
	virtioBalloonPciType,
	virtioBalloonMmioType,
	virtioNetPciType,
	virtioNetMmioType,
	virtioFsPciType,
	virtioFsMmioType,
	virtio9pPciType,
	virtio9pMmioType,
];

/** Kinds of devices by name. Whatever has to be known of devices in general is found out by going through them. */
export class DeviceRegistry {
	/** PCI functions have all that the machine serves for them. */
	readonly types: readonly AnyDeviceType[];
	readonly #byKind: ReadonlyMap<string, AnyDeviceType>;

	constructor(types: readonly (DeclaredType | AnyDeviceType)[]) {
		this.types = types.map(completeType);
		this.#byKind = new Map(this.types.map((type) => [type.kind, type]));
		if (this.#byKind.size < types.length) throw new TypeError('two kinds of devices have the same name');
	}

	/** The type of a kind, or undefined when there is none. */
	findType = (kind: string): AnyDeviceType | undefined => this.#byKind.get(kind);

	/** The same, as machines look for models. */
	findModel = (kind: string): AnyDeviceModel | undefined => this.#byKind.get(kind);

	/** The flags of all types, in their order. Types may have one together. */
	get flags(): readonly DeviceFlag[] {
		return [...new Set(this.types.flatMap(({flags}) => flags?.rows ?? []))];
	}

	/**
	 * The devices that flags ask for, and those that a machine has without any.
	 * @param given - see `DeviceFlags.devices`
	 * @param isThere - which of the latter, by name
	 * @throws VmmError with a `CONFIG_` code
	 */
	flaggedDevices(
		given: (flag: string) => readonly string[],
		isThere: (name: string) => boolean = () => true,
	): readonly KindHandle[] {
		return this.types.flatMap(({kind, flags: own}) => {
			const handles = own?.devices(given).map((parts) => ({kind, ...parts})) ?? [];
			const isAsked = own?.rows.some(({name}) => given(name).length > 0);
			return isAsked ? handles : handles.filter(({name = kind}) => isThere(name));
		});
	}

	/** All these and more. */
	with(types: readonly (DeclaredType | AnyDeviceType)[]): DeviceRegistry {
		return new DeviceRegistry([...this.types, ...types]);
	}
}

/** A type whose model has all that the machine serves for it. */
export function completeType(type: DeclaredType | AnyDeviceType): AnyDeviceType {
	return completeModel(type) as AnyDeviceType;
}

/** The devices of this program. */
export const deviceRegistry = new DeviceRegistry(known);

/** The model of a kind that this program has. */
export const findDeviceModel = deviceRegistry.findModel;
