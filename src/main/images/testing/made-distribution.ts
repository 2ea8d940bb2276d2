import type {MadeDeb} from '#main/debian/testing';
import {elfWith} from './elf-with.ts';

export const release = '6.1-made';
const modules = `./lib/modules/${release}`;
const module = (name: string, depends: string) => ({
	path: `${modules}/kernel/${name}.ko`,
	data: elfWith('.modinfo', `depends=${depends}\0alias=virtio:${name}\0`),
});

/** A distribution: all that an image needs at least, for programs that nobody runs. */
export const debs: readonly MadeDeb[] = [
	{
		name: 'base',
		fields: ['Essential: yes', 'Depends: awk', 'Multi-Arch: same'],
		controlFiles: {
			postinst: 'exit 1\n',
			conffiles: '/etc/base.conf\nremove-on-upgrade /etc/old.conf\n/etc/gone.conf\n',
		},
		files: [
			{path: './usr/share/base-passwd/passwd.master', data: 'root:*:0:0:root:/root:/bin/bash\nmail:*:8:8::/:\n'},
			{path: './usr/share/base-passwd/group.master', data: 'root:*:0:\nshadow:*:42:\n'},
			{path: './var/run/'},
			{path: './sbin/init', data: 'init', mode: 0o755},
			{path: './etc/base.conf', data: 'text'},
		],
	},
	{
		name: 'mawk',
		fields: ['Provides: awk'],
		controlFiles: {
			postinst: `update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5 --slave /usr/bin/nawk nawk /usr/bin/mawk
update-alternatives --install /usr/bin/awk awk /usr/bin/other 4
update-alternatives --install /usr/bin/awk awk /usr/bin/gone 9\n`,
			config: 'exit 0\n',
		},
		files: [
			{path: './usr/bin/mawk', data: 'mawk'},
			{path: './usr/bin/other', data: 'other'},
		],
	},
	{name: 'tool', files: [{path: './usr/bin/tool', data: 'tool', mode: 0o755}]},
	{name: 'busybox-static', files: [{path: './bin/busybox', data: 'busybox', mode: 0o755}]},
	{name: 'linux-image-made', fields: ['Depends: linux-image-6.1-made, initramfs-tools']},
	{
		name: 'linux-image-6.1-made',
		files: [
			{path: `./boot/vmlinuz-${release}`, data: 'kernel'},
			{path: `${modules}/modules.builtin`, data: 'kernel/virtio_pci.ko\n'},
			module('virtio-blk', 'virtio_ring'),
			module('virtio_ring', ''),
			module('crc32c_generic', ''),
			module('ext4', ''),
			module('virtio_rng', ''),
		],
	},
];

/** The same with what makes a system of it, for an image as a person asks for it. */
export const systemDebs: readonly MadeDeb[] = [
	...debs,
	...['systemd-sysv', 'udev', 'dbus', 'kmod'].map((name) => ({name})),
	{name: 'linux-image-cloud-amd64', fields: ['Depends: linux-image-6.1-made']},
	{
		name: 'login',
		files: [
			{path: './usr/bin/su', data: 'su', mode: 0o4755},
			{path: './usr/bin/chage', data: 'chage', mode: 0o2755, group: 42},
			{path: './var/tmp/', mode: 0o1777},
			{path: './etc/sudoers', data: '', mode: 0o440},
			{path: './var/lib/own/', mode: 0o700, user: 101, group: 102},
		],
	},
];
