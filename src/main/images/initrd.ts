import {bytesContent, type FileTree, type TreeNode} from '#main/file-tree';
import {imageError} from './errors.ts';
import type {Kernel} from './kernel.ts';

/** Drivers of a disk and of what is on it, which the kernel needs before it has a root. */
const diskDrivers: readonly string[] = ['virtio_pci', 'virtio_blk', 'ext4'];
/**
 * What not every kernel has: ext4 asks for a checksum by what it does, and not by the name of a module, which kernels since 6.14 have
 * built in; and disks that are attached in other ways.
 */
const optionalDrivers: readonly string[] = ['crc32c_generic', 'virtio_mmio', 'nvme', 'virtio_scsi', 'sd_mod'];

/** Modules that this kernel needs for a disk, in the order in which they are loaded. */
export const diskModules = (kernel: Kernel): readonly string[] => [
	...optionalDrivers.filter((name) => kernel.hasModule(name)),
	...diskDrivers,
];

/** First program of a guest whose system is on a disk. Words of the kernel's command line tell which, and what to run there. */
const switchRoot = (modules: readonly string[]): string => `#!/bin/busybox sh
b=/bin/busybox
$b mkdir -p /dev /proc /sys /root
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
root=/dev/vda init=/sbin/init flags=rw
read -r words </proc/cmdline
set -f
for word in $words; do
	case "$word" in
	root=*) root=\${word#*=} ;;
	init=*) init=\${word#*=} ;;
	ro) flags=ro ;;
	esac
done
$b modprobe -a ${modules.join(' ')}
# Kernels name disks of SCSI in the order in which they answer.
find_root() {
	case "$root" in
	LABEL=* | UUID=*) node=$($b findfs "$root" 2>/dev/null) ;;
	*) node=$root ;;
	esac
	[ -b "$node" ]
}
tries=0
until find_root || [ $tries -ge 300 ]; do
	$b sleep 0.1
	tries=$((tries + 1))
done
if $b mount -t ext4 -o $flags "$node" /root; then
	$b umount /sys
	$b umount /proc
	$b mount --move /dev /root/dev
	exec $b switch_root /root "$init"
fi
echo "openvmm-guest: error=cannot mount $root"
$b poweroff -f
`;

/**
 * Makes the initial file system of a guest whose system is on a disk: a busybox, the drivers, and a first program that mounts
 * the disk and goes on there.
 * @param busybox - an unpacked busybox-static
 * @throws VmmError IMAGE_KERNEL_MISSING, IMAGE_MODULE_MISSING, IMAGE_MODULE_DAMAGED
 */
export async function addDiskInit(tree: FileTree, busybox: FileTree, kernel: Kernel): Promise<void> {
	addBusybox(tree, busybox);
	addConsole(tree);
	const modules = diskModules(kernel);
	await kernel.addModules(tree, modules);
	tree.addFile('init', bytesContent(switchRoot(modules)), 0o755);
}

/** The kernel opens its console before anything is mounted. */
export function addConsole(tree: FileTree): void {
	tree.add('dev/console', {...tree.attributes(0o600), kind: 'character', major: 5, minor: 1});
}

/** Puts busybox into a tree, as `bin/busybox`. @throws VmmError IMAGE_KERNEL_MISSING */
export function addBusybox(tree: FileTree, unpacked: FileTree): void {
	const found = ['usr/bin/busybox', 'bin/busybox'].map((path) => unpacked.find(path)).find(isFile);
	if (found === undefined) throw imageError('IMAGE_KERNEL_MISSING', {what: 'busybox'});
	tree.add('bin/busybox', found);
}

const isFile = (node: TreeNode | undefined): node is TreeNode => node?.kind === 'file';
