import {checksum, concatBytes, type Fields, text, u8, u32, wire} from '#support/wire';

/** DESCRIPTION_HEADER. */
export const tableHeader = wire('table header', {
	signature: text(4).at(0),
	length: u32.at(4),
	revision: u8.at(8),
	checksum: u8.at(9),
	oemId: text(6).at(10),
	oemTableId: text(8).at(16),
	oemRevision: u32.at(24),
	creatorId: text(4).at(28),
	creatorRevision: u32.at(32),
}).sized(36, 'ACPI 6.5, table 5.4');

/** A structure in a table's body: its type and length, then what it says (ACPI 6.5, 5.2.12 and 5.2.16). */
export const typedStructure = <const T extends Fields>(name: string, type: number, size: number, fields: T) =>
	wire(name, {type: u8.at(0).initial(type), length: u8.at(1).initial(size), ...fields}).sized(size);

/** The maker of the tables, as guests see it. */
export const oemId = 'OPENVM';

/** Bytes of the header that every table begins with. */
export const headerLength = tableHeader.size;

/** A whole table: header, length and checksum around `body`. */
export function descriptionTable(signature: string, revision: number, ...body: readonly Uint8Array[]): Uint8Array {
	const content = concatBytes(...body);
	const values = {signature, length: tableHeader.size + content.length, revision, oemId, oemTableId: 'OPENVMM'};
	const table = concatBytes(
		tableHeader.encode({...values, oemRevision: 1, creatorId: 'OVMM', creatorRevision: 1}),
		content,
	);
	table[tableHeader.offset('checksum')] = checksum(table);
	return table;
}
