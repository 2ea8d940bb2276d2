import {HostMemory, IoVectors} from '#devices/guest-memory';
import {type Disk, DiskError, DiskLayer, DiskOperation, DiskRequest, requestError} from '#devices/storage/disk';
import {errorTable} from '#support/errors';
import type {Reactor, Timer} from '#support/reactor';
import {DiskShare, type DiskShareView} from './share.ts';

/** Host memory of a worker for the data of requests: so many pieces of so many bytes, made when they are wanted. */
const [pieceBytes, mostPieces] = [2 ** 16, 256];
/** Longest request of data: as devices have them. */
const mostRequestBytes = 2 ** 22;

/** Requests of a worker that may be overdue: each is kept until the host answers, and a guest asks for as many as it likes. */
const mostOverdue = 256;

/** Parts of the limit that are told apart. */
const ticksOfLimit = 8;

const deadlineError = errorTable({
	DISK_NOT_ANSWERED: () => ({
		message:
			'The host has not answered requests to the disk, so that what its files hold may be older than what was written',
		remedy: 'Flush it again when the host answers',
	}),
});

const overdueWord = DiskShare.word('overdue');
const unheardWord = DiskShare.word('unheard');

/** Parts of a {@link DeadlineDisk}. */
export interface DeadlineParts {
	readonly reactor: Reactor;
	readonly share: DiskShareView;
	/** A request has so long, and up to an eighth more. */
	readonly limitNs: number;
}

/**
 * A disk that answers within a time, whatever its host does. A request of which the host says nothing for so long ends with an error, and the
 * device goes on. What the host does with it later touches nothing: data go by memory of the host's own, and as long as a request that may still
 * change the disk is under way, no other one is tried, on any worker: an old write cannot come after a new one.
 */
export class DeadlineDisk extends DiskLayer {
	readonly #parts: DeadlineParts;
	readonly #words: Int32Array;
	readonly #free: Attempt[] = [];
	readonly #pieces: HostMemory[] = [];
	#made = 0;
	/** Those that have not ended for the device, the oldest first: ends of a list. */
	#oldest: Attempt | undefined;
	#newest: Attempt | undefined;
	/** Those of them that wait for memory. */
	readonly #waiting: Attempt[] = [];
	/** How many are overdue here. */
	#overdue = 0;
	/** Counts the timer's expiries while requests are under way: a clock for the price of none. */
	#tick = 0;
	#timer: Timer | undefined;

	constructor(disk: Disk, parts: DeadlineParts) {
		super(disk);
		this.#parts = parts;
		this.#words = parts.share.$atomic;
	}

