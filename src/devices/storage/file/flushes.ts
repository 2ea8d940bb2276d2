import {IoVectors} from '#devices/guest-memory';
import {DiskError, DiskOperation, DiskRequest} from '#devices/storage/disk';

/**
 * Flushes of one file: one for all that wait, and who comes meanwhile waits for the next, since it may have written behind the first. The host tells an open file once
 * of what it has lost (errseq_t of Linux, lib/errseq.c), so that of two under way one would be told that all is well.
 */
export class Flushes extends DiskRequest {
	readonly #begin: (all: DiskRequest) => void;
	#isUnderWay = false;
	#waiting: DiskRequest[] = [];
	/** Those of the one that is under way. */
	#flushed: DiskRequest[] = [];

	/** @param begin - makes what is in the file durable, and ends the request that it is given */
	constructor(begin: (all: DiskRequest) => void) {
		super(new IoVectors(0));
		this.operation = DiskOperation.FLUSH;
		this.#begin = begin;
	}

	add(request: DiskRequest): void {
		this.#waiting.push(request);
		this.#next();
	}

	override done(error: DiskError): void {
		const flushed = this.#flushed;
		// What those had written that wait may be among what is lost.
		if (error !== DiskError.NONE) flushed.push(...this.#waiting.splice(0));
		for (const request of flushed) request.done(error);
		flushed.length = 0;
		this.#isUnderWay = false;
		this.#next();
	}

	#next(): void {
		if (this.#isUnderWay || this.#waiting.length === 0) return;
		this.#isUnderWay = true;
		const waiting = this.#waiting;
		this.#waiting = this.#flushed;
		this.#flushed = waiting;
		this.#begin(this);
	}
}
