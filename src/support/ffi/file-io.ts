import {libc, libcResultInPool} from './libc.ts';

/** What a thread of Node's pool tells of a call: its result, or the negated errno. */
export type PoolResult = (result: number) => void;

/** Flags of fallocate(2). */
export const Fallocate = {KEEP_SIZE: 1, PUNCH_HOLE: 2, ZERO_RANGE: 0x10} as const;

/** Flags of preadv2(2): the data are durable when the call returns; nothing is waited for that is not in the page cache. */
export const RWF_DSYNC = 2;
const RWF_NOWAIT = 8;

const cPreadv2 = libc('intptr_t preadv2(int fd, uintptr_t vectors, int count, int64_t offset, int flags)');

const cPreadv = libcResultInPool('intptr_t preadv(int fd, uintptr_t vectors, int count, int64_t offset)');
const cPwritev = libcResultInPool('intptr_t pwritev(int fd, uintptr_t vectors, int count, int64_t offset)');
const cPwritev2 = libcResultInPool(
	'intptr_t pwritev2(int fd, uintptr_t vectors, int count, int64_t offset, int flags)',
);
const cFdatasync = libcResultInPool('int fdatasync(int fd)');
const cFallocate = libcResultInPool('int fallocate(int fd, int mode, int64_t offset, int64_t length)');

// SAFETY of all: whoever calls keeps the vectors, and the memory that they lead to, until the result is told.

/**
 * Reads from the host's page cache, with `struct iovec` at a host address, and waits for nothing: what the call is done with is not kept.
 * @returns bytes that were there, which may be fewer than were asked for; -EAGAIN where the first is not; -EOPNOTSUPP where the file
 * system does not say; or another negated errno
 */
export const readCached = (fd: number, vectors: number, count: number, offset: number): number =>
	cPreadv2(fd, vectors, count, offset, RWF_NOWAIT);

/** preadv(2) on a thread of Node's pool, with `struct iovec` at a host address. */
export const preadvInPool = (fd: number, vectors: number, count: number, offset: number, done: PoolResult): void =>
	cPreadv([fd, vectors, count, offset], done);

/** pwritev(2), or with flags pwritev2(2), the same way. */
export function pwritevInPool(
	fd: number,
	vectors: number,
	count: number,
	offset: number,
	flags: number,
	done: PoolResult,
): void {
	if (flags === 0) cPwritev([fd, vectors, count, offset], done);
	else cPwritev2([fd, vectors, count, offset, flags], done);
}

/** fdatasync(2), the same way. */
export const fdatasyncInPool = (fd: number, done: PoolResult): void => cFdatasync([fd], done);

/** fallocate(2), the same way. */
export const fallocateInPool = (fd: number, mode: number, offset: number, length: number, done: PoolResult): void =>
	cFallocate([fd, mode, offset, length], done);
