import {formatBytes} from '#main/config';
import {errorTable} from '#support/errors';

/** Errors of files that are put together for a guest. */
export const treeError = errorTable({
	TREE_PATH_INVALID: (c: {path: string; what: string}) => ({
		message: `${JSON.stringify(c.path)} cannot be a file of the guest: ${c.what}`,
	}),
	TREE_FOLDER_CHANGED: (c: {path: string}) => ({
		message: `${JSON.stringify(c.path)} was changed while it was copied`,
		remedy: 'Copy it again when nobody writes to it, or share it with the machine instead',
	}),
	TREE_FOLDER_UNUSABLE: (c: {path: string; what: string}) => ({
		message: `${JSON.stringify(c.path)} cannot be copied: ${c.what}`,
		remedy: 'Check that you may read all of the folder, or share it with the machine instead',
	}),
	TREE_TOO_LARGE: (c: {limit: number}) => ({
		message: `The guest's files have more than ${formatBytes(c.limit)}`,
		remedy: 'Leave some of them out, or allow more',
	}),
});
