/** Puts a stock kernel, Xen, memtest86+ and busybox below `.packages/` and builds the initial file systems that tests boot. */

import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readFileSync, renameSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {Apt, type DownloadedPackage, gather, type Package, type PackageList} from '#main/debian';
import {type Content, FileTree, Spool} from '#main/file-tree';
import {Kernel, kernelParts, unpackAll, writeInitrd} from '#main/images';
import {FloweyError, type FloweyNode, type NodeContext, PATHS} from '../core/index.ts';
import {guestInitrd, incubatorInitrd} from '../images/initial-file-systems.ts';
import {hashImageCode} from './image-code.ts';

const KERNEL = 'linux-image-cloud-amd64';
const BUSYBOX = 'busybox-static';
const XEN = 'xen-system-amd64';
const XEN_HYPERVISOR = /^xen-hypervisor-[\d.]+-amd64$/;
const MEMTEST = 'memtest86+';

/** What is made of packages, and of which. */
type Parts<T> = Readonly<Record<'kernel' | 'busybox' | 'xen' | 'memtest', readonly T[]>>;

/** Far more than the files of all of them have. */
const MAX_UNPACKED_BYTES = 2 ** 31;

const SCRIPTS = {
	guest: join(PATHS.repo, 'flowey/images/guest-init.sh'),
	incubator: join(PATHS.repo, 'test/incubator/init.sh'),
};
const STAMP = join(PATHS.packages, 'packages.json');
const IMAGE_STAMP = join(PATHS.packages, 'images.sha256');
const OUTPUTS = [
	join(PATHS.linux, 'vmlinuz'),
	join(PATHS.linux, 'version'),
	join(PATHS.linux, 'initrd.cpio'),
	join(PATHS.incubator, 'initrd.cpio'),
	join(PATHS.xen, 'xen.gz'),
];

/** `refresh` asks the mirror again although everything is here. */
export const restorePackages: FloweyNode<{readonly refresh: boolean}, void> = {
	name: 'restore-packages',
	async run(context, {refresh}) {
		requireAmd64();
		const known = refresh ? undefined : downloadedPackages();
		if (known !== undefined && imagesAreCurrent()) {
			context.skip('up to date');
			return;
		}
		await buildImages(context, known ?? (await fetchPackages(context)));
	},
};

function requireAmd64(): void {
	if (process.arch !== 'x64') {
		throw new FloweyError(`No guest kernel for ${process.arch}`, 'Run this on an x86-64 machine.');
	}
}

/** Files of the packages that were fetched, if all are still there. */
function downloadedPackages(): Parts<string> | undefined {
	if (!existsSync(STAMP)) return undefined;
	const files = JSON.parse(readFileSync(STAMP, 'utf8')) as Parts<string>;
	return Object.values(files)
		.flat()
		.every((path) => existsSync(join(PATHS.packages, path)))
		? files
		: undefined;
}

async function fetchPackages(context: NodeContext): Promise<Parts<string>> {
	context.log('downloading packages');
	const fetched: Parts<DownloadedPackage> = await new Apt(join(PATHS.packages, 'apt')).fetch('amd64', chooseParts);
	const names = Object.values(fetched).flatMap((files) =>
		files.map((each) => `${each.package.name} ${each.package.version}`),
	);
	context.log(`downloaded ${names.join(', ')}`);
	const paths = (files: readonly DownloadedPackage[]) => files.map(({path}) => path.slice(PATHS.packages.length + 1));
	const stamp = {
		kernel: paths(fetched.kernel),
		busybox: paths(fetched.busybox),
		xen: paths(fetched.xen),
		memtest: paths(fetched.memtest),
	};
	writeFileSync(STAMP, JSON.stringify(stamp));
	return stamp;
}

function chooseParts(list: PackageList): Parts<Package> {
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

async function buildImages(context: NodeContext, files: Parts<string>): Promise<void> {
	context.log('building initial file systems');
	const recipe = recipeHash();
	await using spool = await Spool.open(PATHS.packages, MAX_UNPACKED_BYTES);
	const unpack = async (paths: readonly string[]) => {
		const tree = new FileTree(0);
		await unpackAll(
			paths.map((path) => join(PATHS.packages, path)),
			tree,
			spool,
		);
		return tree;
	};
	const kernel = await Kernel.open(await unpack(files.kernel));
	const busybox = await unpack(files.busybox);
	for (const folder of [PATHS.linux, PATHS.incubator, PATHS.xen, PATHS.memtest]) mkdirSync(folder, {recursive: true});
	await replace(join(PATHS.linux, 'vmlinuz'), kernel.image);
	await copyMemtest(await unpack(files.memtest));
	await copyXen(await unpack(files.xen));
	await writeInitrd(await guestInitrd(kernel, busybox, SCRIPTS.guest), join(PATHS.linux, 'initrd.cpio'));
	await writeInitrd(await incubatorInitrd(kernel, busybox, SCRIPTS.incubator), join(PATHS.incubator, 'initrd.cpio'));
	writeFileSync(join(PATHS.linux, 'version'), `${kernel.release}\n`);
	writeFileSync(IMAGE_STAMP, recipe);
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
	await replace(join(PATHS.xen, 'xen.gz'), found[1]);
}

/** Memtest86+ for 64-bit and 32-bit processors, by the names it has since version 6; tests do without what there is not. */
async function copyMemtest(tree: FileTree): Promise<void> {
	for (const [name, content] of bootFiles(tree))
		if (/^memtest86\+(x64|ia32)\.bin$/.test(name)) await replace(join(PATHS.memtest, name), content);
}

/** Another process may be booting from the old file at this moment. */
async function replace(path: string, content: Content): Promise<void> {
	writeFileSync(`${path}.new`, await gather(content.pieces()));
	renameSync(`${path}.new`, path);
}

function imagesAreCurrent(): boolean {
	return (
		OUTPUTS.every((path) => existsSync(path)) &&
		existsSync(IMAGE_STAMP) &&
		readFileSync(IMAGE_STAMP, 'utf8') === recipeHash()
	);
}

/** Covers everything that an image is made from: the packages, the init scripts and the code that packs them. */
function recipeHash(): string {
	const hash = createHash('sha256').update(readFileSync(STAMP));
	hashImageCode(hash);
	for (const path of [SCRIPTS.guest, SCRIPTS.incubator]) hash.update(readFileSync(path)).update('\0');
	return hash.digest('hex');
}
