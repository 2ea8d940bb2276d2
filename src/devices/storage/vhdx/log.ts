/** The log of a VHDX ([MS-VHDX], 2.3): what was written to it and may not have reached its place when the image was last used. */
import {type ImageFile, imageError} from '#devices/storage/image';
import {crc32c} from './crc32c.ts';
import {format, guidText, type Header} from './structures.ts';

const sectorBytes = 4096;
const entryHeaderBytes = 64;
const descriptorBytes = 32;
/** Nothing before the region tables is in a log. */
const firstOffset = 192 * 1024;
/** Entries may overlap as whoever made them likes: so many times the log's bytes are checked, no more. */
const mostPasses = 8;

/** A change of the file: bytes, or zeros where there are none. */
export interface LoggedWrite {
	readonly offset: number;
	readonly length: number;
	readonly bytes: Buffer | undefined;
}

interface Entry {
	readonly sequence: bigint;
	readonly length: number;
	readonly tail: number;
	/** The file has at least so many bytes when it was applied. */
	readonly fileBytes: number;
	/** The file had at least so many bytes on stable storage when it was written. */
	readonly flushedBytes: number;
	readonly writes: readonly LoggedWrite[];
}

/** What is to be done to the file, in order. */
export interface Replay {
	readonly writes: readonly LoggedWrite[];
	readonly fileBytes: number;
}

/**
 * Reads the log: the newest whole sequence of entries counts.
 * @returns undefined where nothing is to be done
 * @throws VmmError DISK_IMAGE_DAMAGED
 */
export async function readLog(file: ImageFile, {logGuid, logOffset, logBytes}: Header): Promise<Replay | undefined> {
	if (/^[0-]*$/.test(logGuid)) return undefined;
	const damaged = (what: string) => imageError('DISK_IMAGE_DAMAGED', {path: file.path, format, what});
	const log = Buffer.alloc(logBytes);
	await file.read(logOffset, log);
	const reader = new LogReader(log, logGuid, logOffset, () => damaged('the entries of its log overlap without end'));
	let best: Sequence | undefined;
	for (let start = 0; start < logBytes; ) {
		const sequence = reader.sequence(start);
		if (sequence === undefined) {
			start += sectorBytes;
			continue;
		}
		if (sequence.entries !== undefined && (best === undefined || sequence.last.sequence > best.last.sequence))
			best = {entries: sequence.entries, last: sequence.last};
		if (sequence.end <= start) break;
		start = sequence.end;
	}
	if (best === undefined) throw damaged('its log is to be replayed, and has nothing whole');
	const {fileBytes, flushedBytes} = best.last;
	const found = await file.size();
	if (flushedBytes > found) throw damaged(`it is cut off: it had ${flushedBytes} bytes, and has ${found}`);
	return {writes: best.entries.flatMap(({writes}) => writes), fileBytes};
}

/** Entries that follow each other, and the last of them. */
interface Sequence {
	readonly entries: readonly Entry[];
	readonly last: Entry;
}

class LogReader {
	readonly #log: Buffer;
	readonly #guid: string;
	readonly #logOffset: number;
	readonly #endless: () => Error;
	readonly #entries = new Map<number, Entry | undefined>();
	#checked = 0;

	constructor(log: Buffer, guid: string, logOffset: number, endless: () => Error) {
		this.#log = log;
		this.#guid = guid;
		this.#logOffset = logOffset;
		this.#endless = endless;
	}

