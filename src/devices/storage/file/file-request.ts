import type {HostMemory} from '#devices/guest-memory';
import {DiskError, DiskOperation, type DiskRequest} from '#devices/storage/disk';
import {addressOf, Errno, Fallocate, RWF_DSYNC} from '#support/ffi';
import {FileAction, FileOperation} from '#support/io-engine';
import type {Bounces} from './bounces.ts';
import {type FileLimits, Zeros, zerosBytes} from './file-limits.ts';

/** Passes calls of a request to the engine, and is told when it has ended. */
export interface FileRequestOwner {
	readonly fd: number;
	readonly limits: FileLimits;
	readonly bounces: Bounces;
	/** What lies behind the file's end reads as zeros. */
	readonly goesOnWithZeros: boolean;
	call(request: FileRequest): void;
	ended(request: FileRequest, error: DiskError): void;
}

const vectorWords = 4;
/** What is written as zeros for one request, as much as of data: of more a guest would keep the disk from its rest for minutes. */
const mostZeros = 4 * 2 ** 20;

/** What the next completion is of. */
const Step = {DATA: 0, SYNC: 1, HOLE: 2, ZERO_RANGE: 3, ZEROS: 4, EMPTY: 5, FILL: 6} as const;

/** One request of a disk while calls for a file are made for it: one after the other, mostly one. */
export class FileRequest extends FileOperation {
	readonly #owner: FileRequestOwner;
	#request: DiskRequest | undefined;
	#step: number = Step.DATA;
	/** Bytes that are done. */
	#done = 0;
	/** Vectors of its own for what is left after a short call, and for memory that direct I/O cannot take. */
	#own: Uint32Array = new Uint32Array(0);
	#bounce: HostMemory | undefined;

	constructor(owner: FileRequestOwner) {
		super();
		this.#owner = owner;
		this.fd = owner.fd;
	}

	get request(): DiskRequest {
		return this.#request as DiskRequest;
	}

