import type {Disk, DiskGeometry, DiskMover} from './disk.ts';
import type {DiskRequest} from './disk-request.ts';
import {diskLengthError} from './errors.ts';

/** A disk over one other, and like it in all that a subclass does not say. */
export abstract class DiskLayer implements Disk {
	readonly geometry: DiskGeometry;
	protected readonly below: Disk;

	constructor(below: Disk, geometry = below.geometry) {
		this.below = below;
		this.geometry = geometry;
	}

	abstract submit(request: DiskRequest): void;

	get bytes(): number {
		return this.below.bytes;
	}

	get isReadOnly(): boolean {
		return this.below.isReadOnly;
	}

	get mover(): DiskMover {
		return this.below.mover;
	}

	get fault(): string | undefined {
		return this.below.fault;
	}

	measure(): Promise<void> {
		return this.below.measure();
	}

	async resize(bytes: number): Promise<void> {
		if (this.below.resize === undefined) throw diskLengthError('DISK_LENGTH_FIXED', {bytes: this.bytes, wanted: bytes});
		await this.below.resize(bytes);
	}

	settle(): Promise<void> {
		return this.below.settle();
	}

	close(): Promise<void> {
		return this.below.close();
	}
}
