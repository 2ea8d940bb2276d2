import {IoVectors} from '#devices/guest-memory';
import {DiskError, DiskOperation, DiskRequest} from '#devices/storage/disk';
import type {Chain, VirtQueue} from '#devices/virtio/queue';
import {ClearedRange, RequestHeader, RequestStatus, sectorBytes, unmapFlag} from './layout.ts';

export const queueSize = 128;
/** Data segments that a request may have: header and status take a descriptor each. */
export const mostSegments = queueSize - 2;
/** A segment may lie in two pieces of RAM; of a request's few do. */
const mostVectors = mostSegments + 8;
/** Ranges that one request may clear. */
export const mostClearedRanges = 16;

/** Parts of a driver's request that a disk serves. */
export interface RequestOwner {
	/** The request has its status, and is free. */
	ended(request: BlkRequest, status: number, written: number): void;
	/** The disk's policy keeps the request until the machine goes on. */
	held(request: BlkRequest): void;
	submit(request: BlkRequest): void;
}

/** A driver's request while a disk has it: of several ranges to clear one after the other. */
export class BlkRequest extends DiskRequest {
	readonly #owner: RequestOwner;
	/** Ranges to be cleared, read once. */
	readonly #ranges = new DataView(new ArrayBuffer(mostClearedRanges * ClearedRange.size));
	readonly #rangeBytes = new Uint8Array(this.#ranges.buffer);
	#queue: VirtQueue | undefined;
	/** Number of its queue. */
	queueIndex = 0;
	#chain: Chain | undefined;
	/** Those that are still to be cleared begin at this byte, and end at that. */
	#next = 0;
	#end = 0;

	constructor(owner: RequestOwner) {
		super(new IoVectors(mostVectors));
		this.#owner = owner;
	}

	get chain(): Chain {
		return this.#chain as Chain;
	}

	get queue(): VirtQueue {
		return this.#queue as VirtQueue;
	}

	begin(queue: VirtQueue, index: number, chain: Chain): this {
		this.#queue = queue;
		this.queueIndex = index;
		this.#chain = chain;
		this.#next = this.#end = 0;
		this.isDurable = this.mayUnmap = false;
		return this;
	}

	/** Moves the chain's data between guest memory and the disk. */
	transfer(operation: 0 | 1, offset: number, length: number, isDurable: boolean): void {
		this.operation = operation;
		this.offset = offset;
		this.length = length;
		this.isDurable = isDurable;
		const isPinned =
			operation === DiskOperation.READ
				? this.chain.pin('write', this.vectors, 0, length)
				: this.chain.pin('read', this.vectors, RequestHeader.size, length);
		if (isPinned) this.#owner.submit(this);
		else this.#owner.ended(this, RequestStatus.IO_ERROR, 0);
	}

	flush(): void {
		this.operation = DiskOperation.FLUSH;
		this.offset = this.length = 0;
		this.#owner.submit(this);
	}

	/** Clears the ranges that the chain's data are. */
	clear(operation: 3 | 4, length: number, isDurable: boolean): void {
		this.operation = operation;
		this.isDurable = isDurable;
		const isWhole = length > 0 && length % ClearedRange.size === 0 && length <= this.#rangeBytes.length;
		if (!(isWhole && this.chain.read(RequestHeader.size, this.#rangeBytes, 0, length))) {
			this.#owner.ended(this, RequestStatus.IO_ERROR, 0);
			return;
		}
		this.#end = length;
		if (this.#areFlagsKnown()) this.#clearNext();
		else this.#owner.ended(this, RequestStatus.UNSUPPORTED, 0);
	}

	override done(error: DiskError): void {
		// The data are in guest memory before the driver is told.
		this.vectors.release();
		if (error === DiskError.HELD) this.#owner.held(this);
		else if (error === DiskError.NONE && this.#next < this.#end) this.#clearNext();
		else this.#owner.ended(this, statusOf[error], error === DiskError.NONE ? this.#written : 0);
	}

	get #written(): number {
		return this.operation === DiskOperation.READ ? this.length : 0;
	}

	/** What the driver must not set is wrong in any range before one of them is cleared (virtio 1.2, 5.2.6.2). */
	#areFlagsKnown(): boolean {
		const known = this.operation === DiskOperation.WRITE_ZEROES ? unmapFlag : 0;
		for (let at = 0; at < this.#end; at += ClearedRange.size)
			if ((flags.get(this.#ranges, at) & ~known) !== 0) return false;
		return true;
	}

	#clearNext(): void {
		const at = this.#next;
		this.#next += ClearedRange.size;
		this.offset = sector.get(this.#ranges, at) * sectorBytes;
		this.length = sectors.get(this.#ranges, at) * sectorBytes;
		this.mayUnmap = (flags.get(this.#ranges, at) & unmapFlag) !== 0;
		this.queue.spend(this.length);
		this.#owner.submit(this);
	}
}

const {sector, sectors, flags} = ClearedRange.field;

const statusOf: Readonly<Record<DiskError, number>> = {
	[DiskError.NONE]: RequestStatus.OK,
	[DiskError.IO]: RequestStatus.IO_ERROR,
	[DiskError.NO_SPACE]: RequestStatus.IO_ERROR,
	[DiskError.UNSUPPORTED]: RequestStatus.UNSUPPORTED,
	[DiskError.OUT_OF_RANGE]: RequestStatus.IO_ERROR,
	[DiskError.PROTECTED]: RequestStatus.IO_ERROR,
	[DiskError.HELD]: RequestStatus.IO_ERROR,
	[DiskError.TIMEOUT]: RequestStatus.IO_ERROR,
};
