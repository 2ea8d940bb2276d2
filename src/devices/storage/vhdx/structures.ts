/** The structures of VHDX ([MS-VHDX]): headers, region table, metadata. Numbers are little-endian. */
import {randomBytes} from 'node:crypto';
import {type ImageFile, imageError} from '#devices/storage/image';
import {crc32c} from './crc32c.ts';

export const format = 'vhdx';
export const MiB = 2 ** 20;
/** Where the two headers and the two region tables are (2.2). */
export const places = {headers: [64 * 1024, 128 * 1024], regionTables: [192 * 1024, 256 * 1024]} as const;
export const headerBytes = 4096;
export const tableBytes = 64 * 1024;
/** The log is replayed in memory where the file is not written. */
const limits = {logBytes: 64 * MiB, batBytes: 64 * MiB, itemBytes: MiB, regions: 2047, items: 2047} as const;
/** 64 TiB (2.6.2.2). */
export const mostBytes = 64 * 2 ** 40;

/** Identifiers in their text form (2.2.3.2, 2.6.2). */
export const guids = {
	bat: '2dc27766-f623-4200-9d64-115e9bfd4a08',
	metadata: '8b7ca206-4790-4b9a-b8fe-575f050f886e',
	fileParameters: 'caa16737-fa36-4d43-b3b6-33f0aa44e76b',
	diskSize: '2fa54224-cd1b-4876-b211-5dbed83bf4b8',
	page83: 'beca12ab-b2e6-4523-93ef-c309e000c746',
	logicalSector: '8141bf1d-a96f-4709-ba47-f233a8faab5f',
	physicalSector: 'cda348c7-445d-4471-9cc9-e9885251c556',
	parentLocator: 'a8d35f2d-b30b-454d-abf7-d3d84834ab0c',
	parentType: 'b04aefb7-d19e-4a81-b789-25b8e9445913',
	none: '00000000-0000-0000-0000-000000000000',
} as const;

/** An identifier's text. Its first three parts are little-endian numbers. */
export function guidText(bytes: Buffer, at: number): string {
	const part = (length: number, from: number) =>
		bytes
			.readUIntLE(at + from, length)
			.toString(16)
			.padStart(length * 2, '0');
	const rest = bytes.toString('hex', at + 8, at + 16);
	return `${part(4, 0)}-${part(2, 4)}-${part(2, 6)}-${rest.slice(0, 4)}-${rest.slice(4)}`;
}

/** An identifier's bytes. */
export function guidBytes(text: string): Buffer {
	const bytes = Buffer.from(text.replaceAll('-', ''), 'hex');
	bytes.subarray(0, 4).reverse();
	bytes.subarray(4, 6).reverse();
	bytes.subarray(6, 8).reverse();
	return bytes;
}

/** A new identifier. */
export const newGuid = (): string => guidText(randomBytes(16), 0);

/** The current header (2.2.2). */
export interface Header {
	/** Which of the two it is. */
	readonly slot: 0 | 1;
	readonly sequence: bigint;
	readonly fileWriteGuid: string;
	/** What is below an image is known by this. */
	readonly dataWriteGuid: string;
	readonly logGuid: string;
	readonly logOffset: number;
	readonly logBytes: number;
}

/** The checksum of a structure, in which its own field counts as zeros. */
export function checksumOf(bytes: Buffer): number {
	const copy = Buffer.from(bytes);
	copy.writeUInt32LE(0, 4);
	return crc32c(copy);
}

/** Reads the header that counts: of those that are whole the one that was written later. @throws VmmError DISK_IMAGE_* */
export async function readHeader(file: ImageFile): Promise<Header> {
	const {path} = file;
	const damaged = (what: string) => imageError('DISK_IMAGE_DAMAGED', {path, format, what});
	const start = Buffer.alloc(8);
	await file.read(0, start);
	if (start.toString('latin1') !== 'vhdxfile') throw damaged('it does not begin as one');
	const headers: Header[] = [];
	for (const slot of [0, 1] as const) {
		const bytes = Buffer.alloc(headerBytes);
		await file.read(places.headers[slot], bytes);
		if (bytes.toString('latin1', 0, 4) !== 'head' || bytes.readUInt32LE(4) !== checksumOf(bytes)) continue;
		// The next headers have the next numbers, and nobody has counted so far.
		if (bytes.readUInt16LE(66) !== 1 || bytes.readBigUInt64LE(8) >= 2n ** 63n) continue;
		headers.push({
			slot,
			sequence: bytes.readBigUInt64LE(8),
			fileWriteGuid: guidText(bytes, 16),
			dataWriteGuid: guidText(bytes, 32),
			logGuid: guidText(bytes, 48),
			logBytes: bytes.readUInt32LE(68),
			logOffset: Number(bytes.readBigUInt64LE(72)),
		});
	}
	const [header] = headers.sort((a, b) => (a.sequence > b.sequence ? -1 : 1));
	if (header === undefined) throw damaged('both of its headers are broken');
	const {logOffset, logBytes} = header;
	if (
		logOffset % MiB !== 0 ||
		logOffset < MiB ||
		logBytes % MiB !== 0 ||
		logBytes === 0 ||
		!Number.isSafeInteger(logOffset)
	)
		throw damaged(`its log has ${logBytes} bytes at ${logOffset}`);
	if (logBytes > limits.logBytes)
		throw imageError('DISK_IMAGE_UNSUPPORTED', {
			path,
			format,
			what: `its log has ${logBytes} bytes, more than ${limits.logBytes}`,
		});
	return header;
}

