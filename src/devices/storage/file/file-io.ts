import {type DiskError, DiskOperation, type DiskRequest} from '#devices/storage/disk';
import type {IoEngine} from '#support/io-engine';
import {Bounces} from './bounces.ts';
import type {FileLimits} from './file-limits.ts';
import {FileRequest, type FileRequestOwner} from './file-request.ts';
import {Flushes} from './flushes.ts';

/** How a file is used. */
export interface FileUse {
	/** Stays open until nothing is in flight. */
	readonly fd: number;
	readonly engine: IoEngine;
	/** What addresses of memory have to be multiples of; 1 without direct I/O. */
	readonly alignment: number;
	/** What lies behind the file's end reads as zeros; else it is an error. */
	readonly goesOnWithZeros: boolean;
}

/** Requests for the bytes of an open file, which come as they may: nobody looks whether they lie within it. */
export class FileIo implements FileRequestOwner {
	readonly fd: number;
	readonly limits: FileLimits;
	readonly goesOnWithZeros: boolean;
	readonly bounces = new Bounces();
	readonly #engine: IoEngine;
	readonly #flushes = new Flushes((all) => this.#begin(all));
	/** Those that have nothing to do, to be used again. */
	readonly #free: FileRequest[] = [];

	constructor({fd, engine, alignment, goesOnWithZeros}: FileUse) {
		this.fd = fd;
		this.goesOnWithZeros = goesOnWithZeros;
		this.#engine = engine;
		this.limits = {hasDurableWrites: true, hasHoles: true, hasZeroRanges: true, alignment};
	}

	submit(request: DiskRequest): void {
		if (request.operation === DiskOperation.FLUSH) this.#flushes.add(request);
		else this.#begin(request);
	}

	#begin(request: DiskRequest): void {
		(this.#free.pop() ?? new FileRequest(this)).begin(request);
	}

	/** For its own requests. */
	call(operation: FileRequest): void {
		this.#engine.submit(operation);
	}

	/** For its own requests. */
	ended(operation: FileRequest, error: DiskError): void {
		const {request} = operation;
		this.#free.push(operation);
		request.done(error);
	}
}
