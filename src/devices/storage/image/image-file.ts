/**
 * The bytes that an image lies in, whatever holds them. Every call may be under way beside others. Errors of the host are
 * `VmmError`s.
 */
export interface ImageFile {
	/** Names it in messages. */
	readonly path: string;
	/** False: nothing that changes it may be called. */
	readonly writable: boolean;
	/** Descriptor by which its bytes may be read and written by others too; undefined where they are not those of one file. */
	readonly fd?: number;
	/** Size in bytes. */
	size(): Promise<number>;
	/** Fills `bytes` from `offset` on; what lies behind the end reads as zeros. */
	read(offset: number, bytes: Uint8Array): Promise<void>;
	/** Writes all of `bytes`; the file grows where it has to. */
	write(offset: number, bytes: Uint8Array): Promise<void>;
	/** Resolves when everything that was written before it is on stable storage. */
	flush(): Promise<void>;
	/** Cuts the file, or lets it grow by zeros. */
	truncate(size: number): Promise<void>;
	/** Makes a range read as zeros, and gives its space back where the host can. The size stays. */
	punch(offset: number, length: number): Promise<void>;
	/** The next run of bytes at or behind `offset` that may be anything but zeros; undefined where only zeros follow. */
	nextData(offset: number): Promise<FileRange | undefined>;
	close(): Promise<void>;
}

/** Bytes of a file, from `start` up to `end`. */
export interface FileRange {
	readonly start: number;
	readonly end: number;
}
