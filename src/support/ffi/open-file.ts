import {AtFlag, openPath} from './at-calls.ts';
import {libc} from './libc.ts';

const cStatx = libc('int statx(int directory, const char *path, int flags, uint32_t mask, void *buffer)');
const cFstatfs = libc('int fstatfs(int fd, void *buffer)');
const cGetdents = libc('long syscall(long number, int fd, void *buffer, size_t size)');
const cPreadv = libc('intptr_t preadv(int fd, uintptr_t vectors, int count, int64_t offset)');
const cPwritev = libc('intptr_t pwritev(int fd, uintptr_t vectors, int count, int64_t offset)');
const cFsync = libc('int fsync(int fd)');
const cFdatasync = libc('int fdatasync(int fd)');
const cSyncfs = libc('int syncfs(int fd)');
const cFallocate = libc('int fallocate(int fd, int mode, int64_t offset, int64_t length)');
const cCopyRange = libc(
	'intptr_t copy_file_range(int source, int64_t *offset, int target, int64_t *targetOffset, size_t length, uint32_t flags)',
);
const cLseek = libc('int64_t lseek(int fd, int64_t offset, int whence)');
const cFcntl = libc('int fcntl(int fd, int command, void *argument)');
const cGetxattr = libc('intptr_t getxattr(const char *path, const void *name, void *value, size_t size)');
const cSetxattr = libc('int setxattr(const char *path, const void *name, const void *value, size_t size, int flags)');
const cListxattr = libc('intptr_t listxattr(const char *path, void *list, size_t size)');
const cRemovexattr = libc('int removexattr(const char *path, const void *name)');

/** The basic ones, and when the file was made (STATX_BASIC_STATS | STATX_BTIME). */
const statxMask = 0xfff;
const getdents64Number = process.arch === 'arm64' ? 61 : 217;

/** Attributes of what is open, as an O_PATH descriptor too: fills `struct statx`, 256 bytes. 0 or the negated errno. */
export const statOpen = (fd: number, status: Uint8Array): number =>
	cStatx(fd, '', AtFlag.EMPTY_PATH, statxMask, status);

/** Fills `struct statfs`, 120 bytes. */
export const spaceOf = (fd: number, space: Uint8Array): number => cFstatfs(fd, space);

/** Reads `struct linux_dirent64` after `struct linux_dirent64`. Returns their bytes, 0 at the end. */
export const readEntries = (fd: number, entries: Uint8Array): number =>
	cGetdents(getdents64Number, fd, entries, entries.length);

// SAFETY of both: whoever calls keeps the vectors, and the memory that they lead to.

/** preadv(2) with `struct iovec` at a host address. */
export const readVectors = (fd: number, vectors: number, count: number, offset: number): number =>
	cPreadv(fd, vectors, count, offset);

/** pwritev(2), the same way. */
export const writeVectors = (fd: number, vectors: number, count: number, offset: number): number =>
	cPwritev(fd, vectors, count, offset);

export const syncFile = (fd: number, dataOnly: boolean): number => (dataOnly ? cFdatasync(fd) : cFsync(fd));

/** syncfs(2): all of the file system that a descriptor is of. */
export const syncAround = (fd: number): number => cSyncfs(fd);

export const allocate = (fd: number, mode: number, offset: number, length: number): number =>
	cFallocate(fd, mode, offset, length);

/** copy_file_range(2). Returns how many bytes. */
export function copyRange(
	source: number,
	offset: number,
	target: number,
	targetOffset: number,
	length: number,
): number {
	const [from, to] = [BigInt64Array.of(BigInt(offset)), BigInt64Array.of(BigInt(targetOffset))];
	return cCopyRange(source, from, target, to, length, 0);
}

/** Places that lseek(2) looks for. */
export const Seek = {END: 2, DATA: 3, HOLE: 4} as const;

/** lseek(2): where data or a hole begins at or after `offset`, or the negated errno; -ENXIO behind the last data. */
export const seek = (fd: number, offset: number | bigint, whence: number): number => cLseek(fd, offset, whence);

/** Commands of fcntl(2) for locks of open files, which take `struct flock`, 32 bytes. */
export const OpenFileLock = {GET: 36, SET: 37} as const;

export const lockRange = (fd: number, command: number, lock: Uint8Array): number => cFcntl(fd, command, lock);

/** Extended attributes of what is open; names end with NUL. Returns the length, for an empty target what it would take. */
export const getXattr = (fd: number, name: Uint8Array, target: Uint8Array): number =>
	cGetxattr(openPath(fd), name, target.length === 0 ? null : target, target.length);

export const setXattr = (fd: number, name: Uint8Array, value: Uint8Array, flags: number): number =>
	cSetxattr(openPath(fd), name, value, value.length, flags);

export const listXattrs = (fd: number, target: Uint8Array): number =>
	cListxattr(openPath(fd), target.length === 0 ? null : target, target.length);

export const removeXattr = (fd: number, name: Uint8Array): number => cRemovexattr(openPath(fd), name);
