import {constants} from 'node:os';

/** Error numbers by name (errno(3)), positive. */
export const Errno = constants.errno;

/** The name of an error number, given as it is or negated: `ENOENT`. */
export function errnoName(errno: number): string {
	const value = Math.abs(errno);
	return Object.entries(Errno).find(([, number]) => number === value)?.[0] ?? `errno ${value}`;
}
