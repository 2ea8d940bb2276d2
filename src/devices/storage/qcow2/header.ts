/** The header of a qcow2 image and its extensions (QEMU, docs/interop/qcow2.txt, "Header", "Header extensions"). */
import {type BackingReference, type ImageFile, imageError} from '#devices/storage/image';

export const format = 'qcow2';

const magic = 0x5146_49fb;
/** Bytes of the header by version; a later one may have more fields. */
const headerBytes = {2: 72, 3: 104} as const;
const compressionTypeAt = 104;
const limits = {
	/** QEMU goes no further, and no image needs it. */
	clusterBits: {least: 9, most: 21},
	l1Bytes: 32 * 2 ** 20,
	refcountTableBytes: 8 * 2 ** 20,
	backingName: 1023,
	snapshots: 65_536,
	extensions: 64,
} as const;

/** Bits of the features, by which an implementation knows whether it may use an image. */
export const Incompatible = {dirty: 1, corrupt: 2, externalData: 4, compressionType: 8, extendedL2: 16} as const;
export const Compatible = {lazyRefcounts: 1} as const;
export const Autoclear = {bitmaps: 1} as const;

/** Offsets of header fields that are written after the image was made. */
export const field = {
	backingOffset: 8,
	backingSize: 16,
	size: 24,
	l1Size: 36,
	l1Offset: 40,
	refcountTableOffset: 48,
	refcountTableClusters: 56,
	incompatibleLow: 76,
	autoclear: 88,
} as const;

const extensionTypes = {end: 0, backingFormat: 0xe279_2aca, bitmaps: 0x2385_2875} as const;

/** A checked header. */
export interface Header {
	readonly version: 2 | 3;
	readonly clusterBits: number;
	readonly clusterBytes: number;
	readonly sizeBytes: number;
	readonly l1Size: number;
	readonly l1Offset: number;
	readonly refcountTableOffset: number;
	readonly refcountTableClusters: number;
	/** The width of a reference count is 2 to this power, in bits. */
	readonly refcountOrder: number;
	readonly snapshotCount: number;
	readonly snapshotsOffset: number;
	/** The lower halves of the features: bits that nobody has given a meaning refuse the image, or do not matter. */
	readonly incompatible: number;
	readonly compatible: number;
	/** True when any bit is set, known or not. */
	readonly hasAutoclear: boolean;
	readonly compression: 'zlib' | 'zstd';
	readonly backing: BackingReference | undefined;
	/** Where the directory of consistent bitmaps is. */
	readonly bitmaps: {readonly offset: number; readonly bytes: number} | undefined;
}

/** Entries of an L1 table that a disk needs. */
export const l1SizeFor = (sizeBytes: number, clusterBytes: number): number =>
	Math.ceil(sizeBytes / (clusterBytes * (clusterBytes / 8)));

/** The largest disk that the limit of L1 tables allows. */
export const mostBytes = (clusterBytes: number): number =>
	Math.min(Number.MAX_SAFE_INTEGER, (limits.l1Bytes / 8) * (clusterBytes / 8) * clusterBytes);

/**
 * Reads and checks the header.
 * @throws VmmError DISK_IMAGE_DAMAGED, DISK_IMAGE_UNSUPPORTED
 */
