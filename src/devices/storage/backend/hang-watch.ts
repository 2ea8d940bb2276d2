import {type Disk, DiskError, type DiskRequest, diskMovers} from '#devices/storage/disk';
import type {Reactor, Timer} from '#support/reactor';
import {DiskShare, type DiskShareView} from './share.ts';

/** Seconds for which the host may say nothing of a request before the disk's owner is told. */
export const hangSeconds = 10;

/** Parts of that time that are told apart. */
const ticksOfLimit = 8;

const hungWord = DiskShare.word('hung');
const hangsWord = DiskShare.word('hangs');
const answersWord = DiskShare.word('answers');

/** A request as a disk's watch has it. */
export interface WatchedRequest extends Pick<DiskRequest, 'operation' | 'offset' | 'length'> {
	/** When the disk has got it, in ticks of the watch; negative while it has not. */
	tick: number;
	/** When that was, in nanoseconds of the thread's clock. */
	readonly startNs: number;
	/** The owner has been told of it, or of another one before. */
	isHung: boolean;
}

/** What a {@link HangWatch} has of the disk's worker. */
export interface WatchHost {
	readonly reactor: Reactor;
	/** There is something to tell in the share. */
	noticed(): void;
}

/**
 * Tells a disk's owner when the host has said nothing of a request for {@link hangSeconds}, and when it has answered all of which that is so: once for all
 * workers. It changes nothing for the guest. While requests are under way a timer counts, so that each costs a few stores and no look at a clock; nor does a
 * process that was stopped itself take its disks for hung.
 */
export class HangWatch<R extends WatchedRequest> {
	readonly #disk: Disk;
	readonly #host: WatchHost;
	readonly #share: DiskShareView;
	readonly #words: Int32Array;
	readonly #requests: R[] = [];
	#tick = 0;
	#timer: Timer | undefined;

	constructor(disk: Disk, host: WatchHost, share: DiskShareView) {
		this.#disk = disk;
		this.#host = host;
		this.#share = share;
		this.#words = share.$atomic;
	}

	/** Follows a request that is used again and again. */
	add(request: R): R {
		this.#requests.push(request);
		return request;
	}

	/** The disk has it from now on. */
	begin(request: WatchedRequest): void {
		request.tick = this.#tick;
		this.#timer ??= this.#host.reactor.after(tickNs, this.#look);
	}

	/** The disk has it no more. */
	end(request: WatchedRequest, error: DiskError): void {
		request.tick = -1;
		if (request.isHung) this.#endHang(request, error);
	}

	/** The one that hangs of which this is so. */
	find(isIt: (request: R) => boolean): R | undefined {
		return this.#requests.find((request) => request.isHung && isIt(request));
	}

	/** Nobody is told any more. */
	close(): void {
		this.#timer?.cancel();
		for (const request of this.#requests) {
			if (request.isHung) Atomics.sub(this.#words, hungWord, 1);
			request.isHung = false;
		}
		this.#requests.length = 0;
	}

	readonly #look = (): void => {
		this.#timer = undefined;
		this.#tick++;
		for (const request of this.#requests) {
			if (request.tick < 0) continue;
			this.#timer ??= this.#host.reactor.after(tickNs, this.#look);
			// The tick in which it began was not a whole one.
			if (!request.isHung && this.#tick - request.tick > ticksOfLimit) this.#beginHang(request);
		}
	};

	#beginHang(request: WatchedRequest): void {
		request.isHung = true;
		if (Atomics.add(this.#words, hungWord, 1) > 0) return;
		const share = this.#share;
		share.hungOperation = request.operation;
		share.hungOffset = request.offset;
		share.hungLength = request.length;
		share.hungMover = diskMovers.indexOf(this.#disk.mover);
		this.#tell(hangsWord);
	}

	/** A timeout is an error of its own, and no answer. */
	#endHang(request: WatchedRequest, error: DiskError): void {
		request.isHung = false;
		if (Atomics.sub(this.#words, hungWord, 1) > 1 || error === DiskError.TIMEOUT) return;
		this.#share.hungNs = performance.now() * 1e6 - request.startNs;
		this.#tell(answersWord);
	}

	/** The count is the last that changes: who reads it has the rest. */
	#tell(count: number): void {
		Atomics.add(this.#words, count, 1);
		this.#host.noticed();
	}
}

const tickNs = (hangSeconds * 1e9) / ticksOfLimit;
