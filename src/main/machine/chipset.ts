import {acpiPmKind} from '#devices/chipset/acpi-pm';
import {cmosRtcKind} from '#devices/chipset/cmos-rtc';
import {generationIdKind} from '#devices/chipset/generation-id';
import {i8042Kind} from '#devices/chipset/i8042';
import {ioApic82093aaKind} from '#devices/chipset/ioapic-82093aa';
import {missingKind} from '#devices/chipset/missing';
import {pciConfigKind} from '#devices/chipset/pci-config';
import {pic8259Kind} from '#devices/chipset/pic-8259';
import {pit8254Kind} from '#devices/chipset/pit-8254';
import {powerOffPortsKind} from '#devices/chipset/power-off-ports';
import {pvpanicKind} from '#devices/chipset/pvpanic';
import type {KindHandle} from '#devices/device-type';
import type {VmConfig} from '#main/config';
import {bootLayout} from '#main/loader';
import {generationIdName} from './generation.ts';

/** Name of the power-management device. */
export const pmName = 'pm';

/** A handle with a name. */
type Named = KindHandle & {readonly name: string};

/** The devices of every PC. */
const everywhere: readonly Named[] = [
	{kind: cmosRtcKind, name: 'rtc'},
	{kind: acpiPmKind, name: pmName},
	{kind: generationIdKind, name: generationIdName, options: {address: bootLayout.generationId}},
	{kind: i8042Kind, name: 'i8042'},
	{kind: pvpanicKind, name: 'pvpanic'},
	{kind: pciConfigKind, name: 'pci-config'},
	{kind: powerOffPortsKind, name: 'power-off-ports'},
	{kind: missingKind, name: 'missing'},
];

/** The interrupt controllers and the timer that are the kernel's where they are not ours. */
const interruptChips: readonly Named[] = [
	{kind: pic8259Kind, name: 'pic'},
	{kind: ioApic82093aaKind, name: 'ioapic'},
	{kind: pit8254Kind, name: 'pit'},
];

/** The devices that a machine has without being asked. */
export const chipset = ({irqchip}: Pick<VmConfig, 'irqchip'>): readonly Named[] => [
	...(irqchip === 'split' ? interruptChips : []),
	...everywhere,
];

/** Their names. */
export const chipsetNames = (config: Pick<VmConfig, 'irqchip'>): string[] => chipset(config).map(({name}) => name);
