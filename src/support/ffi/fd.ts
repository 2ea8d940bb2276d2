import {constants} from 'node:fs';
import {libc} from './libc.ts';

/** Flags of open(2). */
export const O = {
	RDONLY: constants.O_RDONLY,
	WRONLY: constants.O_WRONLY,
	RDWR: constants.O_RDWR,
	CREAT: constants.O_CREAT,
	EXCL: constants.O_EXCL,
	TRUNC: constants.O_TRUNC,
	APPEND: constants.O_APPEND,
	NOCTTY: constants.O_NOCTTY,
	NONBLOCK: constants.O_NONBLOCK,
	CLOEXEC: 0o2000000,
} as const;

const F_GETFL = 3;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;

const cOpen = libc('int open(const char *path, int flags, uint32_t mode)');
const cRead = libc('intptr_t read(int fd, void *buffer, size_t count)');
const cWrite = libc('intptr_t write(int fd, const void *buffer, size_t count)');
const cPipe = libc('int pipe2(int *ends, int flags)');
const cClose = libc('int close(int fd)');
const cFcntl = libc('int fcntl(int fd, int command, intptr_t argument)');
const cFlock = libc('int flock(int fd, int operation)');

/** open(2), close-on-exec. Returns the descriptor or the negated errno. */
export const open = (path: string, flags: number, mode = 0o644): number => cOpen(path, flags | O.CLOEXEC, mode);

/** read(2) into `target`. Returns the byte count, 0 at the end, or the negated errno. */
export const read = (fd: number, target: Uint8Array): number => cRead(fd, target, target.length);

/** write(2) of `source`. Returns the byte count or the negated errno. */
export const write = (fd: number, source: Uint8Array): number => cWrite(fd, source, source.length);

/** pipe2(2), close-on-exec and non-blocking where `flags` says so. Gives both ends, that to read first, or the negated errno. */
export function pipe(flags = 0): readonly [read: number, write: number] | number {
	const ends = new Int32Array(2);
	const result = cPipe(ends, flags | O.CLOEXEC);
	return result < 0 ? result : [ends[0] as number, ends[1] as number];
}

/** A further descriptor of the same open file, close-on-exec (fcntl(2), F_DUPFD_CLOEXEC). Or the negated errno. */
export const duplicate = (fd: number): number => cFcntl(fd, F_DUPFD_CLOEXEC, 0);

/** close(2). */
export const close = (fd: number): number => cClose(fd);

/** Makes reads and writes of the descriptor return -EAGAIN instead of waiting. */
export function setNonBlocking(fd: number): number {
	const flags = cFcntl(fd, F_GETFL, 0);
	return flags < 0 ? flags : cFcntl(fd, F_SETFL, flags | O.NONBLOCK);
}

/**
 * Takes a flock(2) without waiting; -EWOULDBLOCK when another open file holds one that does not go with it.
 * @param isShared - others may have a shared one too
 */
export const lockFile = (fd: number, isShared = false): number => cFlock(fd, (isShared ? 1 : 2) | 4);
