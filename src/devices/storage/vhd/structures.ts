/** The structures of VHD ("Virtual Hard Disk Image Format Specification", Microsoft, 2006). Numbers are big-endian. */
import {randomBytes} from 'node:crypto';
import {type ImageFile, imageError} from '#devices/storage/image';

export const format = 'vhd';
export const footerBytes = 512;
export const headerBytes = 1024;
/** An entry of the block allocation table for a block that is not there. */
export const noBlock = 0xffff_ffff;
/** Seconds from 1970 to 2000, where the format's time begins. */
const epoch = 946_684_800;
/** Creators whose disks have the size of their geometry, not the one that is written. */
const geometryCreators: readonly string[] = ['vpc ', 'vs  ', 'qemu'];
/** 2040 GiB, which the format and those who read it allow. */
export const mostBytes = 2040 * 2 ** 30;
const geometryLimit = 65_535 * 16 * 255;

/** Kinds of disks (Hard Disk Footer, Disk Type). */
export const DiskType = {fixed: 2, dynamic: 3, differencing: 4} as const;

/** A checked footer. */
export interface Footer {
	readonly type: number;
	readonly sizeBytes: number;
	/** Where the header of a dynamic disk is. */
	readonly headerOffset: number;
	/** All of its bytes: fields that have no meaning here are kept. */
	readonly bytes: Buffer;
}

/** The one's complement of the sum of all bytes, those of the checksum left out. */
export function checksumOf(bytes: Uint8Array, at: number): number {
	let sum = 0;
	for (const [index, byte] of bytes.entries()) if (index < at || index >= at + 4) sum += byte;
	return ~sum >>> 0;
}

/** The footer in these bytes, or undefined where there is none. */
export function parseFooter(bytes: Buffer): Footer | undefined {
	if (bytes.toString('latin1', 0, 8) !== 'conectix' || bytes.readUInt32BE(64) !== checksumOf(bytes, 64))
		return undefined;
	const [cylinders, heads, sectors] = [bytes.readUInt16BE(56), bytes.readUInt8(58), bytes.readUInt8(59)];
	const geometry = cylinders * heads * sectors;
	const byGeometry = geometryCreators.includes(bytes.toString('latin1', 28, 32)) && geometry !== geometryLimit;
	const sizeBytes = byGeometry ? geometry * 512 : Number(bytes.readBigUInt64BE(48));
	return {type: bytes.readUInt32BE(60), sizeBytes, headerOffset: Number(bytes.readBigUInt64BE(16)), bytes};
}

/** A disk's geometry (specification, appendix "CHS Calculation"): what an ATA disk of the size would say. */
export function geometryOf(sizeBytes: number): readonly [cylinders: number, heads: number, sectors: number] {
	const total = Math.min(Math.floor(sizeBytes / 512), geometryLimit);
	if (total >= 65_535 * 16 * 63) return [Math.floor(Math.floor(total / 255) / 16), 16, 255];
	let sectors = 17;
	let tracks = Math.floor(total / sectors);
	let heads = Math.max(4, Math.ceil(tracks / 1024));
	if (tracks >= heads * 1024 || heads > 16) {
		[sectors, heads] = [31, 16];
		tracks = Math.floor(total / sectors);
	}
	if (tracks >= heads * 1024) {
		[sectors, heads] = [63, 16];
		tracks = Math.floor(total / sectors);
	}
	return [Math.floor(tracks / heads), heads, sectors];
}

/** A footer for a new disk. */
export function makeFooter(sizeBytes: number, type: number): Buffer {
	const bytes = Buffer.alloc(footerBytes);
	bytes.write('conectix', 0, 'latin1');
	// Bit 1 is reserved, and always set.
	bytes.writeUInt32BE(2, 8);
	bytes.writeUInt32BE(0x1_0000, 12);
	bytes.writeBigUInt64BE(type === DiskType.fixed ? 2n ** 64n - 1n : BigInt(footerBytes), 16);
	bytes.writeUInt32BE(Math.floor(Date.now() / 1000) - epoch, 24);
	// Others take the size from the geometry, unless they know the creator as one that does not.
	bytes.write('win ', 28, 'latin1');
	bytes.writeUInt32BE(0x6_0001, 32);
	bytes.write('Wi2k', 36, 'latin1');
	bytes.writeBigUInt64BE(BigInt(sizeBytes), 40);
	bytes.writeUInt32BE(type, 60);
	randomBytes(16).copy(bytes, 68);
	return withSize(bytes, sizeBytes);
}

