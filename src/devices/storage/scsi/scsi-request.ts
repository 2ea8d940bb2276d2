import {type DmaDirection, HostMemory, IoVectors} from '#devices/guest-memory';
import {type Disk, DiskError, DiskOperation, DiskRequest} from '#devices/storage/disk';
import {Cdb} from './cdb.ts';
import {encodeSense, ScsiStatus, type Sense, Senses} from './sense.ts';

/** Ranges that one UNMAP may have, and the bytes that its list then has (SBC-3, 5.28). */
export const mostUnmapRanges = 16;
const [unmapHeader, unmapRange] = [8, 16];
const mostUnmapBytes = unmapHeader + mostUnmapRanges * unmapRange;

/** Of the host's memory that fills a range again and again: whole blocks of any disk. */
const patternBytes = 4096;
const zeros = new Uint8Array(patternBytes);

/** Told of requests that have ended. */
export interface RequestOwner {
	/** The sense data of the unit have descriptors. */
	readonly hasDescriptors: boolean;
	requestEnded(): void;
}

/**
 * A command on its way through a logical unit and its disk: one request of the disk after the other, where it takes several. A
 * transport makes them once, with room for the data's pieces, and uses them again and again.
 */
export abstract class ScsiRequest extends DiskRequest {
	readonly cdb = new Cdb();
	/** Bytes that the initiator gives, and that it takes at most. */
	dataOut = 0;
	dataIn = 0;
	status: ScsiStatus = ScsiStatus.GOOD;
	/** Where {@link status} says that there is any. */
	sense: Uint8Array = noSense;
	/** Bytes that were moved, either way. */
	moved = 0;
	/** Bytes of the disk that it clears or fills, which the data do not tell. */
	cleared = 0;
	/** The command is about more data than there is room for: nothing was moved. */
	isOverrun = false;
	/** The transport has gone: nothing is begun any more. */
	isAbandoned = false;
	#owner: RequestOwner | undefined;
	#disk: Disk | undefined;
	/** Is to be read or done when the disk is flushed. */
	#isReadAfter = false;
	/** The list of an UNMAP, of which this byte on is still to be done. */
	readonly #list = new DataView(new ArrayBuffer(mostUnmapBytes));
	#next = 0;
	#end = 0;
	#blockBytes = 0;
	/** What is still to be filled with a block of the initiator's. */
	#patternBytes = 0;
	/** That block, again and again: made when there is one first. */
	#pattern: HostMemory | undefined;

	/** @param vectors - room for vectors of data */
	constructor(vectors: number) {
		super(new IoVectors(vectors));
	}

	/** Copies what the initiator gives, from its first byte on. */
	abstract readData(target: Uint8Array, length: number): boolean;
	/** Copies to the initiator. */
	abstract writeData(source: Uint8Array, length: number): boolean;
	/** Adds the initiator's memory for the first bytes of data to the vectors. */
	protected abstract pinData(direction: DmaDirection, length: number): boolean;
	/** The command has its status. The vectors are released. */
	protected abstract ended(): void;
	/** The transport can keep the command until the machine goes on, and then has it executed anew. */
	protected abstract readonly mayBeHeld: boolean;
	/** The disk's policy has the machine pause: the command is to be kept, and has no status. The vectors are released. */
	protected abstract held(): void;

	/** A unit takes it. */
	begin(owner: RequestOwner): void {
		this.#owner = owner;
		this.#disk = undefined;
		this.status = ScsiStatus.GOOD;
		this.sense = noSense;
		this.moved = this.cleared = this.#next = this.#end = this.#patternBytes = 0;
		this.isOverrun = this.isDurable = this.mayUnmap = this.#isReadAfter = false;
	}

	good(): void {
		this.#finish();
	}

