import {type Answer, after, type Folder, isRefused, type NodeId} from '#devices/folder';
import {type GuestMemory, IoVectors} from '#devices/guest-memory';
import {errorTable} from '#support/errors';
import {Advice, advise, close, Errno, errnoName, Mmap, mapOver} from '#support/ffi';
import {invalidValue, parseSize, type ValueType} from '#support/options';

/** A file is mapped by so much at a time, as Linux does (FUSE_DAX_SHIFT of fs/fuse/dax.c): as few mappings of the process as possible. */
export const mappedShift = 21;
const pieceBytes = 2 ** mappedShift;
const mostBytes = 2 ** 32;
/** Words of the table for each piece: the node, or 0; and its place in the file, with 1 where writes are the file's. */
const pieceWords = 2;
/** Bytes of the table of any window. */
export const windowTableBytes: number = (mostBytes / pieceBytes) * pieceWords * 8;
/** Pieces of memory that a BAR may lie in. */
const mostPieces = 8;

const isLength = (bytes: unknown): bytes is number =>
	Number.isSafeInteger(bytes) &&
	(bytes as number) % pieceBytes === 0 &&
	(bytes as number) >= 0 &&
	(bytes as number) <= mostBytes;

const expected = 'a multiple of 2M, up to 4G';
/** Size of a window: `1G`. */
export const windowSize: ValueType<number> = {
	placeholder: 'SIZE',
	parse(text, option) {
		const bytes = parseSize(text, option);
		if (!isLength(bytes)) throw invalidValue(option, text, expected);
		return bytes;
	},
	check: (value, option) => (isLength(value) ? undefined : invalidValue(option, value, expected)),
};

const windowError = errorTable({
	FOLDER_MAPPING_LOST: (c: {errno: string}) => ({
		message: `The guest goes on with a file in its memory that is not in its folder any more: ${c.errno}`,
		remedy: 'Restore with the folder that the machine had when its snapshot was made',
	}),
});

/** A part of a file in the window. */
export interface MappedFile {
	/** In the window; this, the length and the place in the file are multiples of {@link pieceBytes}. */
	readonly at: number;
	readonly length: number;
	readonly node: NodeId;
	readonly offset: number;
	/** What the guest writes there is the file's; else it is its own, and lost with the mapping. */
	readonly isWritten: boolean;
}

/**
 * Memory of the driver's where files are mapped: what the guest reads and writes there is the host's page cache, without a request. A file that is cut
 * while it is there has no page to read any more: that ends the machine, as it does for persistent memory.
 */
export class FileWindow {
	readonly #memory: GuestMemory;
	readonly #bytes: number;
	readonly #address: bigint;
	readonly #table: BigUint64Array;

	/** @param shared - memory of the device's that snapshots have, with room for the table */
	constructor(memory: GuestMemory, bytes: number, shared: SharedArrayBuffer, tableAt: number) {
		this.#memory = memory;
		this.#bytes = bytes;
		this.#table = new BigUint64Array(shared, tableAt, (bytes / pieceBytes) * pieceWords);
		const vectors = new IoVectors(mostPieces);
		// An error of ours.
		if (!memory.pin(0, bytes, 'read', vectors)) throw new RangeError(`there are no ${bytes} bytes of memory`);
		this.#address = BigInt(vectors.hostAddress(0));
		vectors.release();
	}

	map(folder: Folder, file: MappedFile): Answer<0> {
		const {at, length, offset, node, isWritten} = file;
		if (!(this.#has(at, length) && isLength(offset % mostBytes) && Number.isSafeInteger(offset))) return -Errno.EINVAL;
		return after(folder.openToMap(node, isWritten), (fd) => {
			// What is only read is mapped privately: a guest that writes there all the same writes to pages of its own.
			const flags = isWritten ? Mmap.SHARED : Mmap.PRIVATE | Mmap.NORESERVE;
			const result = this.#put(at, length, flags, fd, offset);
			close(fd);
			if (result < 0) return result;
			for (let done = 0; done < length; done += pieceBytes)
				this.#note(at + done, BigInt(node), BigInt(offset + done) + (isWritten ? 1n : 0n));
			return 0;
		});
	}

	unmap(at: number, length: number): number {
		if (!this.#has(at, length)) return -Errno.EINVAL;
		for (let done = 0; done < length; done += pieceBytes) this.#note(at + done, 0n, 0n);
		return this.#put(at, length, Mmap.PRIVATE | Mmap.ANONYMOUS | Mmap.NORESERVE, -1, 0);
	}

	/** Nothing is in it any more. */
	clear(): void {
		if (this.#table.some((word) => word !== 0n)) this.unmap(0, this.#bytes);
	}

	/**
	 * Maps the files of a snapshot, which may be anybody's.
	 * @throws VmmError FOLDER_MAPPING_LOST where one is not there: its guest takes its memory for the file
	 */
	async restore(folder: Folder): Promise<void> {
		for (let index = 0; index < this.#table.length; index += pieceWords) {
			const [node, place] = [this.#table[index] as bigint, this.#table[index + 1] as bigint];
			if (node === 0n) continue;
			const at = (index / pieceWords) * pieceBytes;
			const isWritten = (place & 1n) !== 0n;
			const offset = Number(place - (isWritten ? 1n : 0n));
			const result = await this.map(folder, {at, length: pieceBytes, node: Number(node), offset, isWritten});
			if (isRefused(result)) throw windowError('FOLDER_MAPPING_LOST', {errno: errnoName(result)});
		}
	}

	/** Takes the files away from under the memory, which stays the guest's. The table stays as well: a snapshot may have been made. */
	close(): void {
		this.#put(0, this.#bytes, Mmap.PRIVATE | Mmap.ANONYMOUS | Mmap.NORESERVE, -1, 0);
	}

	#has(at: number, length: number): boolean {
		return isLength(at) && isLength(length) && length > 0 && at + length <= this.#bytes;
	}

	#note(at: number, node: bigint, place: bigint): void {
		const index = (at / pieceBytes) * pieceWords;
		this.#table[index] = node;
		this.#table[index + 1] = place;
	}

	#put(at: number, length: number, flags: number, fd: number, offset: number): number {
		const protection = Mmap.PROT_READ | Mmap.PROT_WRITE;
		const address = this.#address + BigInt(at);
		const result = mapOver(address, length, {protection, flags, fd, offset});
		if (result < 0) return result;
		// A core dump of this process is not a dump of its guests.
		advise(address, length, Advice.DONTDUMP);
		// Whoever has decoded code from there decodes it anew: its pages have changed.
		const vectors = new IoVectors(mostPieces);
		if (this.#memory.pin(at, length, 'write', vectors)) vectors.release();
		return 0;
	}
}
