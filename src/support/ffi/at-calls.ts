import {O, open} from './fd.ts';
import {libc} from './libc.ts';

/** Flags of open(2) for what is reached from a descriptor. */
export const OAt = {
	NOFOLLOW: process.arch === 'arm64' ? 0o100000 : 0o400000,
	DIRECTORY: process.arch === 'arm64' ? 0o40000 : 0o200000,
	TMPFILE: process.arch === 'arm64' ? 0o20040000 : 0o20200000,
	PATH: 0o10000000,
} as const;

/** How openat2(2) resolves a path. */
export const Resolve = {NO_XDEV: 1, NO_MAGICLINKS: 2, NO_SYMLINKS: 4, BENEATH: 8} as const;

export const AtFlag = {REMOVEDIR: 0x200, SYMLINK_FOLLOW: 0x400, EMPTY_PATH: 0x1000} as const;

const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;
/** Which libc has no function for; the same on all processors. */
const openat2Number = 437;
/** `struct open_how`: flags, mode, resolve (openat2(2)). */
const how = new BigUint64Array(3);

const cOpenat2 = libc('long syscall(long number, int directory, const void *path, const void *how, size_t size)');
const cMkdirat = libc('int mkdirat(int directory, const void *path, uint32_t mode)');
const cMknodat = libc('int mknodat(int directory, const void *path, uint32_t mode, uint64_t device)');
const cUnlinkat = libc('int unlinkat(int directory, const void *path, int flags)');
const cRenameat2 = libc(
	'int renameat2(int oldDirectory, const void *old, int newDirectory, const void *new, uint32_t flags)',
);
const cLinkat = libc('int linkat(int oldDirectory, const char *old, int newDirectory, const void *new, int flags)');
const cSymlinkat = libc('int symlinkat(const void *target, int directory, const void *path)');
const cReadlinkat = libc('intptr_t readlinkat(int directory, const char *path, void *buffer, size_t size)');
const cFchownat = libc('int fchownat(int directory, const char *path, uint32_t uid, uint32_t gid, int flags)');
const cChmod = libc('int chmod(const char *path, uint32_t mode)');
const cTruncate = libc('int truncate(const char *path, int64_t length)');
const cUtimensat = libc('int utimensat(int directory, const char *path, const void *times, int flags)');

/**
 * Bytes of a path or a name with NUL behind. Its type says so, as C reads on to the next one otherwise.
 */
export type CPath = Uint8Array;

/**
 * openat2(2), close-on-exec: opens a path from a directory on as {@link Resolve} says. Returns the descriptor or the negated errno; -ENOSYS
 * before Linux 5.6.
 */
export function openAt(directory: number, path: CPath, flags: number, mode: number, resolve: number): number {
	how[0] = BigInt(flags | O.CLOEXEC);
	how[1] = BigInt(mode);
	how[2] = BigInt(resolve);
	return cOpenat2(openat2Number, directory, path, how, how.byteLength);
}

export const mkdirAt = (directory: number, name: CPath, mode: number): number => cMkdirat(directory, name, mode);

/** @param device - as `makedev` of glibc has it: in 32 bits what Linux's is */
export const mknodAt = (directory: number, name: CPath, mode: number, device: number): number =>
	cMknodat(directory, name, mode, device);

/** @param flags - `AtFlag.REMOVEDIR` for a directory */
export const unlinkAt = (directory: number, name: CPath, flags: number): number => cUnlinkat(directory, name, flags);

export const renameAt = (from: number, name: CPath, to: number, newName: CPath, flags: number): number =>
	cRenameat2(from, name, to, newName, flags);

/** Swaps two files or folders of one file system in one step. 0 or the negated errno. */
export const exchangePaths = (one: string, other: string): number =>
	renameAt(AT_FDCWD, Buffer.from(`${one}\0`), AT_FDCWD, Buffer.from(`${other}\0`), RENAME_EXCHANGE);

export const symlinkAt = (target: CPath, directory: number, name: CPath): number => cSymlinkat(target, directory, name);

/** Path of what is open as a descriptor, whatever its name is now (proc(5)). */
export const openPath = (fd: number): string => `/proc/self/fd/${fd}`;

/** Gives what is open as a descriptor, a link too, a further name. */
export const linkOpen = (fd: number, directory: number, name: CPath): number =>
	cLinkat(AT_FDCWD, openPath(fd), directory, name, AtFlag.SYMLINK_FOLLOW);

/** Opens anew what is open as a descriptor, which may be an O_PATH one. */
export const reopen = (fd: number, flags: number): number => open(openPath(fd), flags);

/** Target of a link that is open as a descriptor. Returns its length. */
export const readOpenLink = (fd: number, target: Uint8Array): number => cReadlinkat(fd, '', target, target.length);

/** @param uid - or 2^32 - 1 for no change, as of `gid` */
export const chownOpen = (fd: number, uid: number, gid: number): number =>
	cFchownat(fd, '', uid, gid, AtFlag.EMPTY_PATH);

/** Changes permissions of what is open as a descriptor and no link. */
export const chmodOpen = (fd: number, mode: number): number => cChmod(openPath(fd), mode);

/** Changes the length of a regular file that is open as a descriptor, for reading alone as well. */
export const truncateOpen = (fd: number, length: number): number => cTruncate(openPath(fd), length);

/** @param times - two of `struct timespec`, for access and modification (utimensat(2)) */
export const setTimesOpen = (fd: number, times: BigInt64Array): number => cUtimensat(fd, '', times, AtFlag.EMPTY_PATH);

/** Nanoseconds of `struct timespec` that mean now, or no change (utimensat(2)). */
export const UTIME_NOW = 2n ** 30n - 1n;
export const UTIME_OMIT = 2n ** 30n - 2n;
