import {Errno} from '#support/ffi';
import type {Answer, Done, Name} from './answer.ts';
import type {AttributeChanges, Attributes, FolderSpace, Owner} from './attributes.ts';
import type {BytesFromGuest, BytesToGuest} from './guest-bytes.ts';
import type {SavedFolder} from './saved-folder.ts';

/** A file or directory that a guest knows: a number that no other one gets later. */
export type NodeId = number;
/** The folder itself, which is always known. */
export const rootNode: NodeId = 1;
/** An open file or directory: a number of at least 1, used again after its release. */
export type HandleId = number;

/** Flags of open(2) that servers pass on, in the numbers of Linux on x86-64, which are those of 9P2000.L. A folder ignores others. */
export const OpenFlag = {
	/** Mask of the access: to read, to write, or both. */
	ACCESS: 3,
	READ: 0,
	WRITE: 1,
	BOTH: 2,
	EXCLUSIVE: 0o200,
	TRUNCATE: 0o1000,
	/** Writes go to the end, whatever their offset. */
	APPEND: 0o2000,
	DSYNC: 0o10000,
	DIRECT: 0o40000,
	SYNC: 0o4000000,
} as const;

/** Flags of renameat2(2). */
export const RenameFlag = {NOREPLACE: 1, EXCHANGE: 2, WHITEOUT: 4} as const;

/** Flags of setxattr(2). */
export const XattrFlag = {CREATE: 1, REPLACE: 2} as const;

/** What a folder can do, for a server to tell its client. */
export interface FolderAbilities {
	readonly readOnly: boolean;
	readonly xattrs: boolean;
	/** Has {@link Folder.getLock} and {@link Folder.setLock}; without it the client keeps its locks itself. */
	readonly locks: boolean;
	/** Files are the host's own, and {@link Folder.openToMap} opens them. */
	readonly dax: boolean;
	/** Names that differ in case only are one. */
	readonly ignoresCase: boolean;
}

/** A file under the name by which it was looked for; its node has been looked up once more. */
export interface Entry {
	readonly node: NodeId;
	readonly attributes: Attributes;
}

/** A file that has been made and opened. */
export interface Created extends Entry {
	readonly handle: HandleId;
}

/** One of a directory's names, `.` and `..` among them; `..` of the folder itself is the folder. */
export interface DirectoryEntry {
	/** Bytes as {@link Name} has them. */
	readonly name: string;
	readonly inode: bigint;
	/** Bits of the mode; 0 where it is not known. */
	readonly type: number;
	/** Where reading goes on behind it: any number of 64 bits but 0. */
	readonly cookie: bigint;
}

/** Kinds of locks (F_RDLCK, F_WRLCK, F_UNLCK of fcntl(2)). */
export const LockKind = {READ: 0, WRITE: 1, NONE: 2} as const;

/** A lock of a range of bytes, or of a whole file (flock(2)): those two know nothing of each other. */
export interface FileLock {
	readonly kind: number;
	/** First and last byte, both included. */
	readonly start: bigint;
	readonly end: bigint;
	/** Tells the guest's owners of locks apart, within one folder. */
	readonly owner: bigint;
	/** Process of the guest's; 0 for one that the guest does not know. */
	readonly pid: number;
	readonly isWhole: boolean;
}

/**
 * A folder that machines share, as it is to whoever serves it (virtio-fs, 9P): files by number, as FUSE's low-level interface has
 * them. A back end implements it, and the device worker calls it; it never waits, but for answers that are promises. It keeps what guests cause within
 * {@link FolderOptions.mostNodes} and `mostHandles`, and answers -ENFILE beyond. Numbers come from guests: one that means nothing is answered with -ESTALE (nodes) or
 * -EBADF (handles), and so is a file's handle where a directory's belongs.
 *
 * Who may do what is decided by the guest's kernel, from modes and owners; the folder decides what the guest as a whole may. What it
 * cannot do at all it inherits: -ENOSYS, which a client asks for once.
 */
export abstract class Folder {
	abstract readonly abilities: FolderAbilities;

	/** Finds a name. Each answer with an {@link Entry} is one more that the guest {@link forget}s. */
	abstract lookup(parent: NodeId, name: Name): Answer<Entry>;
	/** The guest knows a node no more by `count` of its lookups. Anything may be said of any node. */
	abstract forget(node: NodeId, count: number): void;

	/** @param handle - an open file of the node, which serves when its name has gone */
	abstract getAttributes(node: NodeId, handle?: HandleId): Answer<Attributes>;
	abstract setAttributes(node: NodeId, changes: AttributeChanges, handle?: HandleId): Answer<Attributes>;

