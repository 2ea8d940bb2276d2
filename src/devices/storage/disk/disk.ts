import {engineNames} from '#support/io-engine';
import {DiskError, DiskOperation, type DiskRequest} from './disk-request.ts';

/** Ways in which a disk's data are moved: copies within the process, I/O on files by one of its engines, or a server's answers. */
export const diskMovers = ['memory', ...engineNames, 'http'] as const;
export type DiskMover = (typeof diskMovers)[number];

/** Sizes that a disk's user has to know. All are in bytes. */
export interface DiskGeometry {
	/** What offsets and lengths are multiples of: 512 or 4096. */
	readonly sectorBytes: number;
	/** What is written at once without being read before; a multiple of a sector. */
	readonly physicalSectorBytes: number;
	/** Ranges that are discarded best begin and end at multiples of this. 0 where nothing can be discarded. */
	readonly discardBytes: number;
	/** Longest range that one request discards or fills with zeros; longer ones would take too long. */
	readonly mostClearedBytes: number;
}

/**
 * A disk, as one thread uses it: a file, memory, or a layer over other disks. Devices submit requests to it and never wait.
 *
 * Requests may end in any order, and those that are under way together have none among each other: who needs one waits for the first to be
 * done. What has been written and not flushed may be lost with the host, in any part. What passes to the kernel together is for the disk
 * to gather: it does so until the end of the reactor's turn.
 */
export interface Disk {
	/** Length now, whole sectors. */
	readonly bytes: number;
	readonly geometry: DiskGeometry;
	readonly isReadOnly: boolean;
	/** What moves its data, for `inspect`. */
	readonly mover: DiskMover;
	/** What a disk knows of why its last request failed that did so for the host, as a sentence without its full stop. A layer knows what the disk below does. */
	readonly fault?: string | undefined;
	/** Takes a request of anybody's; what is wrong with it is its error. */
	submit(request: DiskRequest): void;
	/**
	 * Looks how long it is, where that can change, and resolves when {@link bytes} says so.
	 * @throws VmmError where it cannot be told
	 */
	measure(): Promise<void>;
	/**
	 * Makes it longer, where its length is its own: an image of a format. What comes from then on is zeros. Absent where it cannot.
	 * @param bytes - its new length, which {@link bytes} says when it resolves
	 * @throws VmmError DISK_LENGTH_, DISK_IMAGE_
	 */
	resize?(bytes: number): Promise<void>;
	/**
	 * Has its files hold what was written to it, for another process that opens them: where that is not so by itself. A layer has the disks below do so.
	 * When nothing is in flight.
	 * @throws VmmError
	 */
	settle(): Promise<void>;
	/** Lets go of all that it has of the host. When nothing is in flight, and nothing is called after it. */
	close(): Promise<void>;
}

/** What is wrong with a request to such a disk, before it is tried. */
export function requestError(disk: Disk, {operation, offset, length, vectors}: DiskRequest): DiskError {
	if (operation === DiskOperation.FLUSH) return DiskError.NONE;
	const {sectorBytes, mostClearedBytes} = disk.geometry;
	const isWhole = offset % sectorBytes === 0 && length % sectorBytes === 0;
	if (!(isWhole && offset >= 0 && length >= 0 && offset + length <= disk.bytes)) return DiskError.OUT_OF_RANGE;
	if (operation !== DiskOperation.READ && disk.isReadOnly) return DiskError.PROTECTED;
	const hasData = operation === DiskOperation.READ || operation === DiskOperation.WRITE;
	if (hasData) return vectors.bytes === length ? DiskError.NONE : DiskError.OUT_OF_RANGE;
	return length <= mostClearedBytes ? DiskError.NONE : DiskError.OUT_OF_RANGE;
}