export async function readHeader(file: ImageFile): Promise<Header> {
	const {path} = file;
	const damaged = (what: string) => imageError('DISK_IMAGE_DAMAGED', {path, format, what});
	const unsupported = (what: string) => imageError('DISK_IMAGE_UNSUPPORTED', {path, format, what});
	const fileBytes = await file.size();
	const start = Buffer.alloc(headerBytes[3] + 8);
	await file.read(0, start);
	const u32 = (at: number) => start.readUInt32BE(at);
	const offsetAt = (at: number, name: string) => {
		const value = u32(at) * 2 ** 32 + u32(at + 4);
		if (!Number.isSafeInteger(value)) throw damaged(`its ${name} is beyond 2^53`);
		return value;
	};
	if (fileBytes < headerBytes[2] || u32(0) !== magic) throw damaged('it does not begin as one');
	const version = u32(4);
	if (version !== 2 && version !== 3) throw unsupported(`it is of version ${version}, and 2 and 3 are known`);
	const clusterBits = u32(20);
	if (clusterBits < limits.clusterBits.least || clusterBits > limits.clusterBits.most)
		throw damaged(`its clusters have 2^${clusterBits} bytes`);
	const clusterBytes = 2 ** clusterBits;
	const isAligned = (offset: number) => offset % clusterBytes === 0;
	const v3 = version === 3;
	const headerLength = v3 ? u32(100) : headerBytes[2];
	if (headerLength < headerBytes[version] || headerLength > clusterBytes || headerLength % 8 !== 0)
		throw damaged(`its header has ${headerLength} bytes`);
	const [incompatibleHigh, incompatible] = v3 ? [u32(72), u32(76)] : [0, 0];
	if (incompatible & Incompatible.externalData)
		throw unsupported('its data lie in another file, which whoever wrote it could choose');
	if (incompatible & Incompatible.extendedL2) throw unsupported('its clusters are divided (extended L2 entries)');
	if (incompatibleHigh !== 0 || incompatible >>> 5 !== 0)
		throw unsupported(
			`it has features that are not known (0x${incompatibleHigh.toString(16)}${incompatible.toString(16).padStart(8, '0')})`,
		);
	if (u32(32) !== 0) throw unsupported('it is encrypted');
	const compressionType = headerLength > compressionTypeAt ? (start[compressionTypeAt] ?? 0) : 0;
	if (((incompatible & Incompatible.compressionType) !== 0) !== (compressionType !== 0))
		throw damaged('its kind of compression is said in one place and not in the other');
	if (compressionType > 1)
		throw unsupported(`its clusters are compressed in a way that is not known (${compressionType})`);
	const refcountOrder = v3 ? u32(96) : 4;
	if (refcountOrder > 6) throw damaged(`its reference counts have 2^${refcountOrder} bits`);

	const sizeBytes = offsetAt(24, 'size');
	const l1Size = u32(36);
	const l1Offset = offsetAt(40, 'L1 table');
	if (l1Size * 8 > limits.l1Bytes) throw damaged(`its L1 table has ${l1Size} entries`);
	if (l1Size < l1SizeFor(sizeBytes, clusterBytes))
		throw damaged(`its L1 table has ${l1Size} entries, too few for ${sizeBytes} bytes`);
	const refcountTableOffset = offsetAt(48, 'refcount table');
	const refcountTableClusters = u32(56);
	if (refcountTableClusters === 0 || refcountTableClusters * clusterBytes > limits.refcountTableBytes)
		throw damaged(`its refcount table has ${refcountTableClusters} clusters`);
	const snapshotCount = u32(60);
	const snapshotsOffset = offsetAt(64, 'snapshot table');
	if (snapshotCount > limits.snapshots) throw damaged(`it has ${snapshotCount} snapshots`);
	if (!isAligned(l1Offset) || !isAligned(refcountTableOffset) || (snapshotCount > 0 && !isAligned(snapshotsOffset)))
		throw damaged('a table of it begins within a cluster');
	if ((l1Size > 0 && l1Offset === 0) || refcountTableOffset === 0)
		throw damaged('a table of it lies where the header is');
	if (l1Offset + l1Size * 8 > fileBytes + clusterBytes || refcountTableOffset > fileBytes)
		throw damaged('a table of it lies behind its end');

	const backingOffset = offsetAt(8, 'backing name');
	const backingSize = u32(16);
	const extensionsEnd = backingOffset === 0 ? clusterBytes : Math.min(backingOffset, clusterBytes);
	const extensions = await readExtensions(file, headerLength, extensionsEnd, damaged);
	let backing: BackingReference | undefined;
	if (backingOffset !== 0) {
		if (backingSize > limits.backingName || backingSize === 0 || backingOffset + backingSize > clusterBytes)
			throw damaged(`the name of the image below it has ${backingSize} bytes at ${backingOffset}`);
		const name = Buffer.alloc(backingSize);
		await file.read(backingOffset, name);
		backing = {name: name.toString(), format: extensions.get(extensionTypes.backingFormat)?.toString()};
	}
	const hasAutoclear = v3 && (u32(88) !== 0 || u32(92) !== 0);
	const bitmaps = v3 && (u32(92) & Autoclear.bitmaps) !== 0 ? extensions.get(extensionTypes.bitmaps) : undefined;
	return {
		version,
		clusterBits,
		clusterBytes,
		sizeBytes,
		l1Size,
		l1Offset,
		refcountTableOffset,
		refcountTableClusters,
		refcountOrder,
		snapshotCount,
		snapshotsOffset,
		incompatible,
		compatible: v3 ? u32(84) : 0,
		hasAutoclear,
		compression: compressionType === 1 ? 'zstd' : 'zlib',
		backing,
		bitmaps:
			bitmaps !== undefined && bitmaps.length >= 24
				? {bytes: Number(bitmaps.readBigUInt64BE(8)), offset: Number(bitmaps.readBigUInt64BE(16))}
				: undefined,
	};
}

