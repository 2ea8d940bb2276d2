/** The initial file systems: of test guests, and of the incubator, whose machine the tests on KVM run in. */

import {readFileSync} from 'node:fs';
import {bytesContent, FileTree} from '#main/file-tree';
import {addBusybox, addConsole, type Kernel} from '#main/images';

/** Drivers of what the VMM offers. The init script loads them by device identity or by name. */
const GUEST_MODULES = [
	'virtio_pci',
	'virtio_mmio',
	'virtio_blk',
	'virtio_pmem',
	'nd_pmem',
	'virtio_net',
	'8021q',
	'virtio_console',
	'virtio_rng',
	'virtio_balloon',
	'virtio_scsi',
	'vmw_vsock_virtio_transport',
	'virtiofs',
	'9p',
	'9pnet_virtio',
	'nvme',
	'sd_mod',
	'sr_mod',
	'ahci',
	'ata_piix',
	'ata_generic',
	'ext4',
	'vfat',
	'isofs',
	'squashfs',
	'overlay',
	'hv_vmbus',
	'hv_storvsc',
	'hv_netvsc',
	'hv_utils',
	'hv_sock',
	'tpm_tis',
	'tpm_crb',
	'msr',
	'cpuid',
	'button',
	'evdev',
	'wdat_wdt',
	'pvpanic_mmio',
	'vmgenid',
	// Drivers of parts that boards have, which ask the machine whether they are there.
	'ac',
	'acpi_cpufreq',
	'battery',
	'edac_mce_amd',
	'fan',
	'floppy',
	'i2c_piix4',
	'intel_rapl_msr',
	'parport_pc',
	'pcspkr',
	'powernow_k8',
	'psmouse',
	'serio_raw',
	'sp5100_tco',
	'thermal',
];

/** Packs busybox, drivers and an init that reports what it sees; drivers that this kernel does not have are left out. */
export async function guestInitrd(kernel: Kernel, busybox: FileTree, initScript: string): Promise<FileTree> {
	const folders = ['dev', 'proc', 'sys', 'tmp', 'run', 'mnt', 'root', 'etc', 'sbin', 'usr/bin', 'usr/sbin'];
	const tree = startTree(folders, busybox, initScript);
	tree.addLink('bin/sh', 'busybox');
	await kernel.addModules(
		tree,
		GUEST_MODULES.filter((name) => kernel.hasModule(name)),
	);
	return tree;
}

/** The incubator's init script loads these; their dependencies come along. */
const INCUBATOR_MODULES = ['virtio_pci', 'virtio_console', 'virtiofs', 'kvm_amd', 'tun'];

/** Packs just enough to mount the host's file system and start the agent from it. */
export async function incubatorInitrd(kernel: Kernel, busybox: FileTree, initScript: string): Promise<FileTree> {
	const tree = startTree(['dev', 'proc', 'sys', 'newroot', 'keep'], busybox, initScript);
	for (const name of [
		'sh',
		'mount',
		'umount',
		'modprobe',
		'mkdir',
		'ifconfig',
		'switch_root',
		'poweroff',
		'cat',
		'sleep',
	])
		tree.addLink(`bin/${name}`, 'busybox');
	await kernel.addModules(tree, INCUBATOR_MODULES);
	return tree;
}

function startTree(folders: readonly string[], busybox: FileTree, initScript: string): FileTree {
	// Times stay zero: the same input gives the same bytes.
	const tree = new FileTree(0);
	for (const path of folders) tree.addDirectory(path);
	addBusybox(tree, busybox);
	addConsole(tree);
	tree.addFile('init', bytesContent(readFileSync(initScript)), 0o755);
	return tree;
}
