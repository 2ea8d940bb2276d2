import {type FileLock, LockKind, type NodeId, type Refused} from '#devices/folder';
import {close, Errno, lockFile, lockRange, O, OpenFileLock, reopen} from '#support/ffi';
import {RangeLock} from './host-structs.ts';

/** Owners that have locks of one kind on one file, at once: each takes a descriptor. */
const mostOwners = 1024;
const mostOffset = 2n ** 63n - 1n;
const bytes = new Uint8Array(new ArrayBuffer(RangeLock.size));
const range = RangeLock.on(bytes.buffer);

/**
 * Locks of a guest's as locks of the host's. There they belong to open files (F_OFD_SETLK of fcntl(2), flock(2)): so each owner in the guest
 * has an open file of its own for as long as it has locks, since two that share one would not see each other, and one that has a file open twice would see itself.
 */
export class HostLocks {
	/** By node, kind and owner. */
	readonly #files = new Map<string, number>();

	/** @param fd - of the file */
	get(node: NodeId, fd: number, lock: FileLock): FileLock | Refused {
		if (lock.isWhole) return -Errno.EINVAL;
		const isKnown = this.#files.has(keyOf(node, false, lock.owner));
		const own = this.#file(node, fd, lock);
		if (own < 0) return own;
		encode(lock);
		const result = lockRange(own, OpenFileLock.GET, bytes);
		if (!isKnown) this.drop(node, false, lock.owner);
		if (result < 0) return result;
		if (range.l_type === LockKind.NONE) return {...lock, kind: LockKind.NONE};
		const start = range.l_start;
		const end = range.l_len === 0n ? mostOffset : start + range.l_len - 1n;
		// Whose it is only its own kernel knows.
		return {...lock, kind: range.l_type, start, end, pid: 0};
	}

	set(node: NodeId, fd: number, lock: FileLock): 0 | Refused {
		const {kind, isWhole, owner} = lock;
		const isKnown = this.#files.has(keyOf(node, isWhole, owner));
		if (kind === LockKind.NONE && (!isKnown || isWhole || (lock.start === 0n && lock.end >= mostOffset))) {
			// Closing its file ends all of them.
			this.drop(node, isWhole, owner);
			return 0;
		}
		const own = this.#file(node, fd, lock);
		if (own < 0) return own;
		const result = isWhole ? lockFile(own, kind === LockKind.READ) : setRange(own, lock);
		if (result < 0 && !isKnown) this.drop(node, isWhole, owner);
		if (result < 0) return result === -Errno.EACCES ? -Errno.EAGAIN : result;
		return 0;
	}

	/** Lets go of all locks of one kind that an owner has on a file. */
	drop(node: NodeId, isWhole: boolean, owner: bigint): void {
		const key = keyOf(node, isWhole, owner);
		const fd = this.#files.get(key);
		if (fd === undefined) return;
		this.#files.delete(key);
		close(fd);
	}

	close(): void {
		for (const fd of this.#files.values()) close(fd);
		this.#files.clear();
	}

	#file(node: NodeId, fd: number, {isWhole, owner}: FileLock): number {
		const key = keyOf(node, isWhole, owner);
		const known = this.#files.get(key);
		if (known !== undefined) return known;
		if (this.#files.size >= mostOwners) return -Errno.ENOLCK;
		const both = reopen(fd, O.RDWR | O.NONBLOCK | O.NOCTTY);
		const made = both >= 0 ? both : reopen(fd, O.RDONLY | O.NONBLOCK | O.NOCTTY);
		if (made >= 0) this.#files.set(key, made);
		return made;
	}
}

const keyOf = (node: NodeId, isWhole: boolean, owner: bigint): string => `${node}/${isWhole ? 'w' : 'r'}${owner}`;

function setRange(fd: number, lock: FileLock): number {
	encode(lock);
	return lockRange(fd, OpenFileLock.SET, bytes);
}

function encode({kind, start, end}: FileLock): void {
	bytes.fill(0);
	range.l_type = kind;
	range.l_start = start;
	// None is to the end, wherever that will be (fcntl(2)).
	range.l_len = end >= mostOffset ? 0n : end - start + 1n;
}
