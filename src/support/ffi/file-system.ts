import {libc} from './libc.ts';

/** Places that lseek(2) looks for. */
export const Seek = {END: 2, DATA: 3, HOLE: 4} as const;

const cLseek = libc('int64_t lseek(int fd, int64_t offset, int whence)');
const cRenameat2 = libc(
	'int renameat2(int oldDirectory, const char *old, int newDirectory, const char *new, uint32_t flags)',
);

const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;

/** lseek(2): where data or a hole begins at or after `offset`, or the negated errno; -ENXIO behind the last data. */
export const seek = (fd: number, offset: number | bigint, whence: number): number => cLseek(fd, offset, whence);

/** Swaps two files or folders of one file system in one step (renameat2(2), RENAME_EXCHANGE). 0 or the negated errno. */
export const exchangePaths = (one: string, other: string): number =>
	cRenameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