	begin(request: DiskRequest): void {
		this.#request = request;
		this.#done = 0;
		switch (request.operation) {
			case DiskOperation.READ:
			case DiskOperation.WRITE:
				this.#moveData(request);
				return;
			case DiskOperation.FLUSH:
				this.#sync();
				return;
			case DiskOperation.DISCARD:
				if (this.#owner.limits.hasHoles) this.#allocate(Step.HOLE, Fallocate.PUNCH_HOLE | Fallocate.KEEP_SIZE);
				else this.#end(DiskError.NONE);
				return;
			case DiskOperation.WRITE_ZEROES:
				this.#writeZeroes(request.mayUnmap ? Step.HOLE : Step.ZERO_RANGE);
		}
	}

	override completed(result: number): void {
		if (result === -Errno.EINTR || result === -Errno.EAGAIN) this.#owner.call(this);
		else if (this.#step === Step.DATA) this.#moved(result);
		else if (this.#step === Step.SYNC) this.#end(result < 0 ? errorOf(result) : DiskError.NONE);
		else if (this.#step === Step.ZEROS) this.#zerosWritten(result);
		else this.#allocated(result);
	}

	#moveData({operation, offset, vectors, isDurable}: DiskRequest): void {
		const {limits} = this.#owner;
		this.#step = Step.DATA;
		this.action = operation === DiskOperation.READ ? FileAction.READ : FileAction.WRITE;
		this.offset = offset;
		this.vectors = vectors.address;
		this.count = vectors.count;
		this.buffer = vectors.count === 1 ? vectors.firstAddress : 0;
		this.length = vectors.bytes;
		this.flags = isDurable && limits.hasDurableWrites ? RWF_DSYNC : 0;
		this.isCached = limits.alignment === 1;
		if (limits.alignment === 1 || this.#isAligned(limits.alignment)) this.#owner.call(this);
		else this.#owner.bounces.take(this);
	}

	#isAligned(alignment: number): boolean {
		const {vectors} = this.request;
		for (let index = 0; index < vectors.count; index++)
			if (vectors.hostAddress(index) % alignment !== 0 || vectors.length(index) % alignment !== 0) return false;
		return true;
	}

	/** Direct I/O takes no memory that begins anywhere: it goes by a copy. */
	bounced(bounce: HostMemory): void {
		this.#bounce = bounce;
		this.#moveBounced(bounce);
	}

	#moveBounced({bytes, hostAddress}: HostMemory): void {
		const {operation, length, offset, vectors} = this.request;
		const count = Math.min(bytes.length, length - this.#done);
		if (operation === DiskOperation.WRITE) vectors.copyOut(this.#done, bytes, 0, count);
		this.offset = offset + this.#done;
		this.#reserve(1);
		this.#put(0, hostAddress, count);
		this.#useOwn(1);
		this.#owner.call(this);
	}

	#moved(result: number): void {
		const {operation, length, offset, isDurable, vectors} = this.request;
		const {limits} = this.#owner;
		if (result === -Errno.EOPNOTSUPP && this.flags !== 0) {
			limits.hasDurableWrites = false;
			this.flags = 0;
			this.#owner.call(this);
			return;
		}
		if (result === 0 && operation === DiskOperation.READ && this.#owner.goesOnWithZeros) {
			vectors.fill(this.#done, length - this.#done, 0);
			this.#end(DiskError.NONE);
			return;
		}
		// Nothing is moved where the file has become shorter.
		if (result <= 0 && length > 0) {
			this.#end(result < 0 ? errorOf(result) : DiskError.IO);
			return;
		}
		if (this.#bounce !== undefined && operation === DiskOperation.READ)
			vectors.copyIn(this.#done, this.#bounce.bytes, 0, result);
		this.#done += result;
		// Direct I/O gives less than whole sectors where the file ends within one.
		if (this.#owner.goesOnWithZeros && operation === DiskOperation.READ && result % limits.alignment !== 0) {
			vectors.fill(this.#done, length - this.#done, 0);
			this.#end(DiskError.NONE);
			return;
		}
		if (this.#done < length && this.#bounce !== undefined) {
			this.#moveBounced(this.#bounce);
			return;
		}
		if (this.#done < length) {
			this.offset = offset + this.#done;
			this.#skip(this.#done);
			this.#owner.call(this);
			return;
		}
		if (operation === DiskOperation.WRITE && isDurable && this.flags === 0) this.#sync();
		else this.#end(DiskError.NONE);
	}

	/** Has the vectors begin behind what is done. */
	#skip(done: number): void {
		const {vectors} = this.request;
		this.#reserve(vectors.count);
		let [count, skipped] = [0, done];
		for (let index = 0; index < vectors.count; index++) {
			const size = vectors.length(index);
			if (skipped < size) this.#put(count++, vectors.hostAddress(index) + skipped, size - skipped);
			skipped = Math.max(0, skipped - size);
		}
		this.#useOwn(count);
	}

	#sync(): void {
		this.#step = Step.SYNC;
		this.action = FileAction.SYNC;
		this.#owner.call(this);
	}

	#writeZeroes(step: number): void {
		const {limits} = this.#owner;
		const {PUNCH_HOLE, ZERO_RANGE, KEEP_SIZE} = Fallocate;
		if (step === Step.HOLE && limits.hasHoles) this.#allocate(Step.HOLE, PUNCH_HOLE | KEEP_SIZE);
		else if (step !== Step.ZEROS && limits.hasZeroRanges) this.#allocate(Step.ZERO_RANGE, ZERO_RANGE | KEEP_SIZE);
		else if (this.request.length <= mostZeros) this.#putZeros();
		// A tmpfs knows holes alone: a hole that gets its room back is zeros that keep it.
		else if (limits.hasHoles) this.#allocate(Step.EMPTY, PUNCH_HOLE | KEEP_SIZE);
		else this.#end(DiskError.UNSUPPORTED);
	}

	#allocate(step: number, flags: number): void {
		const {offset, length} = this.request;
		if (length === 0) {
			this.#end(DiskError.NONE);
			return;
		}
		this.#step = step;
		this.action = FileAction.ALLOCATE;
		this.offset = offset;
		this.length = length;
		this.flags = flags;
		this.#owner.call(this);
	}

	#allocated(result: number): void {
		const {limits} = this.#owner;
		const {operation} = this.request;
		const isHole = this.#step === Step.HOLE || this.#step === Step.EMPTY;
		const isRefused = result === -Errno.EOPNOTSUPP || result === -Errno.ENOSYS;
		if (result >= 0 && this.#step === Step.EMPTY) this.#allocate(Step.FILL, Fallocate.KEEP_SIZE);
		else if (result >= 0 || (isRefused && this.#step === Step.FILL)) this.#cleared();
		else if (!isRefused) this.#end(errorOf(result));
		else {
			if (isHole) limits.hasHoles = false;
			else limits.hasZeroRanges = false;
			// To discard is a hint.
			if (operation === DiskOperation.DISCARD) this.#end(DiskError.NONE);
			else this.#writeZeroes(isHole ? Step.ZERO_RANGE : Step.ZEROS);
		}
	}

	#putZeros(): void {
		const {offset, length} = this.request;
		this.#step = Step.ZEROS;
		this.action = FileAction.WRITE;
		this.flags = 0;
		this.offset = offset + this.#done;
		this.#reserve(1);
		const {limits} = this.#owner;
		limits.zeros ??= new Zeros();
		this.#put(0, limits.zeros.address, Math.min(zerosBytes, length - this.#done));
		this.#useOwn(1);
		if (this.#done < length) this.#owner.call(this);
		else this.#cleared();
	}

	#zerosWritten(result: number): void {
		if (result <= 0) {
			this.#end(result < 0 ? errorOf(result) : DiskError.IO);
			return;
		}
		this.#done += result;
		this.#putZeros();
	}

	#cleared(): void {
		if (this.request.isDurable) this.#sync();
		else this.#end(DiskError.NONE);
	}

	#reserve(vectors: number): void {
		if (this.#own.length < vectors * vectorWords)
			this.#own = new Uint32Array(new ArrayBuffer(vectors * vectorWords * 4));
	}

	#put(index: number, address: number, length: number): void {
		const at = index * vectorWords;
		this.#own[at] = address;
		this.#own[at + 1] = address / 2 ** 32;
		this.#own[at + 2] = length;
		this.#own[at + 3] = 0;
	}

	#useOwn(count: number): void {
		this.buffer = 0;
		this.vectors = Number(addressOf(this.#own));
		this.count = count;
	}

	#end(error: DiskError): void {
		const bounce = this.#bounce;
		this.#bounce = undefined;
		if (bounce !== undefined) this.#owner.bounces.give(bounce);
		this.#owner.ended(this, error);
	}
}

/** What a negated errno means to whoever asked. */
function errorOf(result: number): DiskError {
	switch (-result) {
		case Errno.ENOSPC:
		case Errno.EDQUOT:
		case Errno.EFBIG:
			return DiskError.NO_SPACE;
		case Errno.EROFS:
		case Errno.EPERM:
			return DiskError.PROTECTED;
		case Errno.EOPNOTSUPP:
			return DiskError.UNSUPPORTED;
		default:
			return DiskError.IO;
	}
}
