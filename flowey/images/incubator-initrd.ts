/** The initial file system of the incubator: just enough to mount the host's file system and start the agent from it. */

import {readFileSync} from 'node:fs';
import {type CpioEntry, packCpio} from './cpio.ts';
import type {KernelPackage} from './kernel-package.ts';

/** What the init script loads; what they depend on comes along. */
const MODULES = ['virtio_pci', 'virtio_console', 'virtiofs', 'kvm_amd', 'tun'];

/** Builds the archive. */
export function incubatorInitrd(kernel: KernelPackage, busybox: string, initScript: string): Uint8Array {
	const entries: CpioEntry[] = [
		...['dev', 'proc', 'sys', 'newroot', 'keep'].map((path): CpioEntry => ({kind: 'directory', path})),
		{kind: 'characterDevice', path: 'dev/console', major: 5, minor: 1},
		{kind: 'file', path: 'bin/busybox', data: readFileSync(busybox), permissions: 0o755},
		...['sh', 'mount', 'umount', 'modprobe', 'mkdir', 'ifconfig', 'switch_root', 'poweroff', 'cat'].map(
			(name): CpioEntry => ({kind: 'link', path: `bin/${name}`, target: 'busybox'}),
		),
		{kind: 'file', path: 'init', data: readFileSync(initScript), permissions: 0o755},
		...kernel.moduleEntries(MODULES),
	];
	return packCpio(entries);
}
