import {firstX2ApicId, type ProcessorTopology} from '#main/topology';
import {descriptionTable} from './description-table.ts';
import {concatBytes, packedRecord} from './packed-record/index.ts';

/** What the MADT tells about this machine. */
export interface MadtOptions {
	readonly topology: ProcessorTopology;
	readonly sciIrq: number;
}

export const localApicAddress = 0xfee0_0000;
export const ioApicAddress = 0xfec0_0000;

const pcatCompatible = 1;
const processorEnabled = 1;
/** MPS INTI flags: active high, level triggered (ACPI 6.5, table 5.26). */
const activeHighLevel = 0b1101;
const conformsToBus = 0;
const firstWideUid = 256;

/** Interrupt controller structures (ACPI 6.5, 5.2.12). */
const header = packedRecord([
	['localApicAddress', 0, 4],
	['flags', 4, 4],
]);
const localApic = packedRecord([
	['type', 0, 1],
	['length', 1, 1],
	['processorUid', 2, 1],
	['apicId', 3, 1],
	['flags', 4, 4],
]);
const ioApic = packedRecord([
	['type', 0, 1],
	['length', 1, 1],
	['id', 2, 1],
	['reserved', 3, 1],
	['address', 4, 4],
	['gsiBase', 8, 4],
]);
const sourceOverride = packedRecord([
	['type', 0, 1],
	['length', 1, 1],
	['bus', 2, 1],
	['source', 3, 1],
	['gsi', 4, 4],
	['flags', 8, 2],
]);
const localApicNmi = packedRecord([
	['type', 0, 1],
	['length', 1, 1],
	['processorUid', 2, 1],
	['flags', 3, 2],
	['lint', 5, 1],
]);
const localX2Apic = packedRecord([
	['type', 0, 1],
	['length', 1, 1],
	['reserved', 2, 2],
	['x2apicId', 4, 4],
	['flags', 8, 4],
	['processorUid', 12, 4],
]);
const localX2ApicNmi = packedRecord([
	['type', 0, 1],
	['length', 1, 1],
	['flags', 2, 2],
	['processorUid', 4, 4],
	['lint', 8, 1],
	['reserved', 9, 3],
]);

/** MADT revision 5: interrupt controllers and processors. A processor's UID is its index plus one. */
export function buildMadt({topology, sciIrq}: MadtOptions): Uint8Array {
	const entries = [
		header.encode({localApicAddress, flags: pcatCompatible}),
		ioApic.encode({type: 1, length: ioApic.length, address: ioApicAddress}),
		override(sciIrq, sciIrq, activeHighLevel),
	];
	// The PIT's interrupt does not arrive at the I/O APIC's input 0, which is the PIC's.
	entries.push(override(0, 2, conformsToBus));
	entries.push(...nmiEntries(topology));
	for (const vp of topology.vps) entries.push(processorEntry(vp.index + 1, vp.apicId));
	return descriptionTable('APIC', 5, concatBytes(...entries));
}

function override(source: number, gsi: number, flags: number): Uint8Array {
	return sourceOverride.encode({type: 2, length: sourceOverride.length, source, gsi, flags});
}

/** LINT1 is NMI on every processor; the two forms address processors of the two entry forms. */
function nmiEntries(topology: ProcessorTopology): Uint8Array[] {
	const entries = [localApicNmi.encode({type: 4, length: localApicNmi.length, processorUid: 0xff, lint: 1})];
	if (topology.vps.some((vp) => needsX2ApicEntry(vp.index + 1, vp.apicId))) {
		const all = {type: 10, length: localX2ApicNmi.length, processorUid: 0xffff_ffff, lint: 1};
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
		? localX2Apic.encode({type: 9, length: localX2Apic.length, x2apicId: apicId, flags, processorUid})
		: localApic.encode({type: 0, length: localApic.length, processorUid, apicId, flags});
}
