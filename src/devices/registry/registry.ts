import {acpiPm} from '#devices/chipset/acpi-pm';
import {battery} from '#devices/chipset/battery';
import {cmosRtc} from '#devices/chipset/cmos-rtc';
import {debugExit} from '#devices/chipset/debug-exit';
import {debugcon} from '#devices/chipset/debugcon';
import {dma8237} from '#devices/chipset/dma-8237';
import {generationId} from '#devices/chipset/generation-id';
import {guestWatchdog} from '#devices/chipset/guest-watchdog';
import {hpet} from '#devices/chipset/hpet';
import {i8042} from '#devices/chipset/i8042';
import {ioApic82093aa} from '#devices/chipset/ioapic-82093aa';
import {latch} from '#devices/chipset/latch';
import {missing} from '#devices/chipset/missing';
import {pciConfig} from '#devices/chipset/pci-config';
import {pic8259} from '#devices/chipset/pic-8259';
import {pit8254} from '#devices/chipset/pit-8254';
import {powerOffPorts} from '#devices/chipset/power-off-ports';
import {pvpanic} from '#devices/chipset/pvpanic';
import {serial16550} from '#devices/chipset/serial-16550';
import type {AnyDeviceModel, DeclaredModel} from '#devices/device';
import {completeModel} from '#devices/pci/function';
import {downstreamPort, rootPort, upstreamPort} from '#devices/pci/port';
import {rootComplex} from '#devices/pci/root-complex';
import {virtioBlkMmio, virtioBlkPci} from '#devices/virtio/blk';
import {virtioRngMmio, virtioRngPci} from '#devices/virtio/rng';

const known: readonly DeclaredModel[] = [
	serial16550,
	cmosRtc,
	acpiPm,
	pic8259,
	ioApic82093aa,
	pit8254,
	hpet,
	generationId,
	dma8237,
	guestWatchdog,
	battery,
	pvpanic,
	i8042,
	pciConfig,
	debugcon,
	debugExit,
	powerOffPorts,
	missing,
	latch,
	rootComplex,
	rootPort,
	upstreamPort,
	downstreamPort,
	virtioRngPci,
	virtioRngMmio,
	virtioBlkPci,
	virtioBlkMmio,
];

/** Every kind of device this program knows; PCI functions with all that the machine serves for them. */
export const deviceModels: readonly AnyDeviceModel[] = known.map(completeModel);

const byKind: ReadonlyMap<string, AnyDeviceModel> = new Map(deviceModels.map((model) => [model.kind, model]));

/** The model of a kind, or undefined when there is none. */
export function findDeviceModel(kind: string): AnyDeviceModel | undefined {
	return byKind.get(kind);
}
