import type {GuestMemory} from '#devices/guest-memory';
import {i32, packed, reserved, u16, u32, u64} from '#support/wire';

/** Source of the window's files. */
export interface FileReader {
	/** Reads a file that the guest has open into a buffer, as far as it goes; undefined where the handle is nobody's. */
	read(handle: bigint, offset: number, into: Uint8Array): Promise<number | undefined>;
}

const InHeader = packed('fuse_in_header', {
	length: u32,
	opcode: u32,
	unique: u64,
	node: u64,
	user: u32,
	group: u32,
	process: u32,
	extensions: u16,
	padding: reserved(2),
}).sized(40, 'linux/fuse.h');
const OutHeader = packed('fuse_out_header', {length: u32, error: i32, unique: u64}).sized(16, 'linux/fuse.h');
const SetUpMapping = packed('fuse_setupmapping_in', {
	handle: u64,
	fileOffset: u64.asNumber,
	length: u64.asNumber,
	flags: u64.asNumber,
	windowOffset: u64.asNumber,
}).sized(40, 'linux/fuse.h');
const RemoveMapping = packed('fuse_removemapping_in', {count: u32}).sized(4, 'linux/fuse.h');
const Removed = packed('fuse_removemapping_one', {windowOffset: u64.asNumber, length: u64.asNumber}).sized(
	16,
	'linux/fuse.h',
);
/** FUSE_SETUPMAPPING, FUSE_REMOVEMAPPING, FUSE_SETUPMAPPING_FLAG_WRITE. */
const [setUp, remove, writeFlag] = [48, 49, 1];
const Errno = {BADF: 9, INVAL: 22, OPNOTSUPP: 95} as const;
const pageBytes = 4096;
const chunkBytes = 2 ** 16;

/**
 * The DAX window of virtio-fs (virtio 1.2, 5.11.6.4): parts of files as memory that the guest maps. Files are copied into it, so a
 * mapping is for reading.
 */
export class FuseWindow {
	readonly #memory: GuestMemory;
	readonly #bytes: number;
	readonly #files: FileReader;

	constructor(memory: GuestMemory, bytes: number, files: FileReader) {
		this.#memory = memory;
		this.#bytes = bytes;
		this.#files = files;
	}

	/** Answers a request that is about mappings; undefined for all others, which are the server's. */
	async serve(request: Uint8Array, reply: Uint8Array): Promise<number | undefined> {
		if (request.length < InHeader.size || reply.length < OutHeader.size) return undefined;
		const {opcode, unique} = InHeader.read(request);
		if (opcode !== setUp && opcode !== remove) return undefined;
		const body = request.subarray(InHeader.size);
		const error = opcode === setUp ? await this.#setUp(body) : this.#remove(body);
		reply.set(OutHeader.encode({length: OutHeader.size, error: -error, unique}));
		return OutHeader.size;
	}

	clear(): void {
		this.#memory.fill(0, this.#bytes, 0);
	}

	async #setUp(body: Uint8Array): Promise<number> {
		if (body.length < SetUpMapping.size) return Errno.INVAL;
		const {handle, fileOffset, length, flags, windowOffset} = SetUpMapping.read(body);
		if ((flags & writeFlag) !== 0) return Errno.OPNOTSUPP;
		if (!this.#holds(windowOffset, length) || !Number.isSafeInteger(fileOffset + length)) return Errno.INVAL;
		const chunk = new Uint8Array(chunkBytes);
		for (let done = 0; done < length; done += chunkBytes) {
			const part = chunk.subarray(0, Math.min(chunkBytes, length - done));
			const count = await this.#files.read(handle, fileOffset + done, part);
			if (count === undefined) return Errno.BADF;
			// Behind its end a file reads as zero.
			this.#memory.copyIn(windowOffset + done, part.fill(0, count));
		}
		return 0;
	}

	/** Gives back the window's memory at most, so that no request takes longer than one that clears it. */
	#remove(body: Uint8Array): number {
		if (body.length < RemoveMapping.size) return Errno.INVAL;
		const {count} = RemoveMapping.read(body);
		if (count > (body.length - RemoveMapping.size) / Removed.size) return Errno.INVAL;
		let left = this.#bytes;
		for (let index = 0; index < count; index++) {
			const {windowOffset, length} = Removed.read(body.subarray(RemoveMapping.size + index * Removed.size));
			left -= length;
			if (!this.#holds(windowOffset, length) || left < 0) return Errno.INVAL;
			this.#memory.fill(windowOffset, length, 0);
		}
		return 0;
	}

	#holds(offset: number, length: number): boolean {
		return length > 0 && offset % pageBytes === 0 && length % pageBytes === 0 && offset + length <= this.#bytes;
	}
}