	fail(sense: Sense): void {
		this.status = ScsiStatus.CHECK_CONDITION;
		this.sense = encodeSense(sense, this.#owner?.hasDescriptors === true);
		this.moved = 0;
		this.#finish();
	}

	/**
	 * Gives data to the initiator.
	 * @param most - bytes that it has allocated for them
	 */
	give(data: Uint8Array, most: number): void {
		const length = Math.min(data.length, most);
		if (length > this.dataIn) this.#overrun();
		else if (this.writeData(data, length)) {
			this.moved = length;
			this.#finish();
		} else this.fail(Senses.DATA_PHASE);
	}

	/** Takes a list of the initiator's; undefined where it cannot be, and the command has then failed. */
	take(length: number): Uint8Array | undefined {
		const data = new Uint8Array(length);
		if (length > this.dataOut) this.#overrun();
		else if (this.readData(data, length)) {
			this.moved = length;
			return data;
		} else this.fail(Senses.DATA_PHASE);
		return undefined;
	}

	/** Moves data. What is read with force unit access is made durable before (SBC-3, 4.11). */
	transfer(disk: Disk, operation: 0 | 1, offset: number, length: number, isDurable: boolean): void {
		const isRead = operation === DiskOperation.READ;
		if (length > (isRead ? this.dataIn : this.dataOut)) {
			this.#overrun();
			return;
		}
		if (!this.pinData(isRead ? 'write' : 'read', length)) {
			this.fail(Senses.DATA_PHASE);
			return;
		}
		this.operation = operation;
		this.offset = offset;
		this.length = this.moved = length;
		this.isDurable = isDurable;
		this.#isReadAfter = isRead && isDurable && !disk.isReadOnly;
		if (this.#isReadAfter) this.operation = DiskOperation.FLUSH;
		this.#submit(disk);
	}

	flush(disk: Disk): void {
		this.operation = DiskOperation.FLUSH;
		this.offset = this.length = 0;
		this.#submit(disk);
	}

	/**
	 * Unmaps the ranges of a list, if all of them can be.
	 * @param length - of the list
	 */
	unmap(disk: Disk, blockBytes: number, length: number): void {
		const list = this.#takeUnmapList(length);
		if (list === undefined) return;
		let bytes = 0;
		for (let at = unmapHeader; at < this.#end; at += unmapRange) {
			const [first, count] = [this.#first(at), this.#blocks(at)];
			if ((first + count) * blockBytes > disk.bytes) {
				this.fail(Senses.OUT_OF_RANGE);
				return;
			}
			bytes += count * blockBytes;
		}
		if (bytes > disk.geometry.mostClearedBytes) this.fail(Senses.INVALID_PARAMETER);
		// What cannot be given up stays, which the initiator cannot tell.
		else if (disk.geometry.discardBytes === 0 || this.#end === unmapHeader) this.good();
		else {
			this.#blockBytes = blockBytes;
			this.cleared = bytes;
			this.operation = DiskOperation.DISCARD;
			this.#disk = disk;
			this.#next = unmapHeader;
			this.#unmapNext();
		}
	}

	/** Has a range read as zeros. */
	zero(disk: Disk, offset: number, length: number): void {
		this.operation = DiskOperation.WRITE_ZEROES;
		this.offset = offset;
		this.length = this.cleared = length;
		this.#submit(disk);
	}

	/** Fills a range with a block, of which a {@link patternBytes | pattern} is made. */
	fill(disk: Disk, offset: number, length: number, block: Uint8Array): void {
		this.#pattern ??= new HostMemory(patternBytes);
		for (let at = 0; at < patternBytes; at += block.length) this.#pattern.copyIn(at, block, 0, block.length);
		this.operation = DiskOperation.WRITE;
		this.offset = offset;
		this.length = 0;
		this.#patternBytes = this.cleared = length;
		this.#disk = disk;
		this.#fillNext();
	}

	override done(error: DiskError): void {
		const disk = this.#disk as Disk;
		if (this.isAbandoned) {
			this.#finish();
			return;
		}
		if (error === DiskError.NONE && this.#isReadAfter) {
			this.#isReadAfter = false;
			this.operation = DiskOperation.READ;
			disk.submit(this);
			return;
		}
		// The data are in the guest's memory before it is told.
		if (this.vectors.count > 0) this.vectors.release();
		const isOfZeros = this.operation === DiskOperation.WRITE_ZEROES;
		if (error === DiskError.UNSUPPORTED && isOfZeros) this.fill(disk, this.offset, this.length, zeros);
		else if (error === DiskError.HELD && this.mayBeHeld) this.#finish(true);
		else if (error !== DiskError.NONE) this.fail(this.#senseOf(error));
		else if (this.#next < this.#end) this.#unmapNext();
		else if (this.#patternBytes > 0) this.#fillNext();
		else this.good();
	}

	#submit(disk: Disk): void {
		this.#disk = disk;
		disk.submit(this);
	}

	#takeUnmapList(length: number): DataView | undefined {
		const bytes = new Uint8Array(this.#list.buffer);
		if (length < unmapHeader) {
			if (length === 0) this.good();
			else this.fail(Senses.LIST_LENGTH);
			return undefined;
		}
		const given = Math.min(length, mostUnmapBytes);
		if (length > this.dataOut) this.#overrun();
		else if (!this.readData(bytes, given)) this.fail(Senses.DATA_PHASE);
		else {
			const ranges = this.#list.getUint16(2);
			this.#end = unmapHeader + Math.floor(ranges / unmapRange) * unmapRange;
			this.moved = length;
			if (this.#end <= given) return this.#list;
			this.#end = 0;
			// More ranges than there may be, or than there are.
			this.fail(length > given ? Senses.INVALID_PARAMETER : Senses.LIST_LENGTH);
		}
		return undefined;
	}

	#unmapNext(): void {
		const at = this.#next;
		this.#next += unmapRange;
		this.offset = this.#first(at) * this.#blockBytes;
		this.length = this.#blocks(at) * this.#blockBytes;
		(this.#disk as Disk).submit(this);
	}

	#fillNext(): void {
		this.offset += this.length;
		this.length = Math.min(this.vectors.capacity * patternBytes, this.#patternBytes);
		this.#patternBytes -= this.length;
		for (let left = this.length; left > 0; left -= patternBytes)
			this.vectors.addHost(this.#pattern as HostMemory, 0, Math.min(left, patternBytes));
		(this.#disk as Disk).submit(this);
	}

	#first(at: number): number {
		return this.#list.getUint32(at) * 2 ** 32 + this.#list.getUint32(at + 4);
	}

	#blocks(at: number): number {
		return this.#list.getUint32(at + 8);
	}

	#senseOf(error: DiskError): Sense {
		switch (error) {
			case DiskError.NO_SPACE:
				return Senses.NO_SPACE;
			case DiskError.UNSUPPORTED:
				return Senses.INVALID_FIELD;
			case DiskError.OUT_OF_RANGE:
				return Senses.OUT_OF_RANGE;
			case DiskError.PROTECTED:
				return Senses.WRITE_PROTECTED;
			default:
				return this.operation === DiskOperation.READ ? Senses.READ_ERROR : Senses.WRITE_ERROR;
		}
	}

	#overrun(): void {
		this.isOverrun = true;
		this.moved = 0;
		this.#finish();
	}

	#finish(isHeld = false): void {
		if (this.vectors.count > 0) this.vectors.release();
		this.#patternBytes = this.#next = this.#end = 0;
		const owner = this.#owner;
		this.#owner = undefined;
		if (isHeld) this.held();
		else this.ended();
		owner?.requestEnded();
	}
}

const noSense = new Uint8Array();
