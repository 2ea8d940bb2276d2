import {readFileSync} from 'node:fs';
import type {FileHandle} from 'node:fs/promises';
import {type GuestMemory, IoVectors} from '#devices/guest-memory';
import {fileDiskError, openFile} from '#devices/storage/file';
import {errorTable} from '#support/errors';
import {Advice, advise, errnoName, Mmap, mapOver} from '#support/ffi';

const mappingError = errorTable({
	VIRTIO_PMEM_SHORTER: (c: {path: string; bytes: number; told: number}) => ({
		message: `The persistent memory ${c.path} has ${c.bytes} bytes, and the guest has ${c.told} of it`,
		remedy: 'Leave the file as long as it is while machines use it',
	}),
});

/** Pieces of memory that a BAR may lie in. */
const mostPieces = 8;

/** Part of a file that memory of the guest's is. */
export class FileMapping {
	readonly #handle: FileHandle;
	readonly #isPrivate: boolean;
	/** Kept until the file is away from under it: what lay there afterwards would be somebody else's. */
	readonly #memory: GuestMemory;
	readonly #bytes: number;

	private constructor(handle: FileHandle, isPrivate: boolean, memory: GuestMemory, bytes: number) {
		this.#handle = handle;
		this.#isPrivate = isPrivate;
		this.#memory = memory;
		this.#bytes = bytes;
	}

	/**
	 * Puts the first bytes of a file under memory.
	 * @param isPrivate - what is written there does not get into the file, which others may read meanwhile
	 * @throws VmmError DISK_, VIRTIO_PMEM_SHORTER
	 */
	static async open(path: string, isPrivate: boolean, memory: GuestMemory, bytes: number): Promise<FileMapping> {
		const {handle, bytes: there} = await openFile({path}, isPrivate);
		try {
			if (there < bytes) throw mappingError('VIRTIO_PMEM_SHORTER', {path, bytes: there, told: bytes});
			const mapping = new FileMapping(handle, isPrivate, memory, bytes);
			const result = mapping.#map(isPrivate ? Mmap.PRIVATE | Mmap.NORESERVE : Mmap.SHARED, handle.fd);
			if (result < 0) throw fileDiskError('DISK_FILE_UNUSABLE', {path, doing: 'mapped', errno: errnoName(result)});
			return mapping;
		} catch (cause) {
			await handle.close();
			throw cause;
		}
	}

	get fd(): number {
		return this.#handle.fd;
	}

	/** There are pages that the file does not have: the guest has written to them. */
	get hasOwnPages(): boolean {
		return this.#isPrivate && ownBytes(hostAddressOf(this.#memory, this.#bytes), this.#bytes) > 0;
	}

	/** Takes the file away from under the memory, which is of zeros then. */
	async close(): Promise<void> {
		this.#map(Mmap.PRIVATE | Mmap.ANONYMOUS | Mmap.NORESERVE, -1);
		await this.#handle.close();
	}

	#map(flags: number, fd: number): number {
		const protection = Mmap.PROT_READ | Mmap.PROT_WRITE;
		const address = hostAddressOf(this.#memory, this.#bytes);
		const result = mapOver(address, this.#bytes, {protection, flags, fd});
		// A core dump of this process is not a dump of its guests.
		if (result === 0) advise(address, this.#bytes, Advice.DONTDUMP);
		return result;
	}
}

/** Where all of some memory lies in this process: in one piece, as a BAR does. */
function hostAddressOf(memory: GuestMemory, bytes: number): bigint {
	const vectors = new IoVectors(mostPieces);
	if (!memory.pin(0, bytes, 'read', vectors)) throw new RangeError(`there are no ${bytes} bytes of memory`);
	const address = BigInt(vectors.hostAddress(0));
	vectors.release();
	return address;
}

/** Counts the bytes of a range that are this process's alone, in memory or swapped out (proc(5), smaps). */
function ownBytes(address: bigint, bytes: number): number {
	let [isWithin, sum] = [false, 0];
	for (const line of readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
		const [, start, end, kibibytes] = /^(?:([0-9a-f]+)-([0-9a-f]+) |(?:Anonymous|Swap): +(\d+) kB)/.exec(line) ?? [];
		if (start !== undefined) isWithin = BigInt(`0x${start}`) < address + BigInt(bytes) && BigInt(`0x${end}`) > address;
		else if (isWithin && kibibytes !== undefined) sum += Number(kibibytes) * 1024;
	}
	return sum;
}