/** A header's bytes. */
export function encodeHeader(header: Omit<Header, 'slot'>): Buffer {
	const bytes = Buffer.alloc(headerBytes);
	bytes.write('head', 0, 'latin1');
	bytes.writeBigUInt64LE(header.sequence, 8);
	guidBytes(header.fileWriteGuid).copy(bytes, 16);
	guidBytes(header.dataWriteGuid).copy(bytes, 32);
	guidBytes(header.logGuid).copy(bytes, 48);
	bytes.writeUInt16LE(1, 66);
	bytes.writeUInt32LE(header.logBytes, 68);
	bytes.writeBigUInt64LE(BigInt(header.logOffset), 72);
	bytes.writeUInt32LE(checksumOf(bytes), 4);
	return bytes;
}

/** A part of the file (2.2.3). */
export interface Region {
	readonly guid: string;
	readonly offset: number;
	readonly bytes: number;
}

/** Reads the region table: the first that is whole. @throws VmmError DISK_IMAGE_* */
export async function readRegions(file: ImageFile): Promise<readonly Region[]> {
	const {path} = file;
	for (const place of places.regionTables) {
		const bytes = Buffer.alloc(tableBytes);
		await file.read(place, bytes);
		if (bytes.toString('latin1', 0, 4) !== 'regi' || bytes.readUInt32LE(4) !== checksumOf(bytes)) continue;
		const count = bytes.readUInt32LE(8);
		if (count > limits.regions) continue;
		const regions = Array.from({length: count}, (_, index) => {
			const at = 16 + index * 32;
			const region = {
				guid: guidText(bytes, at),
				offset: Number(bytes.readBigUInt64LE(at + 16)),
				bytes: bytes.readUInt32LE(at + 24),
			};
			const {guid, offset, bytes: length} = region;
			if (!Number.isSafeInteger(offset) || offset % MiB !== 0 || offset < MiB || length % MiB !== 0 || length === 0)
				throw imageError('DISK_IMAGE_DAMAGED', {path, format, what: `a region of it has ${length} bytes at ${offset}`});
			const isKnown = guid === guids.bat || guid === guids.metadata;
			if (!isKnown && (bytes.readUInt32LE(at + 28) & 1) !== 0)
				throw imageError('DISK_IMAGE_UNSUPPORTED', {
					path,
					format,
					what: `it needs a region that is not known (${guid})`,
				});
			return region;
		});
		return regions;
	}
	throw imageError('DISK_IMAGE_DAMAGED', {path, format, what: 'both of its region tables are broken'});
}

/** A region table's bytes. */
export function encodeRegions(regions: readonly Region[]): Buffer {
	const table = Buffer.alloc(tableBytes);
	table.write('regi', 0, 'latin1');
	table.writeUInt32LE(regions.length, 8);
	for (const [index, {guid, offset, bytes}] of regions.entries()) {
		const at = 16 + index * 32;
		guidBytes(guid).copy(table, at);
		table.writeBigUInt64LE(BigInt(offset), at + 16);
		table.writeUInt32LE(bytes, at + 24);
		table.writeUInt32LE(guid === guids.bat || guid === guids.metadata ? 1 : 0, at + 28);
	}
	table.writeUInt32LE(checksumOf(table), 4);
	return table;
}

/** What the metadata say (2.6). */
export interface Metadata {
	readonly blockBytes: number;
	/** Blocks stay where they are, whatever is in them. */
	readonly isFixed: boolean;
	readonly hasParent: boolean;
	readonly sizeBytes: number;
	/** Where in the file the size is. */
	readonly sizeOffset: number;
	readonly sectorBytes: number;
	readonly parentLocator: Buffer | undefined;
}

/** Metadata items that are known, by how many bytes they have; the locator has any number. */
const itemSizes: Readonly<Record<string, number>> = {
	[guids.fileParameters]: 8,
	[guids.diskSize]: 8,
	[guids.page83]: 16,
	[guids.logicalSector]: 4,
	[guids.physicalSector]: 4,
	[guids.parentLocator]: 0,
};

