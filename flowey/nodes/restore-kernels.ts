/** Puts the stock kernels for real hardware below `.packages/kernels/`, each with the initial file system that tests boot. */

import {join} from 'node:path';
import {Kernel, kernelParts, writeInitrd} from '#main/images';
import {type FloweyNode, PATHS} from '../core/index.ts';
import {guestInitrd} from '../images/initial-file-systems.ts';
import {type PackageImages, replaceFile, restoreImages} from './package-images.ts';

const KERNEL = 'linux-image-amd64';
const BUSYBOX = 'busybox-static';
/** Debian has its newest kernel for a release there. */
const NEWEST = 'backports';
const KERNELS = ['generic', 'newest'] as const;
const INIT = join(PATHS.repo, 'flowey/images/guest-init.sh');

const output = (kernel: string, name: string): string => join(PATHS.kernels, kernel, name);

const IMAGES: PackageImages<(typeof KERNELS)[number] | 'busybox'> = {
	folder: PATHS.kernels,
	outputs: KERNELS.flatMap((name) => [output(name, 'vmlinuz'), output(name, 'initrd.cpio')]),
	scripts: [INIT],
	async fetch(apt) {
		const release = await apt.fetch('amd64', (list) => ({
			generic: kernelParts(list, KERNEL),
			busybox: [list.get(BUSYBOX)],
		}));
		const newer = await (await apt.suite(NEWEST)).fetch('amd64', (list) => ({newest: kernelParts(list, KERNEL)}));
		return {...release, ...newer};
	},
	async build(parts) {
		for (const name of KERNELS) {
			const kernel = await Kernel.open(parts[name]);
			await replaceFile(output(name, 'vmlinuz'), kernel.image);
			await writeInitrd(await guestInitrd(kernel, parts.busybox, INIT), output(name, 'initrd.cpio'));
		}
	},
};

/** Downloads some 180 MB once; `refresh` asks the mirror again although everything is here. */
export const restoreKernels: FloweyNode<{readonly refresh: boolean}, void> = {
	name: 'restore-kernels',
	run: (context, {refresh}) => restoreImages(context, IMAGES, refresh),
};
