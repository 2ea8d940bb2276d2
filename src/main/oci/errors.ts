import {formatBytes} from '#main/config';
import {isHostError} from '#main/file-cache';
import {errorTable} from '#support/errors';

const notThisImage = 'Take the image from another place, or have it made again';

/** Errors of images of containers: of their names, of what they say of themselves, of what is in them, and of where they are kept. */
export const ociError = errorTable({
	OCI_NAME_INVALID: (c: {name: string; what: string}) => ({
		message: `${JSON.stringify(c.name)} is no image: ${c.what}`,
		remedy:
			'Write NAME[:TAG][@DIGEST] or HOST[:PORT]/NAME[:TAG] for an image on a registry; a path that begins with / or ./, or ends in .tar, .img, .qcow2; or say what it is: folder:PATH, tar:PATH, oci:PATH, archive:PATH',
	}),
	OCI_PATH_UNUSABLE: (c: {path: string; what: string}) => ({
		message: `The image ${JSON.stringify(c.path)} cannot be read: ${c.what}`,
		remedy: 'Check the path. A name without / in front and without an ending is one on a registry',
	}),
	OCI_KIND_UNSTATED: (c: {path: string; what: string}) => ({
		message: `Nothing says what ${JSON.stringify(c.path)} is: ${c.what}`,
		remedy:
			'Say it in front of the path: folder:, oci: (a folder of the OCI image layout), tar: (a root file system), archive: (docker save, OCI), raw:, qcow2:, vhd: or vhdx:',
	}),
	OCI_JSON_INVALID: (c: {of: string; what: string}) => ({
		message: `${c.of} is not what the OCI image specification has: ${c.what}`,
		remedy: notThisImage,
	}),
	OCI_TOO_LARGE: (c: {of: string; what: string; most: number}) => ({
		message: `${c.of} has ${c.what}, and ${c.most} is the most that is taken`,
		remedy: notThisImage,
	}),
	OCI_PLATFORM_MISSING: (c: {of: string; wanted: string; has: readonly string[]}) => ({
		message: `${c.of} has nothing for ${c.wanted}, but ${c.has.join(', ') || 'nothing at all'}`,
		remedy: 'Take an image that is made for x86-64',
	}),
	OCI_UNSUPPORTED: (c: {of: string; what: string}) => ({
		message: `${c.of} cannot be used here: ${c.what}`,
		remedy: 'Have it made with layers of tar, tar+gzip or tar+zstd, and digests of SHA-256',
	}),
	OCI_BLOB_MISSING: (c: {digest: string; where: string}) => ({
		message: `${c.where} has no ${c.digest}, which its image consists of`,
		remedy: notThisImage,
	}),
	OCI_BLOB_DAMAGED: (c: {digest: string; where: string; found: string}) => ({
		message: `${c.where} gave something else for ${c.digest}: ${c.found}`,
		remedy: `${notThisImage}: somebody or something has changed it`,
	}),
	OCI_LAYER_DAMAGED: (c: {digest: string; what: string}) => ({
		message: `The layer ${c.digest} is damaged: ${c.what}`,
		remedy: notThisImage,
	}),
	OCI_LAYER_BOMB: (c: {digest: string; bytes: number; from: number}) => ({
		message: `The layer ${c.digest} becomes ${c.bytes} bytes of ${c.from}, and more: nothing that is useful does`,
		remedy: notThisImage,
	}),
	OCI_ARCHIVE_BOMB: (c: {path: string; bytes: number; from: number}) => ({
		message: `${JSON.stringify(c.path)} becomes ${c.bytes} bytes of ${c.from}, and more: nothing that is useful does`,
		remedy: notThisImage,
	}),
	OCI_ARCHIVE_INVALID: (c: {path: string; what: string}) => ({
		message: `${JSON.stringify(c.path)} is no archive of images: ${c.what}`,
		remedy: 'Make it with docker save, skopeo copy … oci-archive:FILE, or say tar:FILE where it is a root file system',
	}),
	OCI_IMAGE_AMBIGUOUS: (c: {where: string; names: readonly string[]}) => ({
		message: `${c.where} has more than one image: ${c.names.join(', ')}`,
		remedy: 'Say which, behind the path: PATH#NAME',
	}),
	OCI_IMAGE_UNKNOWN: (c: {name: string; has: readonly string[]}) => ({
		message: `There is no image ${JSON.stringify(c.name)}, but ${c.has.join(', ') || 'none at all'}`,
		remedy: 'openvmm image ls lists those that are there; openvmm image pull NAME fetches one',
	}),
	/** How much is needed is not always known before there is too little. */
	OCI_ROOM_MISSING: (c: {folder: string; needed: number | undefined; free: number}) => ({
		message: `The image needs ${c.needed === undefined ? 'more' : formatBytes(c.needed)} in ${c.folder}, which has ${formatBytes(c.free)} left`,
		remedy: 'Make room there (openvmm image prune), or name another folder of caches (XDG_CACHE_HOME)',
	}),
	OCI_CACHE_UNSAFE: (c: {folder: string; what: string}) => ({
		message: `Images cannot be kept in ${c.folder}: ${c.what}`,
		remedy:
			'Name a folder of caches that is yours alone (XDG_CACHE_HOME), or give this one to yourself (chown, chmod go-w)',
	}),
	OCI_CACHE_FAILED: (c: {what: string}) => ({
		message: `The cache of images cannot be written: ${c.what}`,
		remedy: 'Check its permissions, and the space that is left on its disk',
	}),
});

/** Does work in the cache, and tells what the host's file system says of it: that it is full, or for reading alone. @throws VmmError OCI_CACHE_FAILED */
export async function inCache<T>(work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		throw isHostError(error) ? ociError('OCI_CACHE_FAILED', {what: error.message}, {cause: error}) : error;
	}
}
