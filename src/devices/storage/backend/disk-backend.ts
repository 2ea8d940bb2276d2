import type {SavedMemory} from '#devices/device';
import {IoVectors} from '#devices/guest-memory';
import {monotonicClock, TokenBuckets} from '#devices/limits';
import {type Disk, DiskError, DiskLayer, DiskOperation, DiskRequest} from '#devices/storage/disk';
import {type DiskHost, type DiskSource, type openDisk, savedParts, sharedBytes} from '#devices/storage/source';
import type {Timer} from '#support/reactor';
import {DeadlineDisk} from './deadline-disk.ts';
import {HangWatch, type WatchedRequest} from './hang-watch.ts';
import {bucketCount, bucketOf} from './latency.ts';
import {type LimitName, limitTable} from './limits.ts';
import {actionOn, type DiskPolicy, errorActions, isOfHost} from './policy.ts';
import {type DiskShareView, diskShare, shareBytes, UnderWay, type WorkerShareView, workerShare} from './share.ts';

/** Opens the disk below; see `openDisk`. */
export type OpenDisk = typeof openDisk;

/** What a device's worker has for a disk of its. */
export interface BackendHost extends DiskHost {
	/** Tells the machine's owner that the disk has an error for it: see `diskReport`. */
	noticed(): void;
	/** Each worker opens the disk for itself, with what those have in common. */
	readonly isPrivate?: boolean;
}

/**
 * Bytes that the workers of such a disk have to share.
 * @param isPrivate - see {@link BackendHost}
 */
export const backendBytes = (source: DiskSource, workers: number, isPrivate = false): number =>
	shareBytes(workers) + (isPrivate ? workers : 1) * sharedBytes(source);

/** What the disk below has of its worker: of those bytes its own. */
export function hostBelow<H extends BackendHost>(source: DiskSource, host: H): H {
	const {index, count} = host.worker;
	const offset = host.offset + shareBytes(count);
	if (host.isPrivate !== true) return {...host, offset};
	return {...host, offset: offset + index * sharedBytes(source), worker: {index: 0, count: 1}};
}

/**
 * The parts of those that snapshots have.
 * @param offset - of those bytes
 * @param name - of the disk among its device's
 */
export const backendSavedParts = (
	source: DiskSource,
	workers: number,
	offset: number,
	name: string,
): readonly SavedMemory[] => savedParts(source, offset + shareBytes(workers), name);

/** Longest sleep of requests that wait for a limit: it may have been changed meanwhile. */
const longestWaitNs = 50e6;

/**
 * What stands between a device and its disk on one worker, whatever the disk is made of: requests are counted and timed, wait for the
 * disk's limits, and errors of the host are dealt with as its policy says; its owner hears of them, and of a host that does not answer. A disk
 * has one for each worker; nothing is allocated for a request.
 */
export class DiskBackend extends DiskLayer {
	readonly #policy: DiskPolicy;
	readonly #host: BackendHost;
	readonly #buckets: TokenBuckets<LimitName>;
	readonly #counts: Counts;
	readonly #share: DiskShareView;
	readonly #watch: HangWatch<Passage>;
	readonly #free: Passage[] = [];
	/** Those that wait for a limit, by direction: neither waits for a limit of the other's. */
	readonly #reads = new Waiting();
	readonly #writes = new Waiting();
	#timer: Timer | undefined;
	/** It comes to rest: nothing waits. */
	#isStopping = false;

	/**
	 * @param share - where in the host's memory it has {@link shareBytes}
	 * @param clockNs - the host's monotonic clock, the same on each thread
	 */
	constructor(disk: Disk, policy: DiskPolicy, host: BackendHost, share: number, clockNs = monotonicClock()) {
		super(policy.timeout === undefined ? disk : withDeadline(disk, policy.timeout, host, share));
		this.#policy = policy;
		this.#host = host;
		this.#share = diskShare(host.memory, share);
		this.#buckets = new TokenBuckets(limitTable, this.#share, clockNs);
		this.#watch = new HangWatch(this.below, host, this.#share);
		this.#counts = new Counts(workerShare(host.memory, share, host.worker.index));
		if (host.worker.index !== 0) return;
		if (policy.limits !== undefined) this.#buckets.set(policy.limits);
		this.#share.bytes = disk.bytes;
	}

