import {ascii, checksum, concatBytes, type FieldValue, type PackedRecord, packedRecord} from '#main/acpi/packed-record';
import {bootLayout, type MemoryPiece, type ReservedRange} from '#main/loader';
import {smbiosError} from './errors.ts';
import {openvmmIdentity, type SmbiosIdentity} from './identity.ts';

/** SMBIOS ready for guest memory. */
export interface SmbiosTables {
	readonly pieces: readonly MemoryPiece[];
	/** The structure table and the area of the entry point, for the guest's memory map. */
	readonly reserved: readonly ReservedRange[];
	/** First page after the structure table. */
	readonly end: number;
}

const pageSize = 0x1000;
const version = {major: 3, minor: 1} as const;

/** 64-bit entry point (SMBIOS 3.1, table 2). */
const entryPoint = packedRecord([
	['anchor', 0x00, 5],
	['checksum', 0x05, 1],
	['length', 0x06, 1],
	['majorVersion', 0x07, 1],
	['minorVersion', 0x08, 1],
	['docrev', 0x09, 1],
	['revision', 0x0a, 1],
	['reserved', 0x0b, 1],
	['tableMaximumSize', 0x0c, 4],
	['tableAddress', 0x10, 8],
]);
const entryPointRevision = 1;

/** BIOS information, type 0 (SMBIOS 3.1, 7.1). */
const biosInformation = packedRecord([
	['type', 0x00, 1],
	['length', 0x01, 1],
	['handle', 0x02, 2],
	['vendor', 0x04, 1],
	['version', 0x05, 1],
	['startSegment', 0x06, 2],
	['releaseDate', 0x08, 1],
	['romSize', 0x09, 1],
	['characteristics', 0x0a, 8],
	['extension1', 0x12, 1],
	['extension2', 0x13, 1],
	['majorRelease', 0x14, 1],
	['minorRelease', 0x15, 1],
	['controllerMajorRelease', 0x16, 1],
	['controllerMinorRelease', 0x17, 1],
	['extendedRomSize', 0x18, 2],
]);
const biosCharacteristics = {pciSupported: 1 << 7} as const;
const biosExtension1 = {acpi: 1 << 0} as const;
const biosExtension2 = {virtualMachine: 1 << 4} as const;
const noController = 0xff;

/** System information, type 1 (SMBIOS 3.1, 7.2). */
const systemInformation = packedRecord([
	['type', 0x00, 1],
	['length', 0x01, 1],
	['handle', 0x02, 2],
	['manufacturer', 0x04, 1],
	['productName', 0x05, 1],
	['version', 0x06, 1],
	['serialNumber', 0x07, 1],
	['uuid', 0x08, 16],
	['wakeUpType', 0x18, 1],
	['skuNumber', 0x19, 1],
	['family', 0x1a, 1],
]);
const wakeUpByPowerSwitch = 6;

/** End of table, type 127 (SMBIOS 3.1, 7.45). */
const endOfTable = packedRecord([
	['type', 0x00, 1],
	['length', 0x01, 1],
	['handle', 0x02, 2],
]);

/**
 * Builds the entry point at F0000, where guests search for it, and the structure table at `tableAddress`: the first page
 * after the ACPI tables.
 * @throws VmmError with an `SMBIOS_` code when a string cannot be represented or the table does not fit
 */
export function buildSmbiosTables(tableAddress: number, identity: SmbiosIdentity = openvmmIdentity): SmbiosTables {
	const table = structureTable(identity);
	const end = Math.ceil((tableAddress + table.length) / pageSize) * pageSize;
	if (end > bootLayout.ebda) throw smbiosError('SMBIOS_TABLE_TOO_LARGE', {end, limit: bootLayout.ebda});
	return {
		pieces: [
			{name: 'SMBIOS table', gpa: tableAddress, data: table},
			{name: 'SMBIOS entry point', gpa: bootLayout.smbiosEntry, data: buildEntryPoint(tableAddress, table.length)},
		],
		reserved: [
			{gpa: tableAddress, length: end - tableAddress, kind: 'reserved'},
			{gpa: bootLayout.smbiosEntry, length: bootLayout.kernel - bootLayout.smbiosEntry, kind: 'reserved'},
		],
		end,
	};
}

function buildEntryPoint(tableAddress: number, tableMaximumSize: number): Uint8Array {
	const bytes = entryPoint.encode({
		anchor: '_SM3_',
		length: entryPoint.length,
		majorVersion: version.major,
		minorVersion: version.minor,
		revision: entryPointRevision,
		tableMaximumSize,
		tableAddress,
	});
	bytes[5] = checksum(bytes);
	return bytes;
}

function structureTable({bios, system}: SmbiosIdentity): Uint8Array {
	return concatBytes(
		structure(0, 0, biosInformation, (text) => ({
			vendor: text(bios.vendor),
			version: text(bios.version),
			releaseDate: text(bios.releaseDate),
			characteristics: biosCharacteristics.pciSupported,
			extension1: biosExtension1.acpi,
			extension2: biosExtension2.virtualMachine,
			controllerMajorRelease: noController,
			controllerMinorRelease: noController,
		})),
		structure(1, 1, systemInformation, (text) => ({
			manufacturer: text(system.manufacturer),
			productName: text(system.productName),
			version: text(system.version),
			serialNumber: text(system.serialNumber),
			uuid: system.uuid,
			wakeUpType: wakeUpByPowerSwitch,
			skuNumber: text(system.skuNumber),
			family: text(system.family),
		})),
		structure(127, 2, endOfTable, () => ({})),
	);
}

type Common = 'type' | 'length' | 'handle';
type Values<N extends string> = Partial<Record<Exclude<N, Common>, FieldValue>>;

/** A structure: its record, then the strings that the record names by number, closed by an empty one (6.1.3). */
function structure<N extends string>(
	type: number,
	handle: number,
	record: PackedRecord<N | Common>,
	fields: (text: (value: string) => number) => Values<N>,
): Uint8Array {
	const strings: Uint8Array[] = [];
	const values = fields((value) => {
		// An empty string cannot be stored: number 0 says that there is none.
		if (value === '') return 0;
		if (!/^[\x20-\x7e]+$/.test(value)) throw smbiosError('SMBIOS_STRING_INVALID', {value});
		return strings.push(ascii(value), Uint8Array.of(0)) / 2;
	});
	const common = {type, length: record.length, handle} as Partial<Record<N | Common, FieldValue>>;
	const closing = new Uint8Array(strings.length > 0 ? 1 : 2);
	return concatBytes(record.encode({...common, ...(values as object)}), ...strings, closing);
}
