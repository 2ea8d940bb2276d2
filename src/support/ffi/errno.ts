import {constants} from 'node:os';

/** Error numbers by name (errno(3)), positive. */
export const Errno = constants.errno;

/** Reasons why a call on a descriptor that does not block is to be made again later, and of nothing else. */
export const transient: ReadonlySet<number> = new Set([Errno.EAGAIN, Errno.EWOULDBLOCK, Errno.EINTR]);

/** The name of an error number, given as it is or negated: `ENOENT`. */
export function errnoName(errno: number): string {
	const value = Math.abs(errno);
	return Object.entries(Errno).find(([, number]) => number === value)?.[0] ?? `errno ${value}`;
}

/** The name of the system call's error behind a failure of the file system. */
export const errnoOf = (error: unknown): string | undefined => {
	const {code} = error as NodeJS.ErrnoException;
	return code !== undefined && code in Errno ? code : undefined;
};