	/**
	 * Opens a disk for one worker, in memory that the workers share: {@link backendBytes} from its offset on.
	 * @param open - the disk below
	 * @throws what opening it throws
	 */
	static async open(
		source: DiskSource,
		isReadOnly: boolean,
		policy: DiskPolicy,
		host: BackendHost,
		open: OpenDisk,
	): Promise<DiskBackend> {
		return new DiskBackend(await open(source, isReadOnly, hostBelow(source, host)), policy, host, host.offset);
	}

	override submit(request: DiskRequest): void {
		const passage = (this.#free.pop() ?? this.#watch.add(new Passage(this))).begin(request);
		this.#counts.begin();
		if (this.#buckets.isLimited) this.#admit(passage);
		else this.#give(passage);
	}

	/**
	 * Ends a request with an error that still waits for a limit, or that the host has said nothing of for long, where the host has none of the guest's memory:
	 * of a disk with a timeout. False where the disk has it, or nobody does.
	 */
	withdraw(request: DiskRequest): boolean {
		const passage = this.#waitingOf(request).remove(request);
		if (passage === undefined) return this.#withdrawHung(request);
		this.#counts.givenUp();
		this.#free.push(passage);
		request.done(DiskError.IO);
		this.#plan();
		return true;
	}

	#withdrawHung(request: DiskRequest): boolean {
		const {below} = this;
		const hung = below instanceof DeadlineDisk ? this.#watch.find((each) => each.request === request) : undefined;
		if (hung === undefined) return false;
		hung.isWithdrawn = true;
		(below as DeadlineDisk).giveUp(hung);
		return true;
	}

	/** Gives it the length that its owner wants, and looks how long it is. Of the first worker. */
	override async measure(): Promise<void> {
		const share = this.#share;
		const wanted = share.wantedBytes;
		share.wantedBytes = 0;
		try {
			if (wanted > 0) await this.resize(wanted);
		} catch (cause) {
			const reason = new TextEncoder().encode(cause instanceof Error ? cause.message : `${cause}`);
			share.resizeReasonBytes = Math.min(reason.length, share.resizeReason.length);
			share.resizeReason.set(reason.subarray(0, share.resizeReasonBytes));
			share.resizeFailures++;
			this.#host.noticed();
		}
		await this.below.measure();
		share.bytes = this.below.bytes;
	}

	/** Nobody waits for a limit any more, with guest memory that nobody gives back. */
	override close(): Promise<void> {
		this.#giveUp();
		this.#plan();
		this.#watch.close();
		if (this.#host.worker.index === 0) this.#share.bytes = 0;
		return this.below.close();
	}

	/** Limits hold from here on. */
	start(): void {
		this.#isStopping = false;
	}

	/**
	 * The device comes to rest, which no limit keeps it from: what waits goes now, and is owed. Until {@link start}.
	 * @param isReset - its driver has reset it: what waits is given up, or one that resets it again and again would have no limit
	 */
	stop(isReset = false): void {
		this.#isStopping = true;
		if (isReset) this.#giveUp();
		this.#goOn();
	}

	/** For its own requests. */
	ended(passage: Passage, error: DiskError): void {
		const {request, operation, offset, length, startNs} = passage;
		this.#watch.end(passage, error);
		this.#free.push(passage);
		const isSimple = error === DiskError.NONE || passage.isWithdrawn;
		const action = isSimple ? 'report' : actionOn(error, this.#policy);
		// A whole number, which V8 passes without an object.
		this.#counts.end(operation, length, Math.round(performance.now() * 1e6 - startNs), error);
		if (isOfHost(error)) {
			this.#counts.failed(operation, offset, length, error, errorActions.indexOf(action), this.below.fault);
			this.#host.noticed();
		}
		if (action === 'report') request.done(error);
		else request.done(action === 'ignore' ? DiskError.NONE : DiskError.HELD);
	}

	#admit(passage: Passage): void {
		const waiting = this.#waitingOf(passage);
		if (this.#isStopping) this.#pass(passage, true);
		else if (!waiting.isEmpty || !this.#pass(passage, false)) {
			const isFirst = waiting.isEmpty;
			passage.isThrottled = true;
			waiting.push(passage);
			this.#counts.wait();
			if (isFirst) this.#plan();
		}
	}

	/** Has the disk have it, where the limits let it. */
	#pass(passage: Passage, isOwed: boolean): boolean {
		const {operation, length} = passage;
		const isRead = operation === DiskOperation.READ;
		const moved = isRead || operation === DiskOperation.WRITE ? length : 0;
		const waitNs = this.#buckets.take(isRead, moved, 1, isOwed);
		if (waitNs > 0) {
			passage.waitNs = waitNs;
			return false;
		}
		if (passage.isThrottled) this.#counts.waited(passage.restart());
		this.#give(passage);
		return true;
	}

	#give(passage: Passage): void {
		this.#watch.begin(passage);
		this.below.submit(passage);
	}

	/** Ends what waits for a limit, and has the disk do nothing of it. */
	#giveUp(): void {
		for (const waiting of [this.#reads, this.#writes])
			for (let first = waiting.first; first !== undefined; first = waiting.first) {
				waiting.shift();
				this.#counts.givenUp();
				this.#free.push(first);
				first.request.done(DiskError.IO);
			}
	}

	#waitingOf({operation}: DiskRequest): Waiting {
		return operation === DiskOperation.READ ? this.#reads : this.#writes;
	}

	/** Passes on those whose time has come, the first that came first: both directions draw on common buckets, and neither may have the other wait for ever. */
	#goOn(): void {
		let [reads, writes]: (Waiting | undefined)[] = [this.#reads, this.#writes];
		for (let next = elder(reads, writes); next !== undefined; next = elder(reads, writes)) {
			const first = next.first as Passage;
			// What comes of one that ends at once has its turn later.
			next.shift();
			if (this.#pass(first, this.#isStopping)) continue;
			next.unshift(first);
			// It may be a limit of its own direction's that it waits for.
			if (next === reads) reads = undefined;
			else writes = undefined;
		}
		this.#plan();
	}

	#plan(): void {
		this.#timer?.cancel();
		this.#timer = undefined;
		if (this.#reads.isEmpty && this.#writes.isEmpty) return;
		const waits = [this.#reads.first, this.#writes.first].map((first) => first?.waitNs ?? longestWaitNs);
		this.#timer = this.#host.reactor.after(Math.min(longestWaitNs, ...waits), () => this.#goOn());
	}
}

const withDeadline = (disk: Disk, seconds: number, {reactor, memory}: BackendHost, share: number): DeadlineDisk =>
	new DeadlineDisk(disk, {reactor, share: diskShare(memory, share), limitNs: seconds * 1e9});

/** A device's request on its way to the disk and back. */
class Passage extends DiskRequest implements WatchedRequest {
	readonly #backend: DiskBackend;
	#request: DiskRequest | undefined;
	/** When the device has given it, and from when on the disk has had it, of the thread's clock. */
	startNs = 0;
	tick = -1;
	isHung = false;
	isThrottled = false;
	/** Whoever has given it wants it back, whatever the policy says. */
	isWithdrawn = false;
	/** Time that it has to wait for limits, as far as is known. */
	waitNs = 0;
	next: Passage | undefined;

	constructor(backend: DiskBackend) {
		super(noVectors);
		this.#backend = backend;
	}

	get request(): DiskRequest {
		return this.#request as DiskRequest;
	}

	begin(request: DiskRequest): this {
		this.#request = request;
		this.operation = request.operation;
		this.offset = request.offset;
		this.length = request.length;
		this.vectors = request.vectors;
		this.isDurable = request.isDurable;
		this.mayUnmap = request.mayUnmap;
		this.isThrottled = this.isWithdrawn = false;
		this.startNs = performance.now() * 1e6;
		return this;
	}

	/** It is the disk's from now on. @returns how long it has waited */
	restart(): number {
		const waitedSince = this.startNs;
		this.startNs = performance.now() * 1e6;
		return this.startNs - waitedSince;
	}

	override done(error: DiskError): void {
		this.#backend.ended(this, error);
	}
}

const noVectors = new IoVectors(0);

/** Requests that wait, the first that came first. */
class Waiting {
	first: Passage | undefined;
	#last: Passage | undefined;

	get isEmpty(): boolean {
		return this.first === undefined;
	}

	push(passage: Passage): void {
		passage.next = undefined;
		if (this.#last === undefined) this.first = passage;
		else this.#last.next = passage;
		this.#last = passage;
	}

	shift(): void {
		this.first = this.first?.next;
		if (this.first === undefined) this.#last = undefined;
	}

	/** Takes out the passage of a request, where it is among them. */
	remove(request: DiskRequest): Passage | undefined {
		let before: Passage | undefined;
		for (let each = this.first; each !== undefined; before = each, each = each.next) {
			if (each.request !== request) continue;
			if (before === undefined) this.shift();
			else {
				before.next = each.next;
				if (each === this.#last) this.#last = before;
			}
			return each;
		}
		return undefined;
	}

	unshift(passage: Passage): void {
		passage.next = this.first;
		this.first = passage;
		this.#last ??= passage;
	}
}

/** The one whose first has waited longer, of those that have any. */
function elder(one: Waiting | undefined, other: Waiting | undefined): Waiting | undefined {
	if (one?.first === undefined) return other?.first && other;
	return other?.first !== undefined && other.first.startNs < one.first.startNs ? other : one;
}

/** A worker's counts, which it alone writes. */
class Counts {
	readonly #share: WorkerShareView;
	readonly #requests: Float64Array;
	readonly #bytes: Float64Array;
	readonly #errors: Float64Array;
	readonly #totalNs: Float64Array;
	readonly #latencies: Uint32Array;
	readonly #underWay: Uint32Array;

	constructor(share: WorkerShareView) {
		this.#share = share;
		this.#requests = share.requests;
		this.#bytes = share.bytes;
		this.#errors = share.errors;
		this.#totalNs = share.totalNs;
		this.#latencies = share.latencies;
		this.#underWay = share.underWay;
	}

	begin(): void {
		add(this.#underWay, UnderWay.ALL, 1);
	}

	end(operation: DiskOperation, bytes: number, ns: number, error: DiskError): void {
		add(this.#underWay, UnderWay.ALL, -1);
		add(this.#requests, operation, 1);
		add(this.#bytes, operation, bytes);
		add(this.#totalNs, operation, ns);
		if (error !== DiskError.NONE) add(this.#errors, operation, 1);
		const bucket = operation * bucketCount + bucketOf(ns);
		this.#latencies[bucket] = (this.#latencies[bucket] as number) + 1;
	}

	wait(): void {
		add(this.#underWay, UnderWay.WAITING, 1);
	}

	waited(ns: number): void {
		add(this.#underWay, UnderWay.WAITING, -1);
		this.#share.throttled++;
		this.#share.throttledNs += ns;
	}

	givenUp(): void {
		add(this.#underWay, UnderWay.ALL, -1);
		add(this.#underWay, UnderWay.WAITING, -1);
	}

	/** The count is the last that changes: who reads it has the rest. */
	failed(operation: DiskOperation, offset: number, length: number, error: DiskError, action: number, why = ''): void {
		const share = this.#share;
		share.failedOperation = operation;
		share.failedError = error;
		share.failedAction = action;
		share.failedOffset = offset;
		share.failedLength = length;
		const reason = new TextEncoder().encode(why).subarray(0, share.failedReason.length);
		share.failedReason.set(reason);
		share.failedReasonBytes = reason.length;
		share.failures++;
	}
}

const add = (counts: Float64Array | Uint32Array, index: number, more: number): void => {
	counts[index] = (counts[index] as number) + more;
};
