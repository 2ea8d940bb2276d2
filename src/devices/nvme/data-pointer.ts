import type {DmaDirection, GuestMemory, IoVectors} from '#devices/guest-memory';
import {asAddress, guest} from '#support/trust';
import type {FieldsView} from '#support/wire';
import {Command, pointerShift, SglDescriptor, SglType} from './layout.ts';
import {pageBytes} from './registers.ts';
import {CommandStatus} from './status.ts';

/** Most bytes of one command, as OpenVMM's: 2^6 pages. */
export const mostTransferShift = 6;
export const mostTransferBytes = pageBytes * 2 ** mostTransferShift;

/** Most ranges of memory that one command's data may lie in. */
const mostRanges = 128;
/** A range may lie in two pieces of RAM; of a command's few do. */
export const mostVectors = mostRanges + 8;
/** Most descriptors of a scatter gather list in one segment, which are read at once, and most segments. */
const mostDescriptors = 256;
const mostSegments = 16;

const entryBytes = 8;

/** Kinds of data pointers, in bits 7:6 of a command's flags. */
const Pointer = {PRP: 0, SGL: 1, SGL_METADATA: 2} as const;

/** Ranges of guest memory that a command's data lie in, found by its PRP entries or its scatter gather list. One is used again and again. */
export class DataPointer {
	readonly #memory: GuestMemory;
	readonly #addresses = new Float64Array(mostRanges);
	readonly #lengths = new Float64Array(mostRanges);
	readonly #list = new Uint8Array(pageBytes);
	readonly #entries = new DataView(this.#list.buffer);
	/** The descriptor in the command, and those of a segment. */
	readonly #descriptors = Array.from({length: mostDescriptors}, (_, index) =>
		SglDescriptor.on(this.#list.buffer, index * SglDescriptor.size),
	);
	#count = 0;
	#left = 0;

	constructor(memory: GuestMemory) {
		this.#memory = memory;
	}

	/**
	 * Finds where `length` bytes of a command lie.
	 * @returns what is wrong with its pointer
	 */
	find(command: FieldsView<typeof Command.fields>, length: number): CommandStatus {
		this.#count = 0;
		this.#left = length;
		if (length > mostTransferBytes) return CommandStatus.INVALID_FIELD;
		if (length === 0) return CommandStatus.SUCCESS;
		const kind = command.flags >>> pointerShift;
		if (kind === Pointer.PRP) return this.#findByPages(command.prp1, command.prp2);
		if (kind !== Pointer.SGL && kind !== Pointer.SGL_METADATA) return CommandStatus.INVALID_FIELD;
		this.#list.set(command.$bytes.subarray(sglOffset, sglOffset + SglDescriptor.size));
		return this.#findByList();
	}

