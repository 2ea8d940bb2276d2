import type {MemoryRange} from '#devices/guest-memory';
import {firstX2ApicId, type ProcessorTopology} from '#main/topology';
import {descriptionTable} from './description-table.ts';
import {concatBytes, packedRecord} from './packed-record/index.ts';

/** The machine's NUMA nodes as the tables tell of them. A node's number is its proximity domain. */
export interface AcpiNuma {
	/** The node of each processor, by index. */
	readonly processors: readonly number[];
	/** RAM by node. */
	readonly memory: readonly (readonly MemoryRange[])[];
	/** PCI functions that use the memory of a node as processors do. */
	readonly initiators: readonly AcpiInitiator[];
	/** From each node to each; without it there is no SLIT. */
	readonly distances?: readonly (readonly number[])[];
}

/** A generic initiator. */
export interface AcpiInitiator {
	readonly segment: number;
	readonly bus: number;
	readonly devfn: number;
	readonly node: number;
}

const enabled = 1;

/** Static resource affinity structures (ACPI 6.5, 5.2.16). */
const header = packedRecord([
	['reserved1', 0, 4],
	['reserved2', 4, 8],
]);
const localApic = packedRecord([
	['type', 0, 1],
	['length', 1, 1],
	['domainLow', 2, 1],
	['apicId', 3, 1],
	['flags', 4, 4],
	['localSapicEid', 8, 1],
	['domainHigh', 9, 3],
	['clockDomain', 12, 4],
]);
const memoryAffinity = packedRecord([
	['type', 0, 1],
	['length', 1, 1],
	['domain', 2, 4],
	['reserved1', 6, 2],
	['base', 8, 8],
	['rangeLength', 16, 8],
	['reserved2', 24, 4],
	['flags', 28, 4],
	['reserved3', 32, 8],
]);
const localX2Apic = packedRecord([
	['type', 0, 1],
	['length', 1, 1],
	['reserved1', 2, 2],
	['domain', 4, 4],
	['x2apicId', 8, 4],
	['flags', 12, 4],
	['clockDomain', 16, 4],
	['reserved2', 20, 4],
]);
const genericInitiator = packedRecord([
	['type', 0, 1],
	['length', 1, 1],
	['reserved1', 2, 1],
	['handleType', 3, 1],
	['domain', 4, 4],
	['segment', 8, 2],
	/** Device and function above the bus (table 5.67, device handle - PCI). */
	['bus', 10, 1],
	['devfn', 11, 1],
	['handleReserved', 12, 12],
	['flags', 24, 4],
	['reserved2', 28, 4],
]);
const pciHandle = 1;

/** SRAT revision 3: the node of each processor, range of RAM and generic initiator. */
export function buildSrat({vps}: ProcessorTopology, {processors, memory, initiators}: AcpiNuma): Uint8Array {
	return descriptionTable(
		'SRAT',
		3,
		// The first word is 1, for guests that knew the table before ACPI did.
		header.encode({reserved1: 1}),
		...vps.map(({index, apicId}) => processorEntry(apicId, processors[index] as number)),
		...memory.flatMap((ranges, domain) =>
			ranges.map(({gpa: base, length: rangeLength}) =>
				memoryAffinity.encode({type: 1, length: memoryAffinity.length, domain, base, rangeLength, flags: enabled}),
			),
		),
		...initiators.map(({node: domain, ...where}) =>
			genericInitiator.encode({
				type: 5,
				length: genericInitiator.length,
				handleType: pciHandle,
				domain,
				...where,
				flags: enabled,
			}),
		),
	);
}

function processorEntry(apicId: number, domain: number): Uint8Array {
	if (apicId >= firstX2ApicId)
		return localX2Apic.encode({type: 2, length: localX2Apic.length, domain, x2apicId: apicId, flags: enabled});
	return localApic.encode({
		type: 0,
		length: localApic.length,
		domainLow: domain & 0xff,
		apicId,
		flags: enabled,
		domainHigh: domain >>> 8,
	});
}

/** System localities (ACPI 6.5, table 5.81). */
const localities = packedRecord([['count', 0, 8]]);

/** SLIT: how far each node is from each. */
export function buildSlit(distances: readonly (readonly number[])[]): Uint8Array {
	return descriptionTable(
		'SLIT',
		1,
		localities.encode({count: distances.length}),
		concatBytes(...distances.map((row) => Uint8Array.from(row))),
	);
}
