import {crc32c} from '../crc32c.ts';
import {encodeHeader, guidBytes, type Header, MiB, places} from '../structures.ts';

export const logSectorBytes = 4096;

/** What an entry says, but for the log that it is of. */
export interface EntrySpec {
	readonly sequence: number;
	/** Where in the log the oldest entry is that still counts. */
	readonly tail: number;
	/** Sectors that are written; of a length they are zeros. */
	readonly writes: readonly {readonly offset: number; readonly sector?: Uint8Array; readonly length?: number}[];
	/** Bytes that it has, with what lies in it behind its own. */
	readonly bytes?: number;
	/** Size of the file that was on stable storage, and that it has when the entry was applied. */
	readonly flushed?: number;
	readonly fileBytes?: number;
}

/** An entry as [MS-VHDX] 2.3.1 has it. */
export function encodeEntry(logGuid: string, spec: EntrySpec): Buffer {
	const {sequence, tail, writes, bytes, flushed = 4 * MiB, fileBytes = 8 * MiB} = spec;
	const head = Buffer.alloc(Math.ceil((64 + writes.length * 32) / logSectorBytes) * logSectorBytes);
	const sectors: Buffer[] = [];
	for (const [index, {offset, sector, length}] of writes.entries()) {
		const at = 64 + index * 32;
		head.write(sector === undefined ? 'zero' : 'desc', at, 'latin1');
		head.writeBigUInt64LE(BigInt(offset), at + 16);
		head.writeBigUInt64LE(BigInt(sequence), at + 24);
		if (sector === undefined) {
			head.writeBigUInt64LE(BigInt(length ?? 0), at + 8);
			continue;
		}
		head.set(sector.subarray(-4), at + 4);
		head.set(sector.subarray(0, 8), at + 8);
		const data = Buffer.from(sector);
		data.write('data', 0, 'latin1');
		data.writeUInt32LE(0, 4);
		data.writeUInt32LE(sequence, logSectorBytes - 4);
		sectors.push(data);
	}
	const own = Buffer.concat([head, ...sectors]);
	const entry = Buffer.concat([own, Buffer.alloc(Math.max(0, (bytes ?? 0) - own.length))]);
	entry.write('loge', 0, 'latin1');
	entry.writeUInt32LE(entry.length, 8);
	entry.writeUInt32LE(tail, 12);
	entry.writeBigUInt64LE(BigInt(sequence), 16);
	entry.writeUInt32LE(writes.length, 24);
	guidBytes(logGuid).copy(entry, 32);
	entry.writeBigUInt64LE(BigInt(flushed), 48);
	entry.writeBigUInt64LE(BigInt(fileBytes), 56);
	seal(entry);
	return entry;
}

function seal(entry: Buffer): void {
	entry.writeUInt32LE(0, 4);
	entry.writeUInt32LE(crc32c(entry), 4);
}

/** Puts entries, one behind the other, into the log of an image that has none, and lets both headers say so. */
export function putLog(
	image: Buffer,
	header: Header,
	entries: readonly Omit<EntrySpec, 'tail'>[],
	logGuid: string,
): void {
	let at = 0;
	for (const spec of entries) at += encodeEntry(logGuid, {...spec, tail: 0}).copy(image, header.logOffset + at);
	for (const [slot, place] of places.headers.entries())
		encodeHeader({...header, sequence: header.sequence + BigInt(slot), logGuid}).copy(image, place);
}

/** Makes the checksums of all entries right that lie in a part of a file. */
export function mendEntries(image: Buffer, start: number, end: number): void {
	for (let at = start; at + logSectorBytes <= Math.min(end, image.length); at += logSectorBytes) {
		const length = image.readUInt32LE(at + 8);
		if (image.toString('latin1', at, at + 4) === 'loge' && length >= 64 && at + length <= end)
			seal(image.subarray(at, at + length));
	}
}
