import {pmLayout} from '#devices/chipset/acpi-pm';
import {ioApicAddress} from '#devices/chipset/ioapic-82093aa';
import type {MemoryRange} from '#devices/guest-memory';
import type {ProcessorTopology} from '#main/topology';
import {
	type Aml,
	device,
	eisaId,
	integer,
	interrupt,
	ioPorts,
	memory32Fixed,
	method,
	name,
	packageOf,
	qwordMemory,
	resourceTemplate,
	returns,
	scope,
	string,
} from './aml/index.ts';
import {descriptionTable} from './description-table.ts';
import {localApicAddress} from './madt.ts';

/** Number of a COM port. */
export type ComPort = 1 | 2 | 3 | 4;

/** What the DSDT describes. */
export interface DsdtOptions {
	readonly topology: ProcessorTopology;
	readonly comPorts: readonly ComPort[];
	/** Further devices of the `\_SB` scope, encoded. */
	readonly devices: readonly Aml[];
	/** Methods of the `\_GPE` scope, encoded. */
	readonly events: readonly Aml[];
}

const comResources = {
	1: {base: 0x3f8, irq: 4},
	2: {base: 0x2f8, irq: 3},
	3: {base: 0x3e8, irq: 4},
	4: {base: 0x2e8, irq: 3},
} as const;

/** SLP_TYP of the working state, which no guest writes. */
const s0SleepType = 0;

const present = 0xf;

/**
 * DSDT: sleep states, the fixed devices, and one device per processor. S4 is left out, as OpenVMM does without
 * firmware: Linux then ends a hibernation by powering off.
 */
export function buildDsdt({topology, comPorts, devices, events}: DsdtOptions): Uint8Array {
	// Each state is absolute and of two elements, the form in which simple guests search for power-off.
	const sleepState = (path: string, type: number) => name(path, packageOf(integer(type), integer(type)));
	return descriptionTable(
		'DSDT',
		2,
		sleepState('\\_S0', s0SleepType),
		sleepState('\\_S5', pmLayout.sleepTypes.s5),
		scope(
			'\\_SB',
			apics(),
			...comPorts.map(uart),
			realTimeClock(),
			...devices,
			...topology.vps.map((vp) => processor(vp.index + 1)),
		),
		...(events.length > 0 ? [scope('\\_GPE', ...events)] : []),
	);
}

/**
 * The device that holds the chipset's MMIO windows when there is no PCI bus to hold them; VMBus takes its MMIO space
 * from it.
 */
export function mmioModule(windows: readonly MemoryRange[]): Aml {
	return device(
		'VMOD',
		name('_HID', string('ACPI0004')),
		name('_UID', integer(0)),
		name('_CRS', resourceTemplate(...windows.map(({gpa, length}) => qwordMemory(gpa, length)))),
	);
}

function apics(): Aml {
	const registers = [localApicAddress, ioApicAddress].map((address) => memory32Fixed(address, 0x1000));
	return device('APIC', name('_HID', eisaId('PNP0003')), name('_CRS', resourceTemplate(...registers)));
}

function uart(port: ComPort): Aml {
	const {base, irq} = comResources[port];
	return device(
		`UAR${port}`,
		name('_HID', eisaId('PNP0501')),
		name('_DDN', string(`COM${port}`)),
		name('_UID', integer(port)),
		name('_CRS', resourceTemplate(ioPorts(base, 8), interrupt(irq, {edge: true}))),
	);
}

function realTimeClock(): Aml {
	return device(
		'RTC0',
		name('_HID', eisaId('PNP0B00')),
		name('_UID', integer(0)),
		name('_CRS', resourceTemplate(ioPorts(0x70, 2, 0), interrupt(8, {edge: true}))),
	);
}

/** `P001` to `P999`, then `Q000`: the UID is the MADT's. */
function processor(uid: number): Aml {
	const letter = String.fromCharCode('P'.charCodeAt(0) + Math.floor(uid / 1000));
	return device(
		letter + String(uid % 1000).padStart(3, '0'),
		name('_HID', string('ACPI0007')),
		name('_UID', integer(uid)),
		method('_STA', 0, returns(integer(present))),
	);
}
