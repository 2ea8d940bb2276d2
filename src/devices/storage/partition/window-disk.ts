import {
	type Disk,
	DiskError,
	DiskLayer,
	DiskOperation,
	type DiskRequest,
	diskLengthError,
	requestError,
} from '#devices/storage/disk';
import {type Split, Splits, type Splitter} from '#devices/storage/split';
import {partitionError} from './errors.ts';
import type {DiskRange} from './table.ts';

const mostParts = 1024;

/** A part of a disk as a disk, whose length stays as it is. */
export class WindowDisk extends DiskLayer implements Splitter {
	readonly #bytes: number;
	readonly #start: number;
	readonly #splits = new Splits(this, mostParts);

	/** @throws VmmError DISK_PARTITION_PLACE for one that is none, or not within the disk */
	constructor(below: Disk, {start, length}: DiskRange) {
		super(below);
		const {sectorBytes} = below.geometry;
		const isRight =
			length > 0 && start % sectorBytes === 0 && length % sectorBytes === 0 && start + length <= below.bytes;
		if (!isRight) {
			const cause = `the disk has ${below.bytes} bytes in sectors of ${sectorBytes}`;
			throw partitionError('DISK_PARTITION_PLACE', {wanted: `of ${length} bytes at ${start}`, cause});
		}
		this.#start = start;
		this.#bytes = length;
	}

	override get bytes(): number {
		return this.#bytes;
	}

	override submit(request: DiskRequest): void {
		const error = requestError(this, request);
		if (error !== DiskError.NONE) request.done(error);
		else if (request.operation === DiskOperation.FLUSH) this.below.submit(request);
		else this.#splits.begin(request);
	}

	step(split: Split): DiskError {
		const {offset, length} = split.request;
		split.submit(this.below, this.#start + offset, length);
		split.position = length;
		return DiskError.NONE;
	}

	override async measure(): Promise<void> {}

	override async resize(bytes: number): Promise<void> {
		throw diskLengthError('DISK_LENGTH_FIXED', {bytes: this.bytes, wanted: bytes});
	}
}
