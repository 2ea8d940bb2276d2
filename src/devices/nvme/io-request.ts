import {IoVectors} from '#devices/guest-memory';
import {type Disk, DiskError, DiskOperation, DiskRequest} from '#devices/storage/disk';
import {mostVectors} from './data-pointer.ts';
import {ClearedRange, Command} from './layout.ts';
import type {Namespace} from './namespaces.ts';
import {CommandStatus} from './status.ts';

/** Ranges that one command may deallocate. */
export const mostClearedRanges = 16;

/** Told of requests that have their status and are free again. */
export interface RequestOwner {
	ended(request: IoRequest, status: CommandStatus): void;
	/** A disk's policy keeps the command until the machine goes on. */
	held(request: IoRequest): void;
}

/** A command while disks have it: one request after the other, where it takes several. */
export class IoRequest extends DiskRequest {
	readonly #owner: RequestOwner;
	/** Submission queue and id of the command. */
	queue = 0;
	id = 0;
	/** The command as the driver gave it, where it may be held. */
	readonly command = new Uint8Array(Command.size);
	/** A disk has it, or it is held. */
	isUnderWay = false;
	/** The driver has aborted it. */
	isAborted = false;
	/** What the command moves or clears in all. */
	bytes = 0;
	/** Is to be read when it is flushed. */
	#unread: Disk | undefined;
	/** Namespaces that are still to be flushed. */
	#flushed: readonly Namespace[] = [];
	#namespace: Namespace | undefined;
	readonly #list = new Uint8Array(mostClearedRanges * ClearedRange.size);
	readonly #ranges = new DataView(this.#list.buffer);
	/** Ranges or namespaces that are still to come, from this one of so many on. */
	#next = 0;
	#count = 0;

	constructor(owner: RequestOwner) {
		super(new IoVectors(mostVectors));
		this.#owner = owner;
	}

	begin(queue: number, id: number): this {
		this.queue = queue;
		this.id = id;
		this.bytes = this.#next = this.#count = 0;
		this.isDurable = this.mayUnmap = this.isAborted = false;
		this.isUnderWay = true;
		return this;
	}

	/** Moves data between a namespace and the vectors. What is read with force unit access is made durable before (NVM Command Set 1.0, 3.2.4). */
	transfer(operation: 0 | 1, {disk}: Namespace, offset: number, length: number, isDurable: boolean): void {
		this.operation = operation;
		this.offset = offset;
		this.length = this.bytes = length;
		this.isDurable = isDurable;
		if (operation === DiskOperation.READ && isDurable) {
			this.operation = DiskOperation.FLUSH;
			this.#unread = disk;
		}
		disk.submit(this);
	}

	zero({disk}: Namespace, offset: number, length: number, mayUnmap: boolean, isDurable: boolean): void {
		this.operation = DiskOperation.WRITE_ZEROES;
		this.offset = offset;
		this.length = this.bytes = length;
		this.mayUnmap = mayUnmap;
		this.isDurable = isDurable;
		disk.submit(this);
	}

	flush({disk}: Namespace): void {
		this.operation = DiskOperation.FLUSH;
		this.offset = this.length = 0;
		disk.submit(this);
	}

	/** Flushes several, one after the other. */
	flushAll(namespaces: readonly Namespace[]): void {
		this.operation = DiskOperation.FLUSH;
		this.offset = this.length = 0;
		this.#flushed = namespaces;
		this.#count = namespaces.length;
		this.#step();
	}

	/**
	 * Deallocates the ranges that the vectors hold, if all of them can be.
	 * @returns what is wrong with one; undefined where it is under way
	 */
	deallocate(namespace: Namespace, count: number): CommandStatus | undefined {
		this.operation = DiskOperation.DISCARD;
		this.vectors.copyOut(0, this.#list, 0, count * ClearedRange.size);
		this.vectors.release();
		const {disk, blockShift} = namespace;
		if (disk.isReadOnly) return CommandStatus.WRITE_PROTECTED;
		for (let index = 0; index < count; index++) {
			const blocks = this.#blocks(index);
			if (blocks * 2 ** blockShift > disk.geometry.mostClearedBytes) return CommandStatus.SIZE_LIMIT;
			if ((this.#first(index) + blocks) * 2 ** blockShift > disk.bytes) return CommandStatus.LBA_RANGE;
			this.bytes += blocks * 2 ** blockShift;
		}
		// What cannot be deallocated stays, which the driver cannot tell.
		if (disk.geometry.discardBytes === 0) return CommandStatus.SUCCESS;
		this.#namespace = namespace;
		this.#count = count;
		this.#step();
		return undefined;
	}

	override done(error: DiskError): void {
		const disk = this.#unread;
		this.#unread = undefined;
		if (disk !== undefined && error === DiskError.NONE) {
			this.operation = DiskOperation.READ;
			disk.submit(this);
			return;
		}
		// The data are in guest memory before the driver is told.
		this.vectors.release();
		if (error === DiskError.HELD) this.#owner.held(this);
		else if (error === DiskError.NONE) this.#step();
		else this.#end(this.#statusOf(error));
	}

	#step(): void {
		if (this.#next >= this.#count) {
			this.#end(CommandStatus.SUCCESS);
			return;
		}
		const step = this.#next++;
		if (this.operation === DiskOperation.FLUSH) {
			(this.#flushed[step] as Namespace).disk.submit(this);
			return;
		}
		const {disk, blockShift} = this.#namespace as Namespace;
		this.offset = this.#first(step) * 2 ** blockShift;
		this.length = this.#blocks(step) * 2 ** blockShift;
		disk.submit(this);
	}

	#first(index: number): number {
		return ClearedRange.field.first.get(this.#ranges, index * ClearedRange.size);
	}

	#blocks(index: number): number {
		return ClearedRange.field.blocks.get(this.#ranges, index * ClearedRange.size);
	}

	#statusOf(error: DiskError): CommandStatus {
		switch (error) {
			case DiskError.NO_SPACE:
				return CommandStatus.CAPACITY;
			case DiskError.UNSUPPORTED:
				return CommandStatus.INVALID_OPCODE;
			case DiskError.OUT_OF_RANGE:
				return CommandStatus.LBA_RANGE;
			case DiskError.PROTECTED:
				return CommandStatus.WRITE_PROTECTED;
			default:
				return this.operation === DiskOperation.READ ? CommandStatus.UNRECOVERED_READ : CommandStatus.WRITE_FAULT;
		}
	}

	#end(status: CommandStatus): void {
		this.#owner.ended(this, this.isAborted ? CommandStatus.ABORT_REQUESTED : status);
	}
}
