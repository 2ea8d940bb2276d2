import {errorTable} from '#support/errors';

/** Faults of a file that is to be a disk. */
export const fileDiskError = errorTable({
	DISK_FILE_UNUSABLE: (c: {path: string; doing: string; errno: string}) => ({
		message: `The disk ${c.path} cannot be ${c.doing}: ${c.errno}`,
		remedy: 'Check the path and its permissions; a file that may only be read takes ro',
	}),
	DISK_FILE_EXISTS: (c: {path: string}) => ({
		message: `The disk ${c.path} is there already, and create= makes a new one`,
		remedy: 'Leave out create= to use it, or name another file',
	}),
	DISK_FILE_KIND: (c: {path: string}) => ({
		message: `The disk ${c.path} is neither a regular file nor a block device`,
		remedy: 'Name one of these',
	}),
	DISK_FILE_LENGTH: (c: {path: string; bytes: number; sector: number}) => ({
		message: `The disk ${c.path} has ${c.bytes} bytes, which make no disk of sectors of ${c.sector}`,
		remedy: `Make it a multiple of ${c.sector}, for example with truncate -s %${c.sector}`,
	}),
	DISK_FILE_LOCKED: (c: {path: string}) => ({
		message: `The disk ${c.path} is in use by another machine`,
		remedy: 'Stop that one, or give both the disk with ro: two that write would destroy it',
	}),
	DISK_DIRECT_UNSUPPORTED: (c: {path: string}) => ({
		message: `The file system of the disk ${c.path} does no direct I/O`,
		remedy: 'Leave out direct, or put the file elsewhere: a tmpfs has only the page cache',
	}),
});