	override submit(request: DiskRequest): void {
		const error = this.#errorOf(request);
		if (error !== DiskError.NONE) {
			request.done(error);
			return;
		}
		const attempt = (this.#free.pop() ?? new Attempt(this)).begin(request, this.#tick);
		this.#append(attempt);
		this.#plan();
		if (this.#waiting.length > 0 || !this.#supply(attempt)) this.#waiting.push(attempt);
		else this.below.submit(attempt);
	}

	/** @throws VmmError DISK_NOT_ANSWERED while the host has something under way, with which the disk below cannot come to rest */
	override async settle(): Promise<void> {
		if (this.#isFenced || this.#overdue > 0) throw deadlineError('DISK_NOT_ANSWERED', {});
		await this.below.settle();
	}

	/** @throws VmmError DISK_NOT_ANSWERED, as {@link settle} */
	override async resize(bytes: number): Promise<void> {
		if (this.#isFenced || this.#overdue > 0) throw deadlineError('DISK_NOT_ANSWERED', {});
		await super.resize(bytes);
	}

	/** Whatever the host still does, it has nothing of the guest's: requests end at once. */
	override close(): Promise<void> {
		for (let first = this.#oldest; first !== undefined; first = this.#oldest) this.#giveUp(first);
		this.#timer?.cancel();
		return this.below.close();
	}

	/** Ends a request as if its time were over. */
	giveUp(request: DiskRequest): void {
		for (let each = this.#oldest; each !== undefined; each = each.after)
			if (each.request === request) {
				this.#giveUp(each);
				return;
			}
	}

	/** The host has answered, in time or not. For its own requests. */
	ended(attempt: Attempt, error: DiskError): void {
		const {request, isOverdue, operation} = attempt;
		if (isOverdue) {
			this.#overdue--;
			if (isChange(operation)) Atomics.sub(this.#words, overdueWord, 1);
			// The host tells once of what it has lost.
			const isSync = operation === DiskOperation.FLUSH || attempt.isDurable;
			if (isSync && error !== DiskError.NONE) Atomics.store(this.#words, unheardWord, 1);
		} else {
			this.#remove(attempt);
			if (operation === DiskOperation.READ && error === DiskError.NONE) attempt.deliver();
		}
		attempt.give(this.#pieces);
		this.#free.push(attempt);
		this.#goOn();
		if (!isOverdue) request.done(error === DiskError.NONE && this.#isLost(operation) ? DiskError.IO : error);
	}

	/** What a flush that was given up would have told, the next one that ends has to, on whichever worker. */
	#isLost(operation: DiskOperation): boolean {
		return operation === DiskOperation.FLUSH && Atomics.exchange(this.#words, unheardWord, 0) > 0;
	}

	/** What may still change the disk is overdue. */
	get #isFenced(): boolean {
		return Atomics.load(this.#words, overdueWord) > 0;
	}

	#errorOf(request: DiskRequest): DiskError {
		if (this.#isFenced || this.#overdue >= mostOverdue) return DiskError.TIMEOUT;
		if (hasData(request.operation) && request.length > mostRequestBytes) return DiskError.UNSUPPORTED;
		return requestError(this, request);
	}

	/** Gives a request memory, if there is enough. */
	#supply(attempt: Attempt): boolean {
		const {operation, length} = attempt;
		if (!hasData(operation)) return true;
		const wanted = Math.ceil(length / pieceBytes);
		if (wanted > this.#pieces.length + mostPieces - this.#made) return false;
		for (let at = 0; at < length; at += pieceBytes) {
			if (this.#pieces.length === 0) this.#made++;
			attempt.add(this.#pieces.pop() ?? new HostMemory(pieceBytes), Math.min(pieceBytes, length - at));
		}
		if (operation === DiskOperation.WRITE) attempt.fetch();
		return true;
	}

	/** Those that wait for memory may have it. */
	#goOn(): void {
		for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
			if (this.#isFenced) this.#giveUp(first);
			else if (this.#supply(first)) {
				this.#waiting.shift();
				this.below.submit(first);
			} else return;
		}
	}

	#plan(): void {
		const {reactor, limitNs} = this.#parts;
		this.#timer ??= reactor.after(limitNs / ticksOfLimit, this.#look);
	}

	/** Ends what is overdue. */
	readonly #look = (): void => {
		this.#timer = undefined;
		this.#tick++;
		for (let first = this.#oldest; first !== undefined; first = this.#oldest) {
			// The tick in which it began was not a whole one.
			if (this.#tick - first.tick <= ticksOfLimit) {
				this.#plan();
				return;
			}
			this.#giveUp(first);
		}
	};

	#giveUp(attempt: Attempt): void {
		this.#remove(attempt);
		const {request, operation} = attempt;
		const waiting = this.#waiting.indexOf(attempt);
		if (waiting >= 0) {
			this.#waiting.splice(waiting, 1);
			this.#free.push(attempt);
		} else {
			attempt.isOverdue = true;
			this.#overdue++;
			if (isChange(operation)) Atomics.add(this.#words, overdueWord, 1);
		}
		request.done(DiskError.TIMEOUT);
	}

	#append(attempt: Attempt): void {
		attempt.before = this.#newest;
		attempt.after = undefined;
		if (this.#newest === undefined) this.#oldest = attempt;
		else this.#newest.after = attempt;
		this.#newest = attempt;
	}

	#remove({before, after}: Attempt): void {
		if (before === undefined) this.#oldest = after;
		else before.after = after;
		if (after === undefined) this.#newest = before;
		else after.before = before;
	}
}

/** A request as the disk below has it, with memory of the host's. */
class Attempt extends DiskRequest {
	readonly #disk: DeadlineDisk;
	readonly #pieces: HostMemory[] = [];
	#request: DiskRequest | undefined;
	/** When it began. */
	tick = 0;
	/** The device has been told that it failed. */
	isOverdue = false;
	before: Attempt | undefined;
	after: Attempt | undefined;

	constructor(disk: DeadlineDisk) {
		super(new IoVectors(mostRequestBytes / pieceBytes));
		this.#disk = disk;
	}

	get request(): DiskRequest {
		return this.#request as DiskRequest;
	}

	begin(request: DiskRequest, tick: number): this {
		this.#request = request;
		this.operation = request.operation;
		this.offset = request.offset;
		this.length = request.length;
		this.isDurable = request.isDurable;
		this.mayUnmap = request.mayUnmap;
		this.isOverdue = false;
		this.tick = tick;
		return this;
	}

	add(piece: HostMemory, bytes: number): void {
		this.#pieces.push(piece);
		this.vectors.addHost(piece, 0, bytes);
	}

	/** Copies the device's data. */
	fetch(): void {
		for (let index = 0; index < this.#pieces.length; index++) {
			const {bytes} = this.#pieces[index] as HostMemory;
			this.#request?.vectors.copyOut(index * pieceBytes, bytes, 0, this.vectors.length(index));
		}
	}

	/** Gives the device the data. */
	deliver(): void {
		for (let index = 0; index < this.#pieces.length; index++) {
			const {bytes} = this.#pieces[index] as HostMemory;
			this.#request?.vectors.copyIn(index * pieceBytes, bytes, 0, this.vectors.length(index));
		}
	}

	/** Gives its memory back. */
	give(pieces: HostMemory[]): void {
		this.vectors.release();
		for (let piece = this.#pieces.pop(); piece !== undefined; piece = this.#pieces.pop()) pieces.push(piece);
	}

	override done(error: DiskError): void {
		this.#disk.ended(this, error);
	}
}

const hasData = (operation: DiskOperation): boolean =>
	operation === DiskOperation.READ || operation === DiskOperation.WRITE;

/** It may still change the disk. */
const isChange = (operation: DiskOperation): boolean =>
	operation !== DiskOperation.READ && operation !== DiskOperation.FLUSH;
