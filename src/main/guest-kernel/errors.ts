import {errorTable} from '#support/errors';

/** Errors of the kernel that a machine gets whose image has none. */
export const guestKernelError = errorTable({
	GUEST_KERNEL_MISSING: (c: {package: string; suite: string}) => ({
		message: `The machine needs a kernel, and ${c.package} of ${c.suite} is not in the cache`,
		remedy: 'Name one with --kernel FILE, or allow that it is fetched (--pull missing)',
	}),
	GUEST_KERNEL_OFFLINE: (c: {package: string; suite: string; what: string}) => ({
		message: `The machine needs a kernel, and ${c.package} of ${c.suite} cannot be fetched: ${c.what}`,
		remedy:
			'Do it once where a mirror of Debian can be reached: it stays in the cache (~/.cache/openvmm/kernels). Or name a kernel with --kernel FILE; in a program, a mirror of your own (kernel: {mirrors})',
	}),
	GUEST_KERNEL_UNUSABLE: (c: {path: string; what: string}) => ({
		message: `The kernel ${JSON.stringify(c.path)} cannot be used: ${c.what}`,
		remedy:
			'Name the file of a kernel with --kernel, and the folder lib/modules/RELEASE that belongs to it with --modules',
	}),
	GUEST_KERNEL_CACHE_UNSAFE: (c: {folder: string; what: string}) => ({
		message: `Kernels cannot be kept in ${c.folder}: ${c.what}`,
		remedy:
			'Name a folder of caches that is yours alone (XDG_CACHE_HOME), or give this one to yourself (chown, chmod go-w)',
	}),
	GUEST_KERNEL_CACHE_FAILED: (c: {what: string}) => ({
		message: `The cache of kernels cannot be written or read: ${c.what}`,
		remedy: 'Check its permissions, and the space that is left on its disk (~/.cache/openvmm/kernels)',
	}),
});