	/** Adds the memory to a list. False, and nothing added, where some of it is none. */
	pin(direction: DmaDirection, vectors: IoVectors): boolean {
		for (let index = 0; index < this.#count; index++) {
			const address = this.#addresses[index] as number;
			if (this.#memory.pin(address, this.#lengths[index] as number, direction, vectors)) continue;
			vectors.release();
			return false;
		}
		return true;
	}

	/** NVM Express Base 2.0, 4.1.1. */
	#findByPages(prp1: number, prp2: number): CommandStatus {
		const first = asAddress(guest(prp1), 4);
		if (first === undefined) return CommandStatus.PRP_OFFSET;
		this.#add(first, Math.min(this.#left, pageBytes - (first % pageBytes)));
		if (this.#left === 0) return CommandStatus.SUCCESS;
		if (this.#left <= pageBytes) return this.#addPage(prp2);
		return this.#findByPageList(prp2);
	}

	#addPage(entry: number): CommandStatus {
		const page = asAddress(guest(entry), pageBytes);
		if (page === undefined) return CommandStatus.PRP_OFFSET;
		return this.#add(page, Math.min(this.#left, pageBytes)) ? CommandStatus.SUCCESS : CommandStatus.SGL_COUNT;
	}

	/** Each list but the first fills a page, so that there are few. */
	#findByPageList(pointer: number): CommandStatus {
		let list = asAddress(guest(pointer), entryBytes);
		while (list !== undefined) {
			const needed = Math.ceil(this.#left / pageBytes);
			const room = (pageBytes - (list % pageBytes)) / entryBytes;
			const count = Math.min(needed, room);
			if (!this.#memory.copyOut(list, this.#list, 0, count * entryBytes)) return CommandStatus.DATA_TRANSFER;
			const pages = needed > room ? count - 1 : count;
			for (let index = 0; index < pages; index++) {
				const status = this.#addPage(this.#entry(index));
				if (status !== CommandStatus.SUCCESS) return status;
			}
			if (needed <= room) return CommandStatus.SUCCESS;
			list = asAddress(guest(this.#entry(pages)), pageBytes);
		}
		return CommandStatus.PRP_OFFSET;
	}

	/** A driver's number of 64 bits: exact up to 2^53, and no address beyond. */
	#entry(index: number): number {
		const at = index * entryBytes;
		return this.#entries.getUint32(at + 4, true) * 2 ** 32 + this.#entries.getUint32(at, true);
	}

	/** Base 2.0, 4.1.2: one descriptor, or segments of them, of which each but the last ends with the place of the next. */
	#findByList(): CommandStatus {
		let [count, mayEnd, mayGoOn] = [1, true, true];
		for (let segment = 0; segment <= mostSegments; segment++) {
			for (let index = 0; index < count - 1; index++) {
				const {address, length, type} = this.#descriptor(index);
				if (type !== SglType.DATA) return isSegment(type) ? CommandStatus.SGL_SEGMENT : CommandStatus.SGL_TYPE;
				const status = this.#addBlock(address, length);
				if (status !== CommandStatus.SUCCESS) return status;
			}
			const {address, length, type} = this.#descriptor(count - 1);
			if (type === SglType.DATA) return mayEnd ? this.#addLastBlock(address, length) : CommandStatus.SGL_SEGMENT;
			if (!isSegment(type)) return CommandStatus.SGL_TYPE;
			count = length / SglDescriptor.size;
			if (!(mayGoOn && Number.isInteger(count) && count > 0)) return CommandStatus.SGL_SEGMENT;
			if (count > mostDescriptors) return CommandStatus.SGL_COUNT;
			const at = asAddress(guest(address));
			if (at === undefined || !this.#memory.copyOut(at, this.#list, 0, length)) return CommandStatus.DATA_TRANSFER;
			mayEnd = type === SglType.LAST_SEGMENT;
			mayGoOn = !mayEnd;
		}
		return CommandStatus.SGL_COUNT;
	}

	#descriptor(index: number): FieldsView<typeof SglDescriptor.fields> {
		return this.#descriptors[index] as FieldsView<typeof SglDescriptor.fields>;
	}

	#addLastBlock(address: number, length: number): CommandStatus {
		const status = this.#addBlock(address, length);
		return status === CommandStatus.SUCCESS && this.#left > 0 ? CommandStatus.SGL_LENGTH : status;
	}

	#addBlock(address: number, length: number): CommandStatus {
		if (length === 0) return CommandStatus.SUCCESS;
		if (length > this.#left) return CommandStatus.SGL_LENGTH;
		const at = asAddress(guest(address));
		if (at === undefined) return CommandStatus.DATA_TRANSFER;
		return this.#add(at, length) ? CommandStatus.SUCCESS : CommandStatus.SGL_COUNT;
	}

	/** Joins what follows the range before. */
	#add(address: number, length: number): boolean {
		this.#left -= length;
		const last = this.#count - 1;
		if (last >= 0 && (this.#addresses[last] as number) + (this.#lengths[last] as number) === address) {
			this.#lengths[last] = (this.#lengths[last] as number) + length;
			return true;
		}
		if (this.#count === mostRanges) return false;
		this.#addresses[this.#count] = address;
		this.#lengths[this.#count] = length;
		this.#count++;
		return true;
	}
}

const isSegment = (type: number): boolean => type === SglType.SEGMENT || type === SglType.LAST_SEGMENT;
const sglOffset = Command.offset('prp1');