/** The extensions by their types, of those whose type is said once. */
async function readExtensions(file: ImageFile, start: number, end: number, damaged: (what: string) => Error) {
	const area = Buffer.alloc(end - Math.min(start, end));
	await file.read(start, area);
	const found = new Map<number, Buffer>();
	for (let at = 0, count = 0; at + 8 <= area.length; count++) {
		const [type, length] = [area.readUInt32BE(at), area.readUInt32BE(at + 4)];
		if (type === extensionTypes.end) break;
		if (count === limits.extensions || at + 8 + length > area.length)
			throw damaged('an extension of its header goes on behind its room');
		found.set(type, area.subarray(at + 8, at + 8 + length));
		at += 8 + Math.ceil(length / 8) * 8;
	}
	return found;
}

/** What a new header says. */
export type NewHeader = Pick<
	Header,
	| 'version'
	| 'clusterBits'
	| 'sizeBytes'
	| 'l1Size'
	| 'l1Offset'
	| 'refcountTableOffset'
	| 'refcountTableClusters'
	| 'refcountOrder'
	| 'compatible'
	| 'compression'
	| 'backing'
>;

/** Names of features, for those who do not know them. */
const featureNames: readonly (readonly [type: number, bit: number, name: string])[] = [
	[0, 0, 'dirty bit'],
	[0, 1, 'corrupt bit'],
	[0, 3, 'compression type'],
	[1, 0, 'lazy refcounts'],
];

/** The first cluster of a new image. The name of the image below must fit behind the extensions. */
export function encodeHeader(header: NewHeader): Buffer {
	const bytes = Buffer.alloc(2 ** header.clusterBits);
	const u64 = (at: number, value: number) => bytes.writeBigUInt64BE(BigInt(value), at);
	const v3 = header.version === 3;
	const length = v3 ? headerBytes[3] + 8 : headerBytes[2];
	bytes.writeUInt32BE(magic, 0);
	bytes.writeUInt32BE(header.version, 4);
	bytes.writeUInt32BE(header.clusterBits, 20);
	u64(field.size, header.sizeBytes);
	bytes.writeUInt32BE(header.l1Size, field.l1Size);
	u64(field.l1Offset, header.l1Offset);
	u64(field.refcountTableOffset, header.refcountTableOffset);
	bytes.writeUInt32BE(header.refcountTableClusters, field.refcountTableClusters);
	if (v3) {
		bytes.writeUInt32BE(header.compatible, 84);
		bytes.writeUInt32BE(header.refcountOrder, 96);
		bytes.writeUInt32BE(length, 100);
		if (header.compression === 'zstd') {
			bytes.writeUInt32BE(Incompatible.compressionType, field.incompatibleLow);
			bytes[compressionTypeAt] = 1;
		}
	}
	let at = length;
	const extension = (type: number, data: Buffer) => {
		bytes.writeUInt32BE(type, at);
		bytes.writeUInt32BE(data.length, at + 4);
		data.copy(bytes, at + 8);
		at += 8 + Math.ceil(data.length / 8) * 8;
	};
	const {backing} = header;
	if (backing?.format !== undefined) extension(extensionTypes.backingFormat, Buffer.from(backing.format));
	// Small clusters keep their room for the name.
	if (v3 && bytes.length >= 4096) extension(0x6803_f857, featureTable());
	at += 8;
	if (backing !== undefined) {
		const name = Buffer.from(backing.name);
		u64(field.backingOffset, at);
		bytes.writeUInt32BE(name.length, field.backingSize);
		name.copy(bytes, at);
	}
	return bytes;
}

/** The longest name that a new header has room for. */
export const backingNameRoom = (clusterBytes: number): number =>
	Math.min(limits.backingName, clusterBytes - (clusterBytes >= 4096 ? 1024 : 160));

const featureTable = (): Buffer =>
	Buffer.concat(
		featureNames.map(([type, bit, name]) => {
			const row = Buffer.alloc(48);
			row[0] = type;
			row[1] = bit;
			row.write(name, 2);
			return row;
		}),
	);