/** The footer of the same disk with another size. */
export function withSize(footer: Buffer, sizeBytes: number): Buffer {
	const bytes = Buffer.from(footer);
	const [cylinders, heads, sectors] = geometryOf(sizeBytes);
	// A size of its own is said by a creator who is known to say it.
	if (geometryCreators.includes(bytes.toString('latin1', 28, 32))) bytes.write('win ', 28, 'latin1');
	bytes.writeBigUInt64BE(BigInt(sizeBytes), 48);
	bytes.writeUInt16BE(cylinders, 56);
	bytes.writeUInt8(heads, 58);
	bytes.writeUInt8(sectors, 59);
	bytes.writeUInt32BE(checksumOf(bytes, 64), 64);
	return bytes;
}

/** What a dynamic disk's header says (Dynamic Disk Header Format). */
export interface DynamicHeader {
	readonly tableOffset: number;
	readonly entries: number;
	readonly blockBytes: number;
}

/** A dynamic disk's header. */
export function makeHeader({tableOffset, entries, blockBytes}: DynamicHeader): Buffer {
	const bytes = Buffer.alloc(headerBytes);
	bytes.write('cxsparse', 0, 'latin1');
	bytes.writeBigUInt64BE(2n ** 64n - 1n, 8);
	bytes.writeBigUInt64BE(BigInt(tableOffset), 16);
	bytes.writeUInt32BE(0x1_0000, 24);
	bytes.writeUInt32BE(entries, 28);
	bytes.writeUInt32BE(blockBytes, 32);
	bytes.writeUInt32BE(checksumOf(bytes, 36), 36);
	return bytes;
}

/** Blocks are from one sector to so many bytes. */
const mostBlockBytes = 2 ** 28;
/** The table is in memory: with blocks of 2 MiB it has 4 MiB at most. */
export const mostTableBytes = 2 ** 24;

/** @throws VmmError DISK_IMAGE_DAMAGED */
export function parseHeader(bytes: Buffer, footer: Footer, fileBytes: number, path: string): DynamicHeader {
	const damaged = (what: string) => imageError('DISK_IMAGE_DAMAGED', {path, format, what});
	if (bytes.toString('latin1', 0, 8) !== 'cxsparse') throw damaged('its header does not begin as one');
	if (bytes.readUInt32BE(36) !== checksumOf(bytes, 36)) throw damaged('the checksum of its header is wrong');
	const tableOffset = Number(bytes.readBigUInt64BE(16));
	const entries = bytes.readUInt32BE(28);
	const blockBytes = bytes.readUInt32BE(32);
	if (blockBytes < 512 || blockBytes > mostBlockBytes || (blockBytes & (blockBytes - 1)) !== 0)
		throw damaged(`its blocks have ${blockBytes} bytes`);
	if (entries < Math.ceil(footer.sizeBytes / blockBytes))
		throw damaged(`its table has ${entries} entries, too few for ${footer.sizeBytes} bytes`);
	if (Math.ceil(footer.sizeBytes / blockBytes) * 4 > mostTableBytes)
		throw imageError('DISK_IMAGE_UNSUPPORTED', {
			path,
			format,
			what: `its blocks of ${blockBytes} bytes are too small for ${footer.sizeBytes}`,
		});
	if (tableOffset % 512 !== 0 || tableOffset + entries * 4 > fileBytes)
		throw damaged(`its table lies behind its end, at ${tableOffset}`);
	if (tableOffset < footer.headerOffset + headerBytes) throw damaged('its table lies where its header is');
	return {tableOffset, entries, blockBytes};
}

/** The bytes of a block's bitmap in the file, which fill sectors. */
export const bitmapBytes = (blockBytes: number): number => Math.ceil(blockBytes / 512 / 8 / 512) * 512;

/** Reads and checks an image's footer: that at its end, or the copy that a dynamic disk begins with. @throws VmmError DISK_IMAGE_* */
export async function readFooter(file: ImageFile): Promise<{footer: Footer; isAtEnd: boolean; fileBytes: number}> {
	const {path} = file;
	const fileBytes = await file.size();
	const [last, first] = [Buffer.alloc(footerBytes), Buffer.alloc(footerBytes)];
	if (fileBytes >= footerBytes) await file.read(fileBytes - footerBytes, last);
	await file.read(0, first);
	const atEnd = parseFooter(last);
	const atStart = parseFooter(first);
	// A fixed disk begins with what the guest writes there.
	const footer = atEnd ?? (atStart?.type === DiskType.dynamic ? atStart : undefined);
	const damaged = (what: string) => imageError('DISK_IMAGE_DAMAGED', {path, format, what});
	if (footer === undefined) throw damaged('it does not end as one');
	if (footer.type === DiskType.differencing)
		throw imageError('DISK_IMAGE_UNSUPPORTED', {path, format, what: 'it has only the differences from another one'});
	if (footer.type !== DiskType.fixed && footer.type !== DiskType.dynamic) throw damaged(`its kind is ${footer.type}`);
	if (footer.sizeBytes > mostBytes || footer.sizeBytes % 512 !== 0)
		throw damaged(`its disk has ${footer.sizeBytes} bytes`);
	return {footer, isAtEnd: atEnd !== undefined, fileBytes};
}
