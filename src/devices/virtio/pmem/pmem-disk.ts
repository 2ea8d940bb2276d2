import {IoVectors} from '#devices/guest-memory';
import {type Disk, DiskError, type DiskMover, DiskOperation, DiskRequest} from '#devices/storage/disk';
import {FileIo} from '#devices/storage/file';
import type {IoEngine} from '#support/io-engine';

/** Makes what is in the file's pages durable. */
class Sync extends DiskRequest {
	readonly #ended: (error: DiskError) => void;

	constructor(ended: (error: DiskError) => void) {
		super(new IoVectors(0));
		this.operation = DiskOperation.FLUSH;
		this.#ended = ended;
	}

	override done(error: DiskError): void {
		this.#ended(error);
	}
}

/** A file that is mapped, as a disk of which nothing is asked but flushes. */
export class PmemDisk implements Disk {
	readonly bytes: number;
	readonly geometry = {sectorBytes: 512, physicalSectorBytes: 512, discardBytes: 0, mostClearedBytes: 0};
	readonly isReadOnly = false;
	readonly #engine: IoEngine;
	readonly #io: FileIo;
	readonly #sync = new Sync((error) => this.#ended(error));
	/** Those that wait for one that is not under way yet, and those of the one that is. */
	#waiting: DiskRequest[] = [];
	#flushed: DiskRequest[] = [];

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
		if (request.operation !== DiskOperation.FLUSH) {
			request.done(DiskError.UNSUPPORTED);
			return;
		}
		this.#waiting.push(request);
		this.#flush();
	}

	async measure(): Promise<void> {}

	async settle(): Promise<void> {}

	close(): Promise<void> {
		return this.#engine.close();
	}

	/** Flushes once for all that wait; who comes meanwhile waits for the next, since it may have written behind the first. */
	#flush(): void {
		if (this.#flushed.length > 0 || this.#waiting.length === 0) return;
		[this.#flushed, this.#waiting] = [this.#waiting, this.#flushed];
		this.#io.submit(this.#sync);
	}

	#ended(error: DiskError): void {
		// The host tells once of what it has lost, and what the others had written may be among it.
		const ended = error === DiskError.NONE ? this.#flushed : [...this.#flushed, ...this.#waiting.splice(0)];
		this.#flushed = [];
		for (const request of ended) request.done(error);
		this.#flush();
	}
}
