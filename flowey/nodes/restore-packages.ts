/** Puts a stock kernel, Xen, memtest86+ and busybox below `.packages/` and builds the initial file systems that tests boot. */

import {createHash} from 'node:crypto';
import {
	copyFileSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {execute, FloweyError, type FloweyNode, type NodeContext, PATHS} from '../core/index.ts';
import {guestInitrd, incubatorInitrd} from '../images/initial-file-systems.ts';
import {openKernelPackage} from '../images/kernel-package.ts';
import {Apt, type PackageVersion} from '../packages/apt.ts';

const KERNEL = 'linux-image-cloud-amd64';
const BUSYBOX = 'busybox-static';
const XEN = 'xen-system-amd64';
const MEMTEST = 'memtest86+';
/** Folder that each package is unpacked to; the others are parts of the kernel, or Xen. */
const FOLDERS: Readonly<Record<string, string>> = {[BUSYBOX]: 'busybox', [MEMTEST]: 'memtest'};

const SCRIPTS = {
	guest: join(PATHS.repo, 'flowey/images/guest-init.sh'),
	incubator: join(PATHS.repo, 'test/incubator/init.sh'),
};
const DOWNLOADS = join(PATHS.packages, 'debian');
const UNPACKED = join(PATHS.packages, 'unpacked');
const PACKAGE_STAMP = join(UNPACKED, 'packages.json');
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
		const isThere = (folder: string) => existsSync(join(UNPACKED, folder));
		const havePackages = existsSync(PACKAGE_STAMP) && isThere('xen') && isThere('memtest') && !refresh;
		if (havePackages && imagesAreCurrent()) {
			context.skip('up to date');
			return;
		}
		if (!havePackages) {
			await fetchPackages(context);
		}
		buildImages(context);
	},
};

function requireAmd64(): void {
	if (process.arch !== 'x64') {
		throw new FloweyError(`No guest kernel for ${process.arch}`, 'Run this on an x86-64 machine.');
	}
}

async function fetchPackages(context: NodeContext): Promise<void> {
	mkdirSync(PATHS.packages, {recursive: true});
	const apt = new Apt(join(PATHS.packages, 'apt'), context);
	const packages = [
		...(await apt.findKernel(KERNEL)),
		await apt.find(BUSYBOX),
		await apt.findXen(XEN),
		await apt.find(MEMTEST),
	];
	const stamp = JSON.stringify(packages.map(({name, version}) => ({name, version})));
	if (existsSync(PACKAGE_STAMP) && readFileSync(PACKAGE_STAMP, 'utf8') === stamp) {
		return;
	}
	context.log(`downloading ${packages.map(({name, version}) => `${name} ${version}`).join(', ')}`);
	rmSync(DOWNLOADS, {recursive: true, force: true});
	rmSync(UNPACKED, {recursive: true, force: true});
	await apt.download(packages, DOWNLOADS);
	await Promise.all(packages.map((one) => unpack(one)));
	writeFileSync(PACKAGE_STAMP, stamp);
}

async function unpack({name}: PackageVersion): Promise<void> {
	const file = readdirSync(DOWNLOADS).find((candidate) => candidate.startsWith(`${name}_`));
	const folder = join(UNPACKED, name.startsWith('xen-') ? 'xen' : (FOLDERS[name] ?? 'kernel'));
	mkdirSync(folder, {recursive: true});
	const result = await execute('dpkg-deb', ['-x', join(DOWNLOADS, file ?? name), folder]);
	if (result.status !== 0) {
		throw new FloweyError(`Cannot unpack ${name}: ${result.stderr.trim()}`, 'Delete .packages/ and try again.');
	}
}

function buildImages(context: NodeContext): void {
	context.log('building initial file systems');
	const kernel = openKernelPackage(join(UNPACKED, 'kernel'));
	const busybox = ['usr/bin/busybox', 'bin/busybox']
		.map((path) => join(UNPACKED, 'busybox', path))
		.find((path) => existsSync(path));
	if (busybox === undefined) {
		throw new FloweyError('No busybox in its package', 'Delete .packages/ and try again.');
	}
	const recipe = recipeHash();
	mkdirSync(PATHS.linux, {recursive: true});
	mkdirSync(PATHS.incubator, {recursive: true});
	copyFileSync(kernel.imagePath, join(PATHS.linux, 'vmlinuz.new'));
	renameSync(join(PATHS.linux, 'vmlinuz.new'), join(PATHS.linux, 'vmlinuz'));
	copyMemtest();
	copyXen();
	replace(join(PATHS.linux, 'version'), `${kernel.release}\n`);
	replace(join(PATHS.linux, 'initrd.cpio'), guestInitrd(kernel, busybox, SCRIPTS.guest));
	replace(join(PATHS.incubator, 'initrd.cpio'), incubatorInitrd(kernel, busybox, SCRIPTS.incubator));
	replace(IMAGE_STAMP, recipe);
}

/** The multiboot kernel, compressed as it is shipped; beside it the package has one for UEFI. */
function copyXen(): void {
	const boot = join(UNPACKED, 'xen/boot');
	const name = readdirSync(boot).find((each) => each.startsWith('xen-') && each.endsWith('.gz'));
	if (name === undefined) throw new FloweyError('No Xen in its package', 'Delete .packages/ and try again.');
	mkdirSync(PATHS.xen, {recursive: true});
	copyFileSync(join(boot, name), join(PATHS.xen, 'xen.gz'));
}

/** Memtest86+ for 64-bit and 32-bit processors, by the names it has since version 6; tests do without what there is not. */
function copyMemtest(): void {
	const boot = join(UNPACKED, 'memtest/boot');
	mkdirSync(PATHS.memtest, {recursive: true});
	for (const name of readdirSync(boot).filter((file) => /^memtest86\+(x64|ia32)\.bin$/.test(file))) {
		copyFileSync(join(boot, name), join(PATHS.memtest, name));
	}
}

/** Another process may be booting from the old file at this moment. */
function replace(path: string, content: string | Uint8Array): void {
	writeFileSync(`${path}.new`, content);
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
	const hash = createHash('sha256').update(readFileSync(PACKAGE_STAMP));
	const images = join(PATHS.repo, 'flowey/images');
	const code = readdirSync(images)
		.filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
		.sort()
		.map((name) => join(images, name));
	for (const path of [...code, SCRIPTS.guest, SCRIPTS.incubator]) {
		hash.update(readFileSync(path)).update('\0');
	}
	return hash.digest('hex');
}
