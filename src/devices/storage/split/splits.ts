import {type HostMemory, IoVectors} from '#devices/guest-memory';
import {type Disk, DiskError, DiskRequest} from '#devices/storage/disk';

/** What a layer does with a request, step by step. */
export interface Splitter {
	/**
	 * Does what comes next of a request, at once or by {@link Split.submit}, and moves its {@link Split.position} on.
	 * @returns what keeps it from that; no step follows then
	 */
	step(split: Split): DiskError;
	/** A part has ended well; its memory is still there. */
	ended?(part: Part): void;
}

/** A request to a layer while it is served: it ends when all its steps are done and all its parts have ended. */
export interface Split {
	readonly request: DiskRequest;
	/** Of all that is to be done, how much is: bytes, or what the layer counts. */
	position: number;
	/** Passes a range of a disk below on, with the request's memory from {@link position} on. */
	submit(disk: Disk, offset: number, length: number): void;
	/** A part with no memory yet, which the layer gives it, to be passed on by {@link Part.submit}. */
	part(offset: number, length: number): Part;
}

const leastVectors = 16;

/** A part of a request, for a disk below. */
export class Part extends DiskRequest {
	readonly #splits: Splits;
	#split: SplitRequest | undefined;
	/** Where in the request it begins. */
	position = 0;
	/** Memory of the layer's own, which stays with the part when it is used again. */
	room: HostMemory | undefined;

	constructor(splits: Splits, vectors: number) {
		super(new IoVectors(Math.max(leastVectors, vectors)));
		this.#splits = splits;
	}

	get split(): SplitRequest {
		return this.#split as SplitRequest;
	}

	begin(split: SplitRequest, offset: number, length: number): this {
		const {operation, isDurable, mayUnmap} = split.request;
		this.#split = split;
		this.position = split.position;
		this.operation = operation;
		this.isDurable = isDurable;
		this.mayUnmap = mayUnmap;
		this.offset = offset;
		this.length = length;
		return this;
	}

	submit(disk: Disk): void {
		disk.submit(this);
	}

	override done(error: DiskError): void {
		this.#splits.partEnded(this, error);
	}
}

class SplitRequest implements Split {
	readonly #splits: Splits;
	#request: DiskRequest | undefined;
	position = 0;
	end = 0;
	error: DiskError = DiskError.NONE;
	/** Parts under way. */
	parts = 0;
	/** Its steps are being done; none is begun within another. */
	isGoing = false;
	isWaiting = false;

	constructor(splits: Splits) {
		this.#splits = splits;
	}

	get request(): DiskRequest {
		return this.#request as DiskRequest;
	}

	begin(request: DiskRequest, end: number): this {
		this.#request = request;
		this.end = end;
		this.position = 0;
		this.error = DiskError.NONE;
		return this;
	}

	submit(disk: Disk, offset: number, length: number): void {
		const {vectors} = this.request;
		const part = this.#splits.take(this, vectors.count).begin(this, offset, length);
		// Requests without data have no memory.
		if (vectors.bytes > 0) part.vectors.addPart(vectors, this.position, length);
		part.submit(disk);
	}

	part(offset: number, length: number): Part {
		return this.#splits.take(this, 1).begin(this, offset, length);
	}
}

/** Splits a layer's requests into parts for the disks below. Nothing is made once there is as much of it as was wanted at once. */
export class Splits {
	readonly #splitter: Splitter;
	readonly #most: number;
	readonly #freeParts: Part[] = [];
	readonly #free: SplitRequest[] = [];
	/** Those for whose next step there are too many parts under way. */
	readonly #waiting: SplitRequest[] = [];
	#parts = 0;
	#isWaking = false;

	/** @param most - parts under way at once; further steps wait */
	constructor(splitter: Splitter, most: number) {
		this.#splitter = splitter;
		this.#most = most;
	}

	/** Has a request done, step by step. @param end - position at which nothing is left to do */
	begin(request: DiskRequest, end = request.length): void {
		this.#go((this.#free.pop() ?? new SplitRequest(this)).begin(request, end));
	}

	/** For its own requests. */
	take(split: SplitRequest, vectors: number): Part {
		split.parts++;
		this.#parts++;
		const part = this.#freeParts.pop();
		return part !== undefined && part.vectors.capacity >= vectors ? part : new Part(this, vectors);
	}

	/** For its own parts. */
	partEnded(part: Part, error: DiskError): void {
		const {split} = part;
		if (error === DiskError.NONE) this.#splitter.ended?.(part);
		else if (split.error === DiskError.NONE) split.error = error;
		part.vectors.release();
		this.#freeParts.push(part);
		this.#parts--;
		split.parts--;
		if (!split.isWaiting) this.#go(split);
		this.#wake();
	}

	#go(split: SplitRequest): void {
		if (split.isGoing) return;
		split.isGoing = true;
		while (split.error === DiskError.NONE && split.position < split.end && !split.isWaiting) {
			if (this.#parts < this.#most) split.error = this.#splitter.step(split) || split.error;
			else {
				split.isWaiting = true;
				this.#waiting.push(split);
			}
		}
		split.isGoing = false;
		if (split.parts > 0 || split.isWaiting) return;
		this.#free.push(split);
		split.request.done(split.error);
	}

	/** Those that have waited go on, one after the other and not one within another. */
	#wake(): void {
		if (this.#isWaking) return;
		this.#isWaking = true;
		while (this.#waiting.length > 0 && this.#parts < this.#most) {
			const split = this.#waiting.shift() as SplitRequest;
			split.isWaiting = false;
			this.#go(split);
		}
		this.#isWaking = false;
	}
}
