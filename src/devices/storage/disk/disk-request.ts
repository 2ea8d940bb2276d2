import type {IoVectors} from '#devices/guest-memory';

/** What a request asks of a disk. */
export const DiskOperation = {
	/** Fills the vectors from the disk. */
	READ: 0,
	/** Writes what the vectors hold. */
	WRITE: 1,
	/** Makes all writes durable that were done before it was submitted. It has neither range nor vectors. */
	FLUSH: 2,
	/** Says that a range's content is not needed: it may read as anything that was ever in it, or as zeros. */
	DISCARD: 3,
	/** Has a range read as zeros. */
	WRITE_ZEROES: 4,
} as const;
export type DiskOperation = (typeof DiskOperation)[keyof typeof DiskOperation];

/** How a request ended. Faults of disks are values: a guest's driver gets one, whatever it has asked for. */
export const DiskError = {
	NONE: 0,
	/** The host could not read or write, or what was to be there is not. */
	IO: 1,
	/** There is no room for what was to be written. Asking again when there is can succeed. */
	NO_SPACE: 2,
	/** The disk has no such operation, or none for so long a range. */
	UNSUPPORTED: 3,
	/** The range lies not within the disk, or begins or ends within a sector. */
	OUT_OF_RANGE: 4,
	/** The disk is only read. */
	PROTECTED: 5,
	/** It is not done, and its policy has the machine pause: to be submitted again when the machine goes on. Of a backend only, see `DiskPolicy`. */
	HELD: 6,
	/** The host does not answer. Of a backend only, too. */
	TIMEOUT: 7,
} as const;
export type DiskError = (typeof DiskError)[keyof typeof DiskError];

/**
 * One request to a disk. Whoever has requests makes them once and uses them again and again: none is made while I/O goes on. From
 * {@link Disk.submit} until {@link done} it and the memory that it names are the disk's.
 */
export abstract class DiskRequest {
	operation: DiskOperation = DiskOperation.READ;
	/** First byte and number of bytes, whole sectors. */
	offset = 0;
	length = 0;
	/** Memory for the data of reads and writes, exactly {@link length} bytes of it. Who passes a request on has another's. */
	vectors: IoVectors;
	/** The data are durable when the write is done (force unit access). */
	isDurable = false;
	/** Of zeros: the disk may give up the room that they take. */
	mayUnmap = false;

	constructor(vectors: IoVectors) {
		this.vectors = vectors;
	}

	/** The request has ended. Called once for each submission, within it or in a later turn of the reactor; it may submit again. */
	abstract done(error: DiskError): void;
}
