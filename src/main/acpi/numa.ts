import type {MemoryRange} from '#devices/guest-memory';
import {firstX2ApicId, type ProcessorTopology} from '#main/topology';
import {bytes, concatBytes, littleEndian, reserved, u8, u16, u32, u64, wire} from '#support/wire';
import {descriptionTable, typedStructure} from './description-table.ts';

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

/** Static resource affinity structures. */
const header = wire('SRAT header', {
	// 1, for guests that knew the table before ACPI did.
	reserved1: u32.at(0).initial(1),
	reserved2: reserved(8).at(4),
}).sized(12, 'ACPI 6.5, 5.2.16');
const localApic = typedStructure('SRAT local APIC', 0, 16, {
	domainLow: u8.at(2),
	apicId: u8.at(3),
	flags: u32.at(4),
	localSapicEid: u8.at(8),
	domainHigh: bytes(3).at(9),
	clockDomain: u32.at(12),
});
const memoryAffinity = typedStructure('SRAT memory affinity', 1, 40, {
	domain: u32.at(2),
	reserved1: reserved(2).at(6),
	base: u64.at(8),
	rangeLength: u64.at(16),
	reserved2: reserved(4).at(24),
	flags: u32.at(28),
	reserved3: reserved(8).at(32),
});
const localX2Apic = typedStructure('SRAT local x2APIC', 2, 24, {
	reserved1: reserved(2).at(2),
	domain: u32.at(4),
	x2apicId: u32.at(8),
	flags: u32.at(12),
	clockDomain: u32.at(16),
	reserved2: reserved(4).at(20),
});
const genericInitiator = typedStructure('SRAT generic initiator', 5, 32, {
	reserved1: reserved(1).at(2),
	handleType: u8.at(3),
	domain: u32.at(4),
	segment: u16.at(8),
	/** Device and function above the bus (table 5.67, device handle - PCI). */
	bus: u8.at(10),
	devfn: u8.at(11),
	handleReserved: reserved(12).at(12),
	flags: u32.at(24),
	reserved2: reserved(4).at(28),
});
const pciHandle = 1;

/** SRAT revision 3: the node of each processor, range of RAM and generic initiator. */
export function buildSrat({vps}: ProcessorTopology, {processors, memory, initiators}: AcpiNuma): Uint8Array {
	return descriptionTable(
		'SRAT',
		3,
		header.encode({}),
		...vps.map(({index, apicId}) => processorEntry(apicId, processors[index] as number)),
		...memory.flatMap((ranges, domain) =>
			ranges.map(({gpa: base, length: rangeLength}) =>
				memoryAffinity.encode({domain, base, rangeLength, flags: enabled}),
			),
		),
		...initiators.map(({node: domain, ...where}) =>
			genericInitiator.encode({
				handleType: pciHandle,
				domain,
				...where,
				flags: enabled,
			}),
		),
	);
}

function processorEntry(apicId: number, domain: number): Uint8Array {
	if (apicId >= firstX2ApicId) return localX2Apic.encode({domain, x2apicId: apicId, flags: enabled});
	return localApic.encode({
		domainLow: domain & 0xff,
		apicId,
		flags: enabled,
		domainHigh: littleEndian(domain >>> 8, 3),
	});
}

/** System localities. */
const localities = wire('SLIT localities', {count: u64.at(0)}).sized(8, 'ACPI 6.5, table 5.81');

/** SLIT: how far each node is from each. */
export function buildSlit(distances: readonly (readonly number[])[]): Uint8Array {
	return descriptionTable(
		'SLIT',
		1,
		localities.encode({count: distances.length}),
		concatBytes(...distances.map((row) => Uint8Array.from(row))),
	);
}
