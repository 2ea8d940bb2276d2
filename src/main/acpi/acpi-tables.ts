import type {AcpiDescription} from '#devices/acpi';
import {bootLayout, type MemoryPiece, type ReservedRange} from '#main/loader';
import type {ProcessorTopology} from '#main/topology';
import {checksum, littleEndian, reserved, text, u8, u32, u64, wire} from '#support/wire';
import {descriptionTable, oemId} from './description-table.ts';
import {buildDsdt} from './dsdt.ts';
import {acpiError} from './errors.ts';
import {buildFadt} from './fadt.ts';
import {buildMadt} from './madt.ts';
import {type AcpiNuma, buildSlit, buildSrat} from './numa.ts';
import {buildMcfg, buildPcieSsdt, type PcieHostBridge} from './pcie.ts';

/** Firmware ACPI control structure, version 2. Unlike every other table it has no checksum. */
const facs = wire('FACS', {
	signature: text(4).at(0),
	length: u32.at(4),
	hardwareSignature: u32.at(8),
	firmwareWakingVector: u32.at(12),
	globalLock: u32.at(16),
	flags: u32.at(20),
	xFirmwareWakingVector: u64.at(24),
	version: u8.at(32),
	reserved1: reserved(3).at(33),
	ospmFlags: u32.at(36),
	reserved2: reserved(24).at(40),
}).sized(64, 'ACPI 6.5, table 5.12');

/** FACS: the global lock, free, and the vectors of a wake-up that this machine does not have. The guest writes to both. */
function buildFacs(): Uint8Array {
	return facs.encode({signature: 'FACS', length: facs.size, version: 2});
}

/** The machine as its ACPI tables describe it. */
export interface AcpiOptions {
	readonly topology: ProcessorTopology;
	/** Descriptions of the machine's devices, in the tables' order. */
	readonly devices: readonly AcpiDescription[];
	/** PCIe root complexes; MCFG and SSDT exist when there are some. */
	readonly hostBridges?: readonly PcieHostBridge[];
	/** NUMA nodes; SRAT, and with distances SLIT, exist when there is something to say of them. */
	readonly numa?: AcpiNuma;
	/** Address of the tables; defaults to the place after a direct boot's data, {@link bootLayout}. */
	readonly tablesBase?: number;
}

/** Tables ready for guest memory. */
export interface AcpiTables {
	readonly pieces: readonly MemoryPiece[];
	/** Address of the RSDP. */
	readonly rsdp: number;
	/** The tables and the BIOS area, for the guest's memory map. */
	readonly reserved: readonly ReservedRange[];
	/** First page after the tables. */
	readonly end: number;
}

const pageSize = 0x1000;

/** RSDP, revision 2. */
const rsdp = wire('RSDP', {
	signature: text(8).at(0),
	checksum: u8.at(8),
	oemId: text(6).at(9),
	revision: u8.at(15),
	rsdtAddress: u32.at(16),
	length: u32.at(20),
	xsdtAddress: u64.at(24),
	extendedChecksum: u8.at(32),
	reserved: reserved(3).at(33),
}).sized(36, 'ACPI 6.5, table 5.3');
const firstRsdpLength = 20;

/**
 * Builds RSDP, RSDT, XSDT, FACS, FADT, MADT, DSDT, with PCIe also MCFG and SSDT, with NUMA nodes also SRAT and SLIT.
 * @throws VmmError with an `ACPI_` code when the tables do not fit
 */
export function buildAcpiTables(options: AcpiOptions): AcpiTables {
	const {topology, devices, hostBridges = [], numa, tablesBase = bootLayout.acpiTables} = options;
	const {rsdp: rsdpAddress, facs} = bootLayout;
	const tables = new TableStack(tablesBase);
	const dsdt = tables.add('DSDT', buildDsdt(topology, devices));
	const fixed = devices.flatMap(({fadt = []}) => fadt);
	const levelInterrupts = devices.flatMap((device) => device.levelInterrupts ?? []);
	const listed = [
		tables.add('FADT', buildFadt(fixed, facs, dsdt)),
		tables.add('MADT', buildMadt({topology, levelInterrupts})),
	];
	if (hostBridges.length > 0) {
		listed.push(tables.add('MCFG', buildMcfg(hostBridges)), tables.add('SSDT', buildPcieSsdt(hostBridges)));
	}
	if (numa !== undefined) {
		listed.push(tables.add('SRAT', buildSrat(topology, numa)));
		if (numa.distances !== undefined) listed.push(tables.add('SLIT', buildSlit(numa.distances)));
	}
	for (const {table} of devices) {
		if (table === undefined) continue;
		const {signature, revision, body} = table;
		listed.push(tables.add(signature, descriptionTable(signature, revision, body)));
	}
	const addresses = (size: number) => listed.map((address) => littleEndian(address, size));
	// The same list twice: old and small kernels know the first only, in which all addresses are below 4 GiB as here.
	const rsdt = tables.add('RSDT', descriptionTable('RSDT', 1, ...addresses(4)));
	const xsdt = tables.add('XSDT', descriptionTable('XSDT', 1, ...addresses(8)));
	const end = Math.ceil(tables.end / pageSize) * pageSize;
	if (end > bootLayout.ebda) throw acpiError('ACPI_TABLES_TOO_LARGE', {end, limit: bootLayout.ebda});
	return {
		pieces: [
			...tables.pieces,
			{name: 'ACPI RSDP', gpa: rsdpAddress, data: buildRsdp(rsdt, xsdt)},
			{name: 'ACPI FACS', gpa: facs, data: buildFacs()},
		],
		rsdp: rsdpAddress,
		reserved: [
			{gpa: tablesBase, length: end - tablesBase, kind: 'acpi'},
			{gpa: rsdpAddress, length: bootLayout.smbiosEntry - rsdpAddress, kind: 'reserved'},
		],
		end,
	};
}

function buildRsdp(rsdtAddress: number, xsdtAddress: number): Uint8Array {
	const addresses = {rsdtAddress, xsdtAddress};
	const table = rsdp.encode({signature: 'RSD PTR ', oemId, revision: 2, length: rsdp.size, ...addresses});
	table[rsdp.offset('checksum')] = checksum(table.subarray(0, firstRsdpLength));
	table[rsdp.offset('extendedChecksum')] = checksum(table);
	return table;
}

/** Tables one after the other, each at a multiple of 8. */
class TableStack {
	readonly pieces: MemoryPiece[] = [];
	end: number;

	constructor(base: number) {
		this.end = base;
	}

	/** Places a table and tells where. */
	add(name: string, data: Uint8Array): number {
		const gpa = this.end;
		this.pieces.push({name: `ACPI ${name}`, gpa, data});
		this.end = Math.ceil((gpa + data.length) / 8) * 8;
		return gpa;
	}
}
