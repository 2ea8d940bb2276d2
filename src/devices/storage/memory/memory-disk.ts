import {
	type Disk,
	DiskError,
	type DiskGeometry,
	DiskOperation,
	type DiskRequest,
	requestError,
} from '#devices/storage/disk';

/** A disk in RAM of the host: bytes that its users on several threads share. Every request ends within its submission. */
export class MemoryDisk implements Disk {
	readonly bytes: number;
	readonly isReadOnly: boolean;
	readonly mover = 'memory';
	readonly geometry: DiskGeometry = {
		sectorBytes: 512,
		physicalSectorBytes: 4096,
		discardBytes: 4096,
		// It is filled on the reactor's thread, and drivers ask for several ranges at once.
		mostClearedBytes: 2 ** 18,
	};
	readonly #content: Uint8Array;

	/** @param content - whole sectors */
	constructor(content: Uint8Array, isReadOnly: boolean) {
		this.#content = content;
		this.bytes = content.length;
		this.isReadOnly = isReadOnly;
	}

	submit(request: DiskRequest): void {
		const error = requestError(this, request);
		if (error === DiskError.NONE) this.#perform(request);
		request.done(error);
	}

	async measure(): Promise<void> {}

	async settle(): Promise<void> {}

	async close(): Promise<void> {}

	#perform({operation, offset, length, vectors}: DiskRequest): void {
		switch (operation) {
			case DiskOperation.READ:
				vectors.copyIn(0, this.#content, offset, length);
				return;
			case DiskOperation.WRITE:
				vectors.copyOut(0, this.#content, offset, length);
				return;
			case DiskOperation.DISCARD:
			case DiskOperation.WRITE_ZEROES:
				this.#content.fill(0, offset, offset + length);
				return;
			case DiskOperation.FLUSH:
				return;
		}
	}
}
