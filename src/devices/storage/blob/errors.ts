import {errorTable} from '#support/errors';

const askAgain = 'Try again; behind a proxy set HTTPS_PROXY or HTTP_PROXY, and NODE_USE_ENV_PROXY=1';
const otherServer = 'Name a server that gives parts of files as HTTP has it (RFC 9110, 14), or fetch the file first';

/** An address as it is told: its query may have a signature by which anybody can read what is there. */
export const toldUrl = (url: string): string => url.replace(/[?#].*$/s, '?…');

/** Faults of a disk whose content comes by HTTP. Addresses are as {@link toldUrl} has them. */
export const blobError = errorTable({
	DISK_BLOB_WRITTEN: (c: {url: string}) => ({
		message: `${c.url} is a disk that can only be read`,
		remedy: 'Give it with ro, or lay memdiff: over it',
	}),
	DISK_BLOB_UNREACHABLE: (c: {url: string; what: string}) => ({
		message: `${c.url} cannot be read: ${c.what}`,
		remedy: askAgain,
	}),
	DISK_BLOB_REFUSED: (c: {url: string; what: string}) => ({
		message: `The server does not give ${c.url}: ${c.what}`,
		remedy: 'Check the address',
	}),
	DISK_BLOB_SERVER: (c: {url: string; what: string}) => ({
		message: `${c.url} cannot be a disk: ${c.what}`,
		remedy: otherServer,
	}),
	DISK_BLOB_CHANGED: (c: {url: string; what: string}) => ({
		message: `${c.url} is not any more what it was when the disk was opened: ${c.what}`,
		remedy: 'Start the machine again, with a file that nobody changes',
	}),
	DISK_BLOB_CONTENT: (c: {url: string; what: string}) => ({
		message: `${c.url} is no such disk: ${c.what}`,
		remedy: 'Say flat for a raw image, and vhd1 for a fixed VHD',
	}),
	DISK_BLOB_CACHE: (c: {folder: string; what: string}) => ({
		message: `Parts of disks cannot be kept in ${c.folder}: ${c.what}`,
		remedy: 'Name a folder that is yours alone, blob;cache=FOLDER:…, or say blob;cache=off:…',
	}),
});
