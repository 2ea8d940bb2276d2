import {type Disk, DiskLayer, type DiskRequest} from '../index.ts';

/** What a test makes of an {@link InterceptedDisk}. */
export interface Interception {
	/** Has a request done, by the disk below or otherwise. */
	submit(request: DiskRequest, below: Disk): void;
	/** What the disk says of why it failed. */
	fault?(): string | undefined;
}

/** A disk of which a test decides what becomes of its requests. */
export class InterceptedDisk extends DiskLayer {
	readonly #by: Interception;

	constructor(below: Disk, by: Interception) {
		super(below);
		this.#by = by;
	}

	override get fault(): string | undefined {
		return this.#by.fault?.();
	}

	override submit(request: DiskRequest): void {
		this.#by.submit(request, this.below);
	}
}