/** @throws VmmError DISK_IMAGE_* */
export async function readMetadata(file: ImageFile, region: Region): Promise<Metadata> {
	const {path} = file;
	const damaged = (what: string) => imageError('DISK_IMAGE_DAMAGED', {path, format, what});
	const table = Buffer.alloc(tableBytes);
	await file.read(region.offset, table);
	const count = table.readUInt16LE(10);
	if (table.toString('latin1', 0, 8) !== 'metadata' || count > limits.items)
		throw damaged('its metadata do not begin as such');
	const items = new Map<string, {bytes: Buffer; at: number}>();
	for (let index = 0; index < count; index++) {
		const at = 32 + index * 32;
		const guid = guidText(table, at);
		const [offset, length, flags] = [
			table.readUInt32LE(at + 16),
			table.readUInt32LE(at + 20),
			table.readUInt32LE(at + 24),
		];
		const size = itemSizes[guid];
		if (size === undefined) {
			if ((flags & 4) === 0) continue;
			throw imageError('DISK_IMAGE_UNSUPPORTED', {
				path,
				format,
				what: `it needs metadata that are not known (${guid})`,
			});
		}
		if (
			offset < tableBytes ||
			offset + length > region.bytes ||
			length > limits.itemBytes ||
			(size !== 0 && length !== size)
		)
			throw damaged(`an item of its metadata has ${length} bytes at ${offset}`);
		const bytes = Buffer.alloc(length);
		await file.read(region.offset + offset, bytes);
		items.set(guid, {bytes, at: region.offset + offset});
	}
	const [parameters, size, sector] = [guids.fileParameters, guids.diskSize, guids.logicalSector].map((guid) =>
		items.get(guid),
	);
	if (parameters === undefined || size === undefined || sector === undefined)
		throw damaged('its metadata lack what each image has');
	const blockBytes = parameters.bytes.readUInt32LE(0);
	const flags = parameters.bytes.readUInt32LE(4);
	const sizeBytes = Number(size.bytes.readBigUInt64LE(0));
	const sectorBytes = sector.bytes.readUInt32LE(0);
	if (blockBytes < MiB || blockBytes > 256 * MiB || (blockBytes & (blockBytes - 1)) !== 0)
		throw damaged(`its blocks have ${blockBytes} bytes`);
	if (sectorBytes !== 512 && sectorBytes !== 4096) throw damaged(`its sectors have ${sectorBytes} bytes`);
	if (sizeBytes === 0 || sizeBytes > mostBytes || sizeBytes % sectorBytes !== 0)
		throw damaged(`its disk has ${sizeBytes} bytes`);
	const hasParent = (flags & 2) !== 0;
	const locator = items.get(guids.parentLocator)?.bytes;
	if (hasParent && locator === undefined) throw damaged('it does not say what it lies over');
	if (hasParent && sectorBytes !== 512)
		throw imageError('DISK_IMAGE_UNSUPPORTED', {
			path,
			format,
			what: 'it lies over another one in sectors of 4096 bytes',
		});
	return {
		blockBytes,
		isFixed: (flags & 1) !== 0,
		hasParent,
		sizeBytes,
		sizeOffset: size.at,
		sectorBytes,
		parentLocator: hasParent ? locator : undefined,
	};
}

/** Shape of the block allocation table (2.5): an entry for a bitmap of sectors follows those of a chunk of blocks. */
export interface BatShape {
	/** Blocks of a chunk. */
	readonly chunk: number;
	readonly entries: number;
}

/** The table that a disk needs. @throws VmmError DISK_IMAGE_SIZE_INVALID */
export function batShape(
	path: string,
	sizeBytes: number,
	{blockBytes, sectorBytes, hasParent}: Pick<Metadata, 'blockBytes' | 'sectorBytes' | 'hasParent'>,
): BatShape {
	const chunk = (2 ** 23 * sectorBytes) / blockBytes;
	const blocks = Math.ceil(sizeBytes / blockBytes);
	const entries = hasParent ? Math.ceil(blocks / chunk) * (chunk + 1) : blocks + Math.floor((blocks - 1) / chunk);
	if (entries * 8 > limits.batBytes) {
		const what = `blocks of ${blockBytes} bytes are too small for it: their table would have more than ${limits.batBytes} bytes`;
		throw imageError('DISK_IMAGE_SIZE_INVALID', {path, format, sizeBytes, what});
	}
	return {chunk, entries};
}

/** States of an entry (2.5.1.1). */
export const PayloadState = {notPresent: 0, undefined: 1, zero: 2, unmapped: 3, full: 6, partial: 7} as const;
