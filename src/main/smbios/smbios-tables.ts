import type {SmbiosStructure} from '#devices/device-type';
import {bootLayout, type MemoryPiece, type ReservedRange} from '#main/loader';
import {
	ascii,
	bytes,
	checksum,
	concatBytes,
	type Fields,
	type InputFields,
	reserved,
	type Scalar,
	text,
	u8,
	u16,
	u32,
	u64,
	type Wire,
	wire,
} from '#support/wire';
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

/** 64-bit entry point. */
const entryPoint = wire('SMBIOS entry point', {
	anchor: text(5).at(0x00),
	checksum: u8.at(0x05),
	length: u8.at(0x06),
	majorVersion: u8.at(0x07),
	minorVersion: u8.at(0x08),
	docrev: u8.at(0x09),
	revision: u8.at(0x0a),
	reserved: reserved(1).at(0x0b),
	tableMaximumSize: u32.at(0x0c),
	tableAddress: u64.at(0x10),
}).sized(0x18, 'SMBIOS 3.1, table 2');
const entryPointRevision = 1;

/** The header that every structure begins with. */
const structureHeader = wire('SMBIOS structure', {
	type: u8.at(0x00),
	length: u8.at(0x01),
	handle: u16.at(0x02),
}).sized(0x4, 'SMBIOS 3.1, 6.1.2');

/** A structure's record: its header, which says its type and length, and its fields. */
const recordOf = <const T extends Fields>(name: string, type: number, size: number, section: string, fields: T) =>
	wire(name, {
		...structureHeader.fields,
		type: structureHeader.fields.type.initial(type),
		length: structureHeader.fields.length.initial(size),
		...fields,
	}).sized(size, section);

/** BIOS information, type 0. */
const biosInformation = recordOf('BIOS information', 0, 0x1a, 'SMBIOS 3.1, 7.1', {
	vendor: u8.at(0x04),
	version: u8.at(0x05),
	startSegment: u16.at(0x06),
	releaseDate: u8.at(0x08),
	romSize: u8.at(0x09),
	characteristics: u64.at(0x0a),
	extension1: u8.at(0x12),
	extension2: u8.at(0x13),
	majorRelease: u8.at(0x14),
	minorRelease: u8.at(0x15),
	controllerMajorRelease: u8.at(0x16),
	controllerMinorRelease: u8.at(0x17),
	extendedRomSize: u16.at(0x18),
});
const biosCharacteristics = {pciSupported: 1 << 7} as const;
const biosExtension1 = {acpi: 1 << 0} as const;
const biosExtension2 = {virtualMachine: 1 << 4} as const;
const noController = 0xff;

/** System information, type 1. */
const systemInformation = recordOf('system information', 1, 0x1b, 'SMBIOS 3.1, 7.2', {
	manufacturer: u8.at(0x04),
	productName: u8.at(0x05),
	version: u8.at(0x06),
	serialNumber: u8.at(0x07),
	uuid: bytes(16).at(0x08),
	wakeUpType: u8.at(0x18),
	skuNumber: u8.at(0x19),
	family: u8.at(0x1a),
});
/** Handles before it are those of the BIOS and the system. */
const firstDeviceHandle = 2;
const wakeUpByPowerSwitch = 6;

/** End of table, type 127. */
const endOfTable = recordOf('end of table', 127, 0x4, 'SMBIOS 3.1, 7.45', {});

/**
 * Builds the entry point at F0000, where guests search for it, and the structure table at `tableAddress`: the first page
 * after the ACPI tables.
 * @param devices - structures of the machine's devices, in their order
 * @throws VmmError with an `SMBIOS_` code when a string cannot be represented or the table does not fit
 */
export function buildSmbiosTables(
	tableAddress: number,
	devices: readonly SmbiosStructure[] = [],
	identity: SmbiosIdentity = openvmmIdentity,
): SmbiosTables {
	const table = structureTable(identity, devices);
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
		length: entryPoint.size,
		majorVersion: version.major,
		minorVersion: version.minor,
		revision: entryPointRevision,
		tableMaximumSize,
		tableAddress,
	});
	bytes[entryPoint.offset('checksum')] = checksum(bytes);
	return bytes;
}

function structureTable({bios, system}: SmbiosIdentity, devices: readonly SmbiosStructure[]): Uint8Array {
	return concatBytes(
		structure(0, biosInformation, (text) => ({
			vendor: text(bios.vendor),
			version: text(bios.version),
			releaseDate: text(bios.releaseDate),
			characteristics: biosCharacteristics.pciSupported,
			extension1: biosExtension1.acpi,
			extension2: biosExtension2.virtualMachine,
			controllerMajorRelease: noController,
			controllerMinorRelease: noController,
		})),
		structure(1, systemInformation, (text) => ({
			manufacturer: text(system.manufacturer),
			productName: text(system.productName),
			version: text(system.version),
			serialNumber: text(system.serialNumber),
			uuid: system.uuid,
			wakeUpType: wakeUpByPowerSwitch,
			skuNumber: text(system.skuNumber),
			family: text(system.family),
		})),
		...devices.map((each, index) => deviceStructure(firstDeviceHandle + index, each)),
		structure(firstDeviceHandle + devices.length, endOfTable, () => ({})),
	);
}

/** A structure of a device's. */
function deviceStructure(handle: number, {type, body, strings = []}: SmbiosStructure): Uint8Array {
	const header = structureHeader.encode({type, length: structureHeader.size + body.length, handle});
	return concatBytes(header, body, stringSet(strings));
}

/** A structure: its record, then the strings that the record names by number. */
function structure<T extends Fields>(
	handle: number,
	record: Wire<T & {handle: Scalar<'u16'>}>,
	fields: (text: (value: string) => number) => InputFields<T>,
): Uint8Array {
	const strings: string[] = [];
	// An empty string cannot be stored: number 0 says that there is none.
	const values = fields((value) => (value === '' ? 0 : strings.push(value)));
	return concatBytes(record.encode({...values, handle}), stringSet(strings));
}

/** Strings, closed by an empty one (6.1.3). */
function stringSet(strings: readonly string[]): Uint8Array {
	const refused = strings.find((value) => !/^[\x20-\x7e]+$/.test(value));
	if (refused !== undefined) throw smbiosError('SMBIOS_STRING_INVALID', {value: refused});
	const closing = new Uint8Array(strings.length > 0 ? 1 : 2);
	return concatBytes(...strings.flatMap((value) => [ascii(value), Uint8Array.of(0)]), closing);
}
