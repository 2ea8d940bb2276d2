import {FileType, type FolderOptions, isRefused} from '#devices/folder';
import {errorTable} from '#support/errors';
import {close, Errno, errnoName, OAt, open, openAt, Resolve} from '#support/ffi';
import {statusOf} from './attributes-of.ts';
import {HostFolder} from './host-folder.ts';

const folderError = errorTable({
	FOLDER_UNUSABLE: (c: {path: string; errno: string}) => ({
		message: `The folder ${c.path} cannot be shared: ${c.errno}`,
		remedy: 'Name a directory that is there and that the user of this process may read',
	}),
	FOLDER_HOST_TOO_OLD: (c: {path: string; cause: string}) => ({
		message: `This host cannot keep a guest inside the folder ${c.path}: ${c.cause}`,
		remedy: 'It takes Linux 5.8, openat2(2) that nothing denies (seccomp of a container), and /proc',
	}),
});

/**
 * Opens a directory of the host's to be shared. The path is the user's: links in it are followed, once.
 * @throws VmmError FOLDER_UNUSABLE, FOLDER_HOST_TOO_OLD
 */
export function openHostFolder(path: string, options: FolderOptions): HostFolder {
	const fd = open(path, OAt.PATH | OAt.DIRECTORY);
	if (fd < 0) throw folderError('FOLDER_UNUSABLE', {path, errno: errnoName(fd)});
	const refuse = (error: Error) => {
		close(fd);
		return error;
	};
	const proc = open('/proc/self/fd', OAt.PATH | OAt.DIRECTORY);
	if (proc < 0) throw refuse(folderError('FOLDER_HOST_TOO_OLD', {path, cause: `/proc: ${errnoName(proc)}`}));
	close(proc);
	const tried = openAt(fd, Buffer.from('.\0'), OAt.PATH, 0, Resolve.BENEATH | Resolve.NO_SYMLINKS);
	if (tried === -Errno.ENOSYS || tried === -Errno.EPERM)
		throw refuse(folderError('FOLDER_HOST_TOO_OLD', {path, cause: `openat2: ${errnoName(tried)}`}));
	if (tried < 0) throw refuse(folderError('FOLDER_UNUSABLE', {path, errno: errnoName(tried)}));
	close(tried);
	const status = statusOf(fd);
	if (isRefused(status)) throw refuse(folderError('FOLDER_UNUSABLE', {path, errno: errnoName(status)}));
	if ((status.attributes.mode & FileType.MASK) !== FileType.DIRECTORY)
		throw refuse(folderError('FOLDER_UNUSABLE', {path, errno: 'ENOTDIR'}));
	return new HostFolder(fd, status, options);
}
