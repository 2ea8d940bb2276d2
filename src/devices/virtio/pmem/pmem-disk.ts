import {type Disk, DiskError, type DiskMover, DiskOperation, type DiskRequest} from '#devices/storage/disk';
import {FileIo} from '#devices/storage/file';
import type {IoEngine} from '#support/io-engine';

/** A file that is mapped, as a disk of which nothing is asked but flushes. */
export class PmemDisk implements Disk {
	readonly bytes: number;
	readonly geometry = {sectorBytes: 512, physicalSectorBytes: 512, discardBytes: 0, mostClearedBytes: 0};
	readonly isReadOnly = false;
	readonly #engine: IoEngine;
	readonly #io: FileIo;

	/** @param fd - stays open until it is closed */
	constructor(fd: number, bytes: number, engine: IoEngine) {
		this.bytes = bytes;
		this.#engine = engine;
		this.#io = new FileIo({fd, engine, alignment: 1, goesOnWithZeros: false});
	}

	get mover(): DiskMover {
		return this.#engine.name;
	}

	submit(request: DiskRequest): void {
		if (request.operation === DiskOperation.FLUSH) this.#io.submit(request);
		else request.done(DiskError.UNSUPPORTED);
	}

	async measure(): Promise<void> {}

	async settle(): Promise<void> {}

	close(): Promise<void> {
		return this.#engine.close();
	}
}
