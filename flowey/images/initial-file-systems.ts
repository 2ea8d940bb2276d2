/** The initial file systems: of test guests, and of the incubator, whose machine the tests on KVM run in. */

import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {type CpioEntry, packCpio} from './cpio.ts';
import type {KernelPackage} from './kernel-package.ts';

/** Drivers of what the VMM offers. The init script loads them by device identity or by name. */
const GUEST_MODULES = [
	'virtio_pci',
	'virtio_mmio',
	'virtio_blk',
	'virtio_net',
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
];

/** Packs busybox, drivers and an init that reports what it sees; drivers that this kernel does not have are left out. */
export function guestInitrd(kernel: KernelPackage, busybox: string, initScript: string): Uint8Array {
	const entries: CpioEntry[] = [
		...['dev', 'proc', 'sys', 'tmp', 'run', 'mnt', 'root', 'etc'].map((path): CpioEntry => ({kind: 'directory', path})),
		{kind: 'characterDevice', path: 'dev/console', major: 5, minor: 1},
		{kind: 'file', path: 'bin/busybox', data: readFileSync(busybox), permissions: 0o755},
		...appletLinks(busybox),
		{kind: 'file', path: 'init', data: readFileSync(initScript), permissions: 0o755},
		...kernel.moduleEntries(GUEST_MODULES.filter((name) => kernel.hasModule(name))),
	];
	return packCpio(entries);
}

function appletLinks(busybox: string): CpioEntry[] {
	const {status, stdout} = spawnSync(busybox, ['--list-full'], {encoding: 'utf8'});
	if (status !== 0) {
		throw new Error(`Cannot run ${busybox} to list its commands`);
	}
	return stdout
		.split('\n')
		.filter((path) => path !== '' && path !== 'bin/busybox' && path !== 'linuxrc')
		.map((path) => ({kind: 'link', path, target: '/bin/busybox'}));
}

/** The incubator's init script loads these; their dependencies come along. */
const INCUBATOR_MODULES = ['virtio_pci', 'virtio_console', 'virtiofs', 'kvm_amd', 'tun'];

/** Packs just enough to mount the host's file system and start the agent from it. */
export function incubatorInitrd(kernel: KernelPackage, busybox: string, initScript: string): Uint8Array {
	const entries: CpioEntry[] = [
		...['dev', 'proc', 'sys', 'newroot', 'keep'].map((path): CpioEntry => ({kind: 'directory', path})),
		{kind: 'characterDevice', path: 'dev/console', major: 5, minor: 1},
		{kind: 'file', path: 'bin/busybox', data: readFileSync(busybox), permissions: 0o755},
		...['sh', 'mount', 'umount', 'modprobe', 'mkdir', 'ifconfig', 'switch_root', 'poweroff', 'cat'].map(
			(name): CpioEntry => ({kind: 'link', path: `bin/${name}`, target: 'busybox'}),
		),
		{kind: 'file', path: 'init', data: readFileSync(initScript), permissions: 0o755},
		...kernel.moduleEntries(INCUBATOR_MODULES),
	];
	return packCpio(entries);
}
