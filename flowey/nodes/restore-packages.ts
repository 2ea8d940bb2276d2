/** Puts a stock kernel, Xen, memtest86+ and busybox below `.packages/` and builds the initial file systems that tests boot. */

import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {Package, PackageList} from '#main/debian';
import type {Content, FileTree} from '#main/file-tree';
import {Kernel, kernelParts, writeInitrd} from '#main/images';
import {FloweyError, type FloweyNode, PATHS} from '../core/index.ts';
import {guestInitrd, incubatorInitrd} from '../images/initial-file-systems.ts';
import {type PackageImages, replaceFile, restoreImages} from './package-images.ts';

const KERNEL = 'linux-image-cloud-amd64';
const BUSYBOX = 'busybox-static';
const XEN = 'xen-system-amd64';
const XEN_HYPERVISOR = /^xen-hypervisor-[\d.]+-amd64$/;
const MEMTEST = 'memtest86+';

/** What is made of packages. */
type Part = 'kernel' | 'busybox' | 'xen' | 'memtest';

const SCRIPTS = {
	guest: join(PATHS.repo, 'flowey/images/guest-init.sh'),
	incubator: join(PATHS.repo, 'test/incubator/init.sh'),
};

const IMAGES: PackageImages<Part> = {
	folder: PATHS.packages,
	outputs: [
		join(PATHS.linux, 'vmlinuz'),
		join(PATHS.linux, 'version'),
		join(PATHS.linux, 'initrd.cpio'),
		join(PATHS.incubator, 'initrd.cpio'),
		join(PATHS.xen, 'xen.gz'),
	],
	scripts: Object.values(SCRIPTS),
	fetch: (apt) => apt.fetch('amd64', chooseParts),
	async build(parts) {
		const kernel = await Kernel.open(parts.kernel);
		await replaceFile(join(PATHS.linux, 'vmlinuz'), kernel.image);
		await copyMemtest(parts.memtest);
		await copyXen(parts.xen);
		await writeInitrd(await guestInitrd(kernel, parts.busybox, SCRIPTS.guest), join(PATHS.linux, 'initrd.cpio'));
		const incubator = await incubatorInitrd(kernel, parts.busybox, SCRIPTS.incubator);
		await writeInitrd(incubator, join(PATHS.incubator, 'initrd.cpio'));
		writeFileSync(join(PATHS.linux, 'version'), `${kernel.release}\n`);
	},
};

/** `refresh` asks the mirror again although everything is here. */
export const restorePackages: FloweyNode<{readonly refresh: boolean}, void> = {
	name: 'restore-packages',
	run: (context, {refresh}) => restoreImages(context, IMAGES, refresh),
};

function chooseParts(list: PackageList): Record<Part, readonly Package[]> {
	const hypervisor = list
		.get(XEN)
		.needs.flat()
		.find(({name}) => XEN_HYPERVISOR.test(name));
	if (hypervisor === undefined)
		throw new FloweyError(`The package ${XEN} needs no hypervisor`, 'Refresh the package lists: apt-get update.');
	return {
		kernel: kernelParts(list, KERNEL),
		busybox: [list.get(BUSYBOX)],
		xen: [list.get(hypervisor.name)],
		memtest: [list.get(MEMTEST)],
	};
}

/** Files that a package has in /boot. */
function bootFiles(tree: FileTree): [name: string, content: Content][] {
	const boot = tree.find('boot');
	const entries = boot?.kind === 'directory' ? [...boot.entries] : [];
	return entries.flatMap(([name, node]) => (node.kind === 'file' ? [[name, node.content] as [string, Content]] : []));
}

/** The multiboot kernel, compressed as it is shipped; beside it the package has one for UEFI. */
async function copyXen(tree: FileTree): Promise<void> {
	const found = bootFiles(tree).find(([name]) => name.startsWith('xen-') && name.endsWith('.gz'));
	if (found === undefined) throw new FloweyError('No Xen in its package', 'Delete .packages/ and try again.');
	await replaceFile(join(PATHS.xen, 'xen.gz'), found[1]);
}

/** Memtest86+ for 64-bit and 32-bit processors, by the names it has since version 6; tests do without what there is not. */
async function copyMemtest(tree: FileTree): Promise<void> {
	for (const [name, content] of bootFiles(tree))
		if (/^memtest86\+(x64|ia32)\.bin$/.test(name)) await replaceFile(join(PATHS.memtest, name), content);
}
