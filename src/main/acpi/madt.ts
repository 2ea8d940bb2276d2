import {ioApicAddress} from '#devices/chipset/ioapic-82093aa';
import {firstX2ApicId, type ProcessorTopology} from '#main/topology';
import {concatBytes, reserved, u8, u16, u32, wire} from '#support/wire';
import {descriptionTable, typedStructure} from './description-table.ts';

/** Content of this machine's MADT. */
export interface MadtOptions {
	readonly topology: ProcessorTopology;
	/** ISA interrupts that are level-triggered, active high. */
	readonly levelInterrupts: readonly number[];
}

export const localApicAddress = 0xfee0_0000;

const pcatCompatible = 1;
const processorEnabled = 1;
/** MPS INTI flags: active high, level triggered (ACPI 6.5, table 5.26). */
const activeHighLevel = 0b1101;
const conformsToBus = 0;
const firstWideUid = 256;

/** Interrupt controller structures. */
const header = wire('MADT header', {
	localApicAddress: u32.at(0),
	flags: u32.at(4),
}).sized(8, 'ACPI 6.5, 5.2.12');
const localApic = typedStructure('MADT local APIC', 0, 8, {
	processorUid: u8.at(2),
	apicId: u8.at(3),
	flags: u32.at(4),
});
const ioApic = typedStructure('MADT I/O APIC', 1, 12, {
	id: u8.at(2),
	reserved: reserved(1).at(3),
	address: u32.at(4),
	gsiBase: u32.at(8),
});
const sourceOverride = typedStructure('MADT source override', 2, 10, {
	bus: u8.at(2),
	source: u8.at(3),
	gsi: u32.at(4),
	flags: u16.at(8),
});
const localApicNmi = typedStructure('MADT local APIC NMI', 4, 6, {
	processorUid: u8.at(2),
	flags: u16.at(3),
	lint: u8.at(5),
});
const localX2Apic = typedStructure('MADT local x2APIC', 9, 16, {
	reserved: reserved(2).at(2),
	x2apicId: u32.at(4),
	flags: u32.at(8),
	processorUid: u32.at(12),
});
const localX2ApicNmi = typedStructure('MADT local x2APIC NMI', 10, 12, {
	flags: u16.at(2),
	processorUid: u32.at(4),
	lint: u8.at(8),
	reserved: reserved(3).at(9),
});

/** MADT revision 5: interrupt controllers and processors. A processor's UID is its index plus one. */
export function buildMadt({topology, levelInterrupts}: MadtOptions): Uint8Array {
	const entries = [
		header.encode({localApicAddress, flags: pcatCompatible}),
		ioApic.encode({address: ioApicAddress}),
		...levelInterrupts.map((number) => override(number, number, activeHighLevel)),
	];
	// The PIT's interrupt does not arrive at the I/O APIC's input 0, which is the PIC's.
	entries.push(override(0, 2, conformsToBus));
	entries.push(...nmiEntries(topology));
	for (const vp of topology.vps) entries.push(processorEntry(vp.index + 1, vp.apicId));
	return descriptionTable('APIC', 5, concatBytes(...entries));
}

function override(source: number, gsi: number, flags: number): Uint8Array {
	return sourceOverride.encode({source, gsi, flags});
}

/** LINT1 is NMI on every processor; the two forms address processors of the two entry forms. */
function nmiEntries(topology: ProcessorTopology): Uint8Array[] {
	const entries = [localApicNmi.encode({processorUid: 0xff, lint: 1})];
	if (topology.vps.some((vp) => needsX2ApicEntry(vp.index + 1, vp.apicId))) {
		const all = {processorUid: 0xffff_ffff, lint: 1};
		entries.push(localX2ApicNmi.encode(all));
	}
	return entries;
}

function needsX2ApicEntry(uid: number, apicId: number): boolean {
	return apicId >= firstX2ApicId || uid >= firstWideUid;
}

function processorEntry(processorUid: number, apicId: number): Uint8Array {
	const flags = processorEnabled;
	return needsX2ApicEntry(processorUid, apicId)
		? localX2Apic.encode({x2apicId: apicId, flags, processorUid})
		: localApic.encode({processorUid, apicId, flags});
}
