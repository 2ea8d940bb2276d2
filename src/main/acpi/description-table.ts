import {checksum, concatBytes, packedRecord} from './packed-record/index.ts';

/** DESCRIPTION_HEADER (ACPI 6.5, table 5.4). */
const header = packedRecord([
	['signature', 0, 4],
	['length', 4, 4],
	['revision', 8, 1],
	['checksum', 9, 1],
	['oemId', 10, 6],
	['oemTableId', 16, 8],
	['oemRevision', 24, 4],
	['creatorId', 28, 4],
	['creatorRevision', 32, 4],
]);

/** Who made the tables, as guests see it. */
export const oemId = 'OPENVM';

/** Bytes of the header that every table begins with. */
export const headerLength = header.length;

/** A whole table: header, length and checksum around `body`. */
export function descriptionTable(signature: string, revision: number, ...body: readonly Uint8Array[]): Uint8Array {
	const content = concatBytes(...body);
	const values = {signature, length: header.length + content.length, revision, oemId, oemTableId: 'OPENVMM'};
	const table = concatBytes(header.encode({...values, oemRevision: 1, creatorId: 'OVMM', creatorRevision: 1}), content);
	table[9] = checksum(table);
	return table;
}
