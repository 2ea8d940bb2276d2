/** Kinds of {@link FileOperation}. */
export const FileAction = {
	/** preadv(2) and pwritev(2). */
	READ: 0,
	WRITE: 1,
	/** fdatasync(2). */
	SYNC: 2,
	/** fallocate(2). */
	ALLOCATE: 3,
} as const;
export type FileAction = (typeof FileAction)[keyof typeof FileAction];

/**
 * One call for a file, with what the kernel takes. It is used again and again; from {@link IoEngine.submit} until {@link completed} it is the
 * engine's, and the file, the vectors and the memory that they lead to stay.
 */
export abstract class FileOperation {
	action: FileAction = FileAction.READ;
	fd = -1;
	/** Place in the file. */
	offset = 0;
	/** Of a read or a write: host address of `struct iovec`, and how many there are. */
	vectors = 0;
	count = 0;
	/** Of a read or a write of one vector: the host address in it, with its {@link length}, which costs the kernel less. 0 where it is not said. */
	buffer = 0;
	/** Of {@link FileAction.ALLOCATE}, and beside {@link buffer}: how many bytes. */
	length = 0;
	/** Of a write RWF_, of {@link FileAction.ALLOCATE} FALLOC_FL_. */
	flags = 0;
	/** Of a read: it goes by the host's page cache, and what is there may be had without asking anybody else. */
	isCached = false;

	/**
	 * The call has returned, in some turn of the reactor after that of the submission or in that one.
	 * @param result - what it returned: bytes that were moved, 0; or the negated errno
	 */
	abstract completed(result: number): void;
}

/** Ways to do I/O on files without waiting for it. */
export const engineNames = ['io_uring', 'threads'] as const;
export type EngineName = (typeof engineNames)[number];

/**
 * I/O on files, of one thread. Operations end in any order. Those that are submitted in one turn of the reactor go to the kernel
 * together, at its end.
 */
export interface IoEngine {
	readonly name: EngineName;
	/** Operations that have not completed. */
	readonly inFlight: number;
	submit(operation: FileOperation): void;
	/** Lets go of what it has of the host, when nothing is in flight any more. Nothing is submitted after it. */
	close(): Promise<void>;
}
