import type {ImageFile} from './image-file.ts';

/** Where the bytes of a part of a disk are. */
export type Extent = {
	/** Offset in the disk, in bytes. */
	readonly offset: number;
	/** Length in bytes. */
	readonly length: number;
} & (
	| {
			/** They lie in the image's file as they are: `preadv` may put them where they are wanted. */
			readonly kind: 'data';
			readonly fileOffset: number;
	  }
	/** They are zeros. */
	| {readonly kind: 'zero'}
	/** The image does not have them: they are those of {@link DiskImage.below}, and zeros where there is none or it is shorter. */
	| {readonly kind: 'below'}
	| {
			readonly kind: 'compressed';
			/** Decompresses them. @throws VmmError DISK_IMAGE_DAMAGED */
			read(bytes: Uint8Array): Promise<void>;
	  }
);

/** Kinds of {@link MappedRun}: those of {@link Extent}, of whose bytes nothing has to be decompressed. */
export const RunKind = {DATA: 0, ZERO: 1, BELOW: 2} as const;
export type RunKind = (typeof RunKind)[keyof typeof RunKind];

/** Where bytes are, for those who ask again and again: an object that is filled anew each time. */
export interface MappedRun {
	/** Where they begin in the disk, as whoever asks says: a number beyond 2^31 is an object to V8 where one function gives it to another. */
	offset: number;
	kind: RunKind;
	/** In bytes. */
	length: number;
	/** Of data: where in the image's file they are. */
	fileOffset: number;
}

/** What bytes are looked for: to be read, or to be written where they are. */
export type RunUse = 'read' | 'write';

/** A place in the image's file for a part of what is to be written. */
export interface Target {
	/** Offset in the disk, in bytes. */
	readonly offset: number;
	readonly length: number;
	readonly fileOffset: number;
}

/**
 * Room for a write. The bytes are written to the targets first, which cover the range in order; then either method is called, once.
 * Until {@link finish} the disk reads as before, except for targets that it has its bytes in already.
 */
export interface Allocation {
	readonly targets: readonly Target[];
	/** The bytes are in place: the disk has them from now on. */
	finish(): Promise<void>;
	/** They are not: what was allocated is given back. */
	abandon(): Promise<void>;
}

/** What {@link DiskImage.check} is to put right: space that nothing uses, or also counts and marks that are wrong. */
export type Repair = 'leaks' | 'all';

/** What is wrong with an image. */
export interface CheckResult {
	/** Blocks that are taken and that nothing refers to. They cost space, no data. */
	readonly leaks: number;
	/** How many other faults there are. */
	readonly faultCount: number;
	/** The first of them, each a sentence without its full stop. */
	readonly faults: readonly string[];
	/** How many leaks and faults were put right; they are not among the above. */
	readonly repaired: number;
}

/** Facts about an image for a person, in the order in which they are shown. */
export type ImageFacts = Readonly<Record<string, string | number | boolean>>;

/**
 * A disk that lies in a file in some format: only the format's own data, of which disks are read and written by
 * `readImage` and `writeImage`, or straight between the file and a guest's memory. All calls may be under way beside others; whoever reads or
 * writes a range keeps discards of the same range away meanwhile, as disks do.
 *
 * Every method throws VmmError DISK_IMAGE_DAMAGED for tables that cannot be, whenever it meets them, and what the file throws.
 * At any moment the file, with any of the writes since the last flush or none, is an image with all that was flushed.
 */
export interface DiskImage {
	/** Name of the format. */
	readonly format: string;
	readonly file: ImageFile;
	/** Size of the disk in bytes. */
	readonly sizeBytes: number;
	/** The unit of allocation in bytes: what is discarded in such units is given back. */
	readonly blockBytes: number;
	/** Sector of the disk in bytes, where it is not 512. */
	readonly sectorBytes?: number;
	/** Tells its content from any other, where the format does. */
	readonly identity?: string;
	/** The image that this one lies over. */
	readonly below: DiskImage | undefined;
	/**
	 * Says where the first bytes of a range within the disk are, by what is in memory, without waiting and without allocating anything. To be written:
	 * only of data whose place the disk keeps and nothing else has.
	 * @returns false where {@link map} or {@link allocate} has to be asked, which also say what is wrong
	 */
	find(run: MappedRun, length: number, use: RunUse): boolean;
	/** The file lacks some of what was finished: {@link flush} writes it. */
	readonly isDirty: boolean;
	/** Says where bytes are, in order, from `offset` on: all of the range, or as much of it as a call may look at. */
	map(offset: number, length: number): Promise<readonly Extent[]>;
	/** Makes room for a write. A part of a block that is new has the block's other bytes already. @throws VmmError DISK_IMAGE_FULL */
	allocate(offset: number, length: number): Promise<Allocation>;
	/**
	 * Writes a block, or what the disk has of its last one, compressed. Absent where the format has no such blocks.
	 * @returns false where that takes no less room: nothing is written then
	 */
	writeCompressed?(offset: number, bytes: Uint8Array): Promise<boolean>;
	/** Makes a range read as zeros, and gives whole blocks of it back. */
	zero(offset: number, length: number): Promise<void>;
	/** The guest has no use for a range: its whole blocks read as zeros and are given back, where the format can say so. */
	discard(offset: number, length: number): Promise<void>;
	/** Resolves when all that was finished before it is on stable storage. */
	flush(): Promise<void>;
	/**
	 * Cuts the disk, or lets it grow by zeros. Until all of it is done it has the size that it had, also when `progress` throws, which gives it up; what
	 * is cut off may be gone then.
	 * @param progress - told how many bytes are cleared, of those that have to be
	 * @throws VmmError DISK_IMAGE_SIZE_INVALID, DISK_IMAGE_UNSUPPORTED
	 */
	resize(sizeBytes: number, progress?: (done: number, total: number) => void): Promise<void>;
	/** Looks for faults; nothing else may be under way. @throws VmmError DISK_IMAGE_UNSUPPORTED */
	check(repair?: Repair, progress?: (done: number, total: number) => void): Promise<CheckResult>;
	facts(): ImageFacts;
	/** Flushes and closes it and its file, not what is below. */
	close(): Promise<void>;
}

/** What an image says of the one it lies over. */
export interface BackingReference {
	/** The name as it is written in the image. */
	readonly name: string;
	/** Format, where the image says it. */
	readonly format: string | undefined;
	/** It is one of these, where the format tells its images apart: it has been written since, or is another one, if not. */
	readonly identities?: readonly string[] | undefined;
}