	abstract readLink(node: NodeId): Answer<Uint8Array>;
	/** @param target - any bytes but NUL, up to 4095: nothing on the host follows it */
	abstract makeLink(parent: NodeId, name: Name, target: Uint8Array, owner: Owner): Answer<Entry>;
	/** Makes a file of any type but a directory or a link. @param mode - with the type; @param device - as {@link Attributes.device} */
	abstract makeNode(parent: NodeId, name: Name, mode: number, device: number, owner: Owner): Answer<Entry>;
	abstract makeDirectory(parent: NodeId, name: Name, mode: number, owner: Owner): Answer<Entry>;
	abstract unlink(parent: NodeId, name: Name): Done;
	abstract removeDirectory(parent: NodeId, name: Name): Done;
	/** @param flags - {@link RenameFlag} */
	abstract rename(parent: NodeId, name: Name, newParent: NodeId, newName: Name, flags: number): Done;
	/** Gives a file a further name. */
	abstract link(node: NodeId, newParent: NodeId, newName: Name): Answer<Entry>;

	/** Opens a regular file. @param flags - {@link OpenFlag} */
	abstract open(node: NodeId, flags: number): Answer<HandleId>;
	/** Makes a regular file, or opens the one that is there unless it is to be new. */
	abstract create(parent: NodeId, name: Name, flags: number, mode: number, owner: Owner): Answer<Created>;
	/** Makes a file without a name. */
	createUnnamed(_parent: NodeId, _flags: number, _mode: number, _owner: Owner): Answer<Created> {
		return -Errno.EOPNOTSUPP;
	}
	/** Fills `target` from its first byte on. @returns how many; fewer than there is room for at the end only */
	abstract read(handle: HandleId, offset: number, target: BytesToGuest): Answer<number>;
	/** @returns how many were written */
	abstract write(handle: HandleId, offset: number, source: BytesFromGuest): Answer<number>;
	/** A program has closed the file, which others may have open still. @param owner - of locks, which end */
	abstract flush(handle: HandleId, owner: bigint): Done;
	/** Nobody has the file open any more. Nothing is in flight on it. @param flockOwner - of locks of the whole file, which end */
	abstract release(handle: HandleId, flockOwner?: bigint): Done;
	/** @param dataOnly - no more than what it takes to read the data again */
	abstract sync(handle: HandleId, dataOnly: boolean): Done;

	abstract openDirectory(node: NodeId): Answer<HandleId>;
	/**
	 * Lists a directory from behind a cookie on, 0 for the first time. The end is an empty list.
	 * @param most - entries; there may be fewer
	 */
	abstract readDirectory(handle: HandleId, cookie: bigint, most: number): Answer<readonly DirectoryEntry[]>;
	abstract releaseDirectory(handle: HandleId): Done;
	abstract syncDirectory(handle: HandleId, dataOnly: boolean): Done;

	abstract space(node: NodeId): Answer<FolderSpace>;
	/** Makes all of the folder durable. */
	syncAll(): Done {
		return -Errno.ENOSYS;
	}

	/** @param name - bytes as {@link Name} has them, up to 255, without NUL: `user.comment` */
	getXattr(_node: NodeId, _name: string): Answer<Uint8Array> {
		return -Errno.EOPNOTSUPP;
	}
	/** @param flags - {@link XattrFlag} */
	setXattr(_node: NodeId, _name: string, _value: Uint8Array, _flags: number): Done {
		return -Errno.EOPNOTSUPP;
	}
	/** Names, each with NUL behind. */
	listXattrs(_node: NodeId): Answer<Uint8Array> {
		return -Errno.EOPNOTSUPP;
	}
	removeXattr(_node: NodeId, _name: string): Done {
		return -Errno.EOPNOTSUPP;
	}

	/** The lock that keeps another one from being taken, or one of kind NONE. */
	getLock(_handle: HandleId, _lock: FileLock): Answer<FileLock> {
		return -Errno.ENOSYS;
	}
	/** Takes a lock or lets go of it, without waiting: -EAGAIN where somebody has it. The server waits. */
	setLock(_handle: HandleId, _lock: FileLock): Done {
		return -Errno.ENOSYS;
	}

	/** @param whence - `Seek.DATA` or `Seek.HOLE`. @returns where data or a hole begins; -ENXIO behind the end */
	seek(_handle: HandleId, _offset: number, _whence: number): Answer<number> {
		return -Errno.ENOSYS;
	}
	/** @param mode - of fallocate(2) */
	allocate(_handle: HandleId, _offset: number, _length: number, _mode: number): Done {
		return -Errno.EOPNOTSUPP;
	}
	/** Copies within the folder. @returns how many bytes, which may be fewer */
	copyRange(
		_source: HandleId,
		_offset: number,
		_target: HandleId,
		_targetOffset: number,
		_length: number,
	): Answer<number> {
		return -Errno.EOPNOTSUPP;
	}

	/** Opens a regular file for mmap(2): a descriptor of the host's, which is the caller's to close. */
	openToMap(_node: NodeId, _isWritten: boolean): Answer<number> {
		return -Errno.ENODEV;
	}

	/** What a snapshot has of it: nodes by their place in the folder, and what is open. */
	abstract save(): SavedFolder;
	/** Has all of it again under the same numbers, in a folder that nobody has used. What is not there any more is answered with -ESTALE. */
	abstract restore(saved: SavedFolder): Done;
	/** The client has gone: nothing is known and open any more. Nothing is in flight. */
	abstract clear(): void;
	/** Lets go of all that it has of the host. Nothing is in flight. */
	abstract close(): void | Promise<void>;
}
