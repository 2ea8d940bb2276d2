import {errorTable} from '#support/errors';

/** Errors of images that are made from packages. */
export const imageError = errorTable({
	IMAGE_WRITE_FAILED: (c: {what: string}) => ({
		message: `The image cannot be written: ${c.what}`,
		remedy: 'Check where its files and the cache of packages go, their permissions and the space left on their disks',
	}),
	IMAGE_FILE_CLAIMED_TWICE: (c: {path: string; packages: readonly [string, string]}) => ({
		message: `${c.path} is in package ${c.packages[0]} and in package ${c.packages[1]}, and neither replaces the other`,
		remedy: 'Leave one of the two packages out',
	}),
	IMAGE_CONFIGURE_FAILED: (c: {what: string; log: string}) => ({
		message: `The packages cannot be configured in a guest: ${c.what}`,
		remedy: `Look what it said, in ${c.log}; or have them configured at the image's first boot`,
	}),
	IMAGE_CONFIGURE_TIMEOUT: (c: {seconds: number; log: string}) => ({
		message: `The packages were not configured in a guest within ${c.seconds} seconds`,
		remedy: `Look how far it came, in ${c.log}, and allow more time where it only was slow`,
	}),
	IMAGE_KERNEL_MISSING: (c: {what: string}) => ({
		message: `The kernel's packages have no ${c.what}`,
		remedy: 'Name a package that Debian makes a kernel of, as linux-image-cloud-amd64',
	}),
	IMAGE_MODULE_MISSING: (c: {module: string; release: string}) => ({
		message: `Kernel ${c.release} has no module ${c.module}, neither as a file nor built in`,
	}),
	IMAGE_MODULE_DAMAGED: (c: {module: string; what: string}) => ({
		message: `Kernel module ${c.module} cannot be read: ${c.what}`,
	}),
	IMAGE_FILE_TOO_LARGE: (c: {path: string; bytes: number}) => ({
		message: `${c.path} has ${c.bytes} bytes, more than an initial file system can hold in one file`,
		remedy: 'Put it onto a disk image',
	}),
});
