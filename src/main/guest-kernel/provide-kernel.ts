import type {DebianMirror} from '#main/images';
import type {OperationSignal} from '#support/abort';

/** Which kernel a machine without one of its own gets. */
export interface KernelRequest {
	/** File of a kernel, taken as it is: whatever its machine needs is built into it, or in {@link modules}. */
	readonly kernel?: string;
	/** With {@link kernel}: the folder `…/lib/modules/RELEASE` that belongs to it. */
	readonly modules?: string;
	/** Without {@link kernel}: the package of Debian's. @default 'linux-image-cloud-amd64' */
	readonly package?: string;
	/** @default 'bookworm' */
	readonly suite?: string;
	/** Without them Debian's own. */
	readonly mirrors?: readonly DebianMirror[];
	/** Public keys that releases have to be signed by. Without it, Debian's of this host. */
	readonly keyring?: string;
	/** Folder where kernels stay; without it one below the user's caches. */
	readonly cache?: string;
	/** Whether a mirror is asked: where the cache has none, always for the newest, or never. @default 'missing' */
	readonly pull?: 'missing' | 'always' | 'never';
}

/** What goes on meanwhile. */
export interface KernelOperation {
	readonly progress?: ((step: 'packages' | 'download' | 'unpack', done: number, total: number) => void) | undefined;
	readonly signal?: OperationSignal | undefined;
}

/** A kernel on this host. */
export interface GuestKernel {
	readonly path: string;
	/** As `uname -r` says; undefined for a kernel that the user named without modules. */
	readonly release: string | undefined;
	/** The folder of its modules, not compressed, with the tables of depmod; undefined where there is none. */
	readonly modules: string | undefined;
}

/**
 * Gives the kernel that was named, or Debian's, verified as packages are, from the cache or from a mirror.
 * @throws VmmError KERNEL_MISSING, KERNEL_OFFLINE, MIRROR_*, PACKAGE_*, IMAGE_*; OPERATION_ABORTED
 */
export async function provideKernel(
	request: KernelRequest = {},
	operation: KernelOperation = {},
): Promise<GuestKernel> {
	throw new Error(`provideKernel is being written: ${request.kernel} ${operation.signal?.aborted}`);
}

/** An initial file system of one program and the modules that it loads. */
export interface GuestInitrd {
	readonly kernel: GuestKernel;
	/** Static program that the kernel starts: the guest agent. */
	readonly init: Uint8Array;
	/** Modules to have, with all that they need; {@link usualModules} without it. What is built in, or what this kernel does not have, is left out. */
	readonly modules?: readonly string[];
	/** Folder where it stays; without it one below the user's caches. */
	readonly cache?: string;
}

/** What machines of ours need before they have a root, and what containers ask for. */
export const usualModules: readonly string[] = [
	'virtio_pci',
	'virtio_mmio',
	'virtio_blk',
	'virtio_net',
	'virtio_rng',
	'virtio_console',
	'virtio_balloon',
	'vmw_vsock_virtio_transport',
	'nvme',
	'virtio_scsi',
	'sd_mod',
	'ext4',
	'crc32c_generic',
	'overlay',
	'virtiofs',
	'9p',
	'9pnet_virtio',
	'af_packet',
];

/**
 * Makes the file: `/init`, the modules below `/lib/modules/RELEASE` with the tables of `modprobe`, and `/modules`, which names their
 * files by absolute paths, one a line, in the order in which they are to be loaded. It is made once for each kernel, program and list.
 * @returns its path
 */
export async function buildInitrd(wanted: GuestInitrd): Promise<string> {
	throw new Error(`buildInitrd is being written: ${wanted.init.length}`);
}