	/**
	 * The longest sequence that begins at `start`, and where it ends. Its entries count from the one on at which the last one says that it begins:
	 * there are none where that is no place of an entry.
	 */
	sequence(start: number): {entries: readonly Entry[] | undefined; end: number; last: Entry} | undefined {
		let at = start;
		let length = 0;
		let last: Entry | undefined;
		const entries = new Map<number, Entry>();
		for (;;) {
			const entry = this.entry(at);
			if (entry === undefined || (last !== undefined && entry.sequence !== last.sequence + 1n)) break;
			if (length + entry.length > this.#log.length) break;
			last = entry;
			entries.set(at, entry);
			length += entry.length;
			at = (at + entry.length) % this.#log.length;
		}
		if (last === undefined) return undefined;
		const first = [...entries.keys()].indexOf(last.tail);
		return {entries: first < 0 ? undefined : [...entries.values()].slice(first), end: at, last};
	}

	/** The whole entry at a place of the log. */
	entry(at: number): Entry | undefined {
		if (!this.#entries.has(at)) this.#entries.set(at, this.#parse(at));
		return this.#entries.get(at);
	}

	/** Bytes of the log, which goes on at its beginning. */
	#bytes(at: number, length: number): Buffer {
		const from = at % this.#log.length;
		const first = this.#log.subarray(from, from + length);
		return first.length === length ? first : Buffer.concat([first, this.#log.subarray(0, length - first.length)]);
	}

	#parse(at: number): Entry | undefined {
		const head = this.#bytes(at, entryHeaderBytes);
		const length = head.readUInt32LE(8);
		const tail = head.readUInt32LE(12);
		const sequence = head.readBigUInt64LE(16);
		const count = head.readUInt32LE(24);
		if (head.toString('latin1', 0, 4) !== 'loge' || guidText(head, 32) !== this.#guid) return undefined;
		if (length % sectorBytes !== 0 || length === 0 || length > this.#log.length) return undefined;
		if (tail >= this.#log.length || tail % sectorBytes !== 0 || sequence === 0n) return undefined;
		if (entryHeaderBytes + count * descriptorBytes > length) return undefined;
		this.#checked += length;
		if (this.#checked > this.#log.length * mostPasses) throw this.#endless();
		const bytes = this.#bytes(at, length);
		const checksum = crc32c(bytes.subarray(8), crc32c(Buffer.alloc(4), crc32c(bytes.subarray(0, 4))));
		if (checksum !== head.readUInt32LE(4)) return undefined;
		const writes = this.#writes(bytes, count, sequence);
		const [flushedBytes, fileBytes] = [Number(head.readBigUInt64LE(48)), Number(head.readBigUInt64LE(56))];
		return writes === undefined ? undefined : {sequence, length, tail, fileBytes, flushedBytes, writes};
	}

	#writes(bytes: Buffer, count: number, sequence: bigint): LoggedWrite[] | undefined {
		const writes: LoggedWrite[] = [];
		let data = Math.ceil((entryHeaderBytes + count * descriptorBytes) / sectorBytes) * sectorBytes;
		for (let index = 0; index < count; index++) {
			const at = entryHeaderBytes + index * descriptorBytes;
			const signature = bytes.toString('latin1', at, at + 4);
			const offset = Number(bytes.readBigUInt64LE(at + 16));
			const isData = signature === 'desc';
			if ((!isData && signature !== 'zero') || bytes.readBigUInt64LE(at + 24) !== sequence) return undefined;
			const length = isData ? sectorBytes : Number(bytes.readBigUInt64LE(at + 8));
			if (offset % sectorBytes !== 0 || length % sectorBytes !== 0 || offset < firstOffset) return undefined;
			if (!Number.isSafeInteger(offset + length)) return undefined;
			if (offset < this.#logOffset + this.#log.length && offset + length > this.#logOffset) return undefined;
			if (!isData) {
				writes.push({offset, length, bytes: undefined});
				continue;
			}
			if (data + sectorBytes > bytes.length) return undefined;
			const sector = Buffer.from(bytes.subarray(data, data + sectorBytes));
			data += sectorBytes;
			const number = (BigInt(sector.readUInt32LE(4)) << 32n) | BigInt(sector.readUInt32LE(sectorBytes - 4));
			if (sector.toString('latin1', 0, 4) !== 'data' || number !== sequence) return undefined;
			// The descriptor has the bytes that gave way to the sector's marks.
			bytes.copy(sector, 0, at + 8, at + 16);
			bytes.copy(sector, sectorBytes - 4, at + 4, at + 8);
			writes.push({offset, length, bytes: sector});
		}
		return writes;
	}
}

/** Does to a file what its log says. The header may say that there is none when the file has been flushed. */
export async function replayLog(file: ImageFile, {writes, fileBytes}: Replay): Promise<void> {
	const size = await file.size();
	if (Number.isSafeInteger(fileBytes) && fileBytes > size && fileBytes - size < 2 ** 40) await file.truncate(fileBytes);
	for (const {offset, length, bytes} of writes)
		if (bytes === undefined) await file.punch(offset, length);
		else await file.write(offset, bytes);
	await file.flush();
}

/** A file that is only read, as it is when its log has been replayed. */
export class ReplayedFile implements ImageFile {
	readonly path: string;
	readonly writable = false;
	readonly #file: ImageFile;
	readonly #replay: Replay;

	constructor(file: ImageFile, replay: Replay) {
		this.path = file.path;
		this.#file = file;
		this.#replay = replay;
	}

	async size(): Promise<number> {
		const size = await this.#file.size();
		return Number.isSafeInteger(this.#replay.fileBytes) ? Math.max(size, this.#replay.fileBytes) : size;
	}

	async read(offset: number, bytes: Uint8Array): Promise<void> {
		await this.#file.read(offset, bytes);
		for (const write of this.#replay.writes) {
			const start = Math.max(write.offset, offset);
			const end = Math.min(write.offset + write.length, offset + bytes.length);
			if (start >= end) continue;
			if (write.bytes === undefined) bytes.fill(0, start - offset, end - offset);
			else bytes.set(write.bytes.subarray(start - write.offset, end - write.offset), start - offset);
		}
	}

	async write(): Promise<never> {
		throw new TypeError(`${this.path} is open to be read only`);
	}

	async flush(): Promise<void> {}

	truncate(): Promise<never> {
		return this.write();
	}

	punch(): Promise<never> {
		return this.write();
	}

	async nextData(offset: number): Promise<{start: number; end: number} | undefined> {
		const end = await this.size();
		return offset < end ? {start: offset, end} : undefined;
	}

	close(): Promise<void> {
		return this.#file.close();
	}
}
