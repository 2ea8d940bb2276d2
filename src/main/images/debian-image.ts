import {createHash} from 'node:crypto';
import {readFile} from 'node:fs/promises';
import {basename, dirname, join} from 'node:path';
import {
	type BaseSystem,
	DebFile,
	type DownloadedChoice,
	type DownloadedPackage,
	type Package,
	type PackageList,
	type PackageSource,
	selectPackages,
} from '#main/debian';
import {FileTree, Spool} from '#main/file-tree';
import type {OperationSignal} from '#support/abort';
import {linkAlternatives} from './alternatives.ts';
import {configureInGuest, type GuestConfiguration} from './configure-guest.ts';
import {addConsoleCommands, addConsoleShell, addFirstConfiguration} from './console.ts';
import {needsConfiguration, writeDpkgDatabase} from './dpkg-database.ts';
import {addConsole, addDiskInit, diskModules} from './initrd.ts';
import {Kernel} from './kernel.ts';
import {OutputFiles} from './output-files.ts';
import {addMergedUsr, addShadowFiles, addSystemFiles} from './system-files.ts';
import {type UnpackedPackage, Unpacker} from './unpack.ts';

/** The files of a Debian system, without what boots it. */
export interface DebianRoot {
	/** Packages to have, with all that they need. */
	readonly packages: readonly string[];
	readonly base: BaseSystem;
	/** Meta package or package of the kernel. */
	readonly kernel: string;
	/** Modules that the system has on it, beside those of its disk. What a kernel does not have is left out. */
	readonly modules: readonly string[];
	/** Where the packages' scripts run, if anywhere. */
	readonly configures?: 'first-boot' | {readonly guest: Pick<GuestConfiguration, 'hypervisor' | 'limitSeconds'>};
	readonly hostName: string;
	/** Of all that is made here, and of what is written into it as its age, in seconds since 1970. */
	readonly time: number;
}

/** A Debian system to make, which has an init of its own. */
export interface DebianImageConfig extends DebianRoot {
	/** Lines of shell that it runs when it is up, before it powers off; undefined for a shell on the console. */
	readonly commands?: readonly string[];
	/** Size of the disk, in bytes; undefined for what the packages need, and half a gigabyte and a quarter beside. */
	readonly sizeBytes?: number;
}

/** Where files go: each is whole or not there. */
export interface DebianImageFiles {
	/** The kernel's image, compressed as it is shipped. */
	readonly kernel: string;
	/** The initial file system that goes on from the disk. */
	readonly initrd: string;
	/** The disk: an ext4 file system, with holes where nothing is. */
	readonly disk?: string;
	/** An initial file system that is all of the system, for a guest without a disk. */
	readonly whole?: string;
}

/** Which packages an image is made of. */
export type DebianImagePlan = {
	readonly system: readonly Package[];
	readonly kernel: readonly Package[];
	readonly busybox: readonly Package[];
};

/** The tree is merged already, so that nothing is to be done for it. */
const preferred = ['usr-is-merged'];
/** Packages that a kernel consists of (Debian splits it in two since 13). */
const kernelPart = /^linux-(image|modules|binary)-/;
/** Levels of meta packages above a kernel. */
const maxKernelParts = 16;

/** @throws VmmError PACKAGE_UNKNOWN, PACKAGE_DEPENDENCY_UNMET, PACKAGES_CONFLICT, PACKAGE_LIST_DAMAGED */
export function planDebianImage(list: PackageList, {packages, base, kernel}: DebianRoot): DebianImagePlan {
	return {
		system: selectPackages(list, {base, names: packages, prefer: preferred}),
		kernel: kernelParts(list, kernel),
		busybox: selectPackages(list, {base: 'none', names: ['busybox-static']}),
	};
}

/** The packages that make up the kernel which a meta package stands for: what installs it is not needed. */
export function kernelParts(list: PackageList, name: string): Package[] {
	const parts = new Map([[name, list.get(name)]]);
	for (const part of parts.values()) {
		const needed = part.needs.flat().filter((each) => kernelPart.test(each.name));
		for (const {name: next} of needed) if (parts.size < maxKernelParts) parts.set(next, list.get(next));
	}
	return [...parts.values()];
}

/** Parts of the work, in their order. */
export type ImageStep = 'packages' | 'download' | 'unpack' | 'configure' | 'write';

/** What goes on while an image is made. */
export interface ImageOperation {
	/** Told how far a step is: `configure` in packages, others in bytes; one that has no bytes is told of once, with none. */
	readonly progress?: ((step: ImageStep, done: number, total: number) => void) | undefined;
	/** Gives it up: its reason is thrown, and nothing is left behind. */
	readonly signal?: OperationSignal | undefined;
}

/**
 * Downloads packages and makes a guest of them, without a right on the host: programs of theirs run in a guest at most. The same packages and
 * the same configuration give the same bytes. Files that are there already are replaced when all of the new ones are whole.
 * @throws VmmError
 */
export async function makeDebianImage(
	source: PackageSource,
	asked: DebianImageConfig,
	paths: DebianImageFiles,
	{progress = () => {}, signal}: ImageOperation = {},
): Promise<void> {
	progress('packages', 0, 0);
	const downloaded = await source.fetch('amd64', (list) => planDebianImage(list, asked), {
		signal,
		progress: (done, total) => progress('download', done, total),
	});
	const sizeBytes = asked.sizeBytes ?? defaultSize(downloaded.system);
	const config = {...asked, sizeBytes};
	// What a guest has configured is there a second time.
	await using spool = await Spool.open(dirname(paths.kernel), sizeBytes * 2 + maxKernelBytes);
	const work = {spool, folder: dirname(paths.kernel), progress, signal};
	const parts = await unpackParts(downloaded, config.time, work);
	const {kernel, busybox} = parts;
	const initrd = new FileTree(config.time);
	await addDiskInit(initrd, busybox, kernel);
	let {tree} = parts;
	if (paths.disk !== undefined || paths.whole !== undefined) {
		const {packages} = await parts.unpackSystem();
		await complete(tree, packages, kernel, config);
		if (config.configures === 'first-boot') addFirstConfiguration(tree);
		if (config.commands === undefined) addConsoleShell(tree);
		else addConsoleCommands(tree, config.commands);
		tree = await configured({...parts, packages}, config, work);
	}
	const copies = [paths.disk, paths.whole].filter((path) => path !== undefined).length;
	const total = kernel.image.length + bytesOf(initrd) + copies * bytesOf(tree);
	await using files = new OutputFiles(counted('write', total, work));
	await files.pieces(paths.kernel, kernel.image.pieces());
	await files.initrd(paths.initrd, initrd);
	if (paths.disk !== undefined)
		await files.disk(paths.disk, tree, {sizeBytes, time: config.time, uuid: identity(config, 'disk'), label: 'root'});
	if (paths.whole !== undefined) {
		addConsole(tree);
		tree.addLink('init', 'sbin/init');
		await files.initrd(paths.whole, tree);
	}
	signal?.throwIfAborted();
	await files.finish();
}

/** How the files of a system are put together. */
interface SystemWork extends ImageOperation {
	/** Where their bytes go. */
	readonly spool: Spool;
	/** Where a machine that configures packages has its files, and leaves its log where that fails. */
	readonly folder: string;
}

/**
 * Downloads packages and puts the files of a system together that somebody else boots; a machine of its own configures them where one has a script for that.
 * @throws VmmError
 */
export async function makeDebianRoot(source: PackageSource, config: DebianRoot, work: SystemWork): Promise<FileTree> {
	const {progress = () => {}, signal} = work;
	const downloaded = await source.fetch('amd64', (list) => planDebianImage(list, config), {
		signal,
		progress: (done, total) => progress('download', done, total),
	});
	const parts = await unpackParts(downloaded, config.time, work);
	const {packages} = await parts.unpackSystem();
	await complete(parts.tree, packages, parts.kernel, config);
	if (!packages.some(({deb}) => needsConfiguration(deb))) return parts.tree;
	return configured({...parts, packages}, {...config, sizeBytes: defaultSize(downloaded.system)}, work);
}

/** Unpacks the kernel and busybox, and the system when that is asked for, into {@link tree}. */
async function unpackParts(downloaded: DownloadedChoice<DebianImagePlan>, time: number, work: SystemWork) {
	const [tree, kernelTree, busybox] = [0, 1, 2].map(() => new FileTree(time)) as [FileTree, FileTree, FileTree];
	const packages = Object.values(downloaded).flat();
	const unpacking = counted('unpack', sum(packages.map(({package: {archive}}) => archive?.bytes ?? 0)), work);
	const unpack = (some: readonly DownloadedPackage[], into: FileTree) =>
		unpackAll(
			some.map(({path}) => path),
			into,
			work.spool,
			unpacking,
		);
	await unpack(downloaded.kernel, kernelTree);
	await unpack(downloaded.busybox, busybox);
	const unpackSystem = () => {
		addMergedUsr(tree);
		return unpack(downloaded.system, tree);
	};
	return {tree, kernel: await Kernel.open(kernelTree), busybox, unpackSystem};
}

/** Parts of a system that is unpacked. */
interface UnpackedSystem {
	readonly tree: FileTree;
	readonly kernel: Kernel;
	readonly busybox: FileTree;
	readonly packages: readonly UnpackedPackage[];
}

/** The system as it is when a guest has configured its packages, where one is to. */
async function configured(
	{tree, kernel, busybox, packages}: UnpackedSystem,
	config: DebianImageConfig & {readonly sizeBytes: number},
	{spool, folder, progress = () => {}, signal}: SystemWork,
): Promise<FileTree> {
	if (typeof config.configures !== 'object') return tree;
	const total = packages.filter(({deb}) => needsConfiguration(deb)).length;
	progress('configure', 0, total);
	return configureInGuest({tree, kernel, busybox}, spool, {
		...config.configures.guest,
		...{sizeBytes: config.sizeBytes, signal, time: config.time, uuid: identity(config, 'disk')},
		logPath: join(folder, 'configure.log'),
		progress: (done) => progress('configure', Math.min(done, total), total),
	});
}

/** Counts bytes of a step, whose sum may be less than what is written: tables of file systems are not in it. */
function counted(step: ImageStep, total: number, {progress = () => {}, signal}: ImageOperation) {
	let done = 0;
	return (bytes: number): void => {
		signal?.throwIfAborted();
		done = Math.min(done + bytes, total);
		progress(step, done, total);
	};
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** A kernel for hardware has 400 MB of modules, of which an image gets few. */
const maxKernelBytes = 2 ** 31;
const sizeStep = 2 ** 26;

/** Room for the packages, for a quarter more and for half a gigabyte of what the guest writes. */
function defaultSize(system: readonly DownloadedPackage[]): number {
	const bytes = sum(system.map((each) => each.package.installedBytes));
	return Math.ceil((bytes * 1.25 + 2 ** 29) / sizeStep) * sizeStep;
}

function bytesOf(tree: FileTree): number {
	const files = new Set([...tree.walk()].map(([, node]) => node));
	return sum([...files].map((node) => (node.kind === 'file' ? node.content.length : 0)));
}

/**
 * Puts the files of packages into a tree.
 * @param paths - of packages on the host
 * @param unpacked - told of each package's bytes; what it throws ends the work
 * @throws VmmError as {@link Unpacker.unpack}
 */
export async function unpackAll(
	paths: readonly string[],
	tree: FileTree,
	spool: Spool,
	unpacked: (bytes: number) => void = () => {},
): Promise<Unpacker> {
	const unpacker = new Unpacker(tree, spool);
	for (const path of paths) {
		const bytes = await readFile(path);
		await unpacker.unpack(await DebFile.open(basename(path), bytes), () => unpacked(0));
		unpacked(bytes.length);
	}
	return unpacker;
}

/** Adds to unpacked packages what their scripts and their installer would. */
async function complete(
	tree: FileTree,
	packages: readonly UnpackedPackage[],
	kernel: Kernel,
	config: DebianRoot,
): Promise<void> {
	const wanted = [...diskModules(kernel), ...config.modules];
	await kernel.addModules(
		tree,
		wanted.filter((name) => kernel.hasModule(name)),
	);
	linkAlternatives(tree, packages);
	await writeDpkgDatabase(tree, packages);
	addSystemFiles(tree, {hostName: config.hostName, machineId: identity(config, 'machine').replaceAll('-', '')});
	await addShadowFiles(tree, Math.floor(config.time / 86_400));
}

/** An identity that the same configuration has again: 16 bytes in hexadecimal (RFC 9562, version 8). */
function identity({configures, ...config}: DebianRoot, what: string): string {
	// What runs the guest, and for how long at most, changes nothing of what comes of it.
	const where = typeof configures === 'object' ? 'guest' : configures;
	const hash = createHash('sha256')
		.update(JSON.stringify([what, config, where]))
		.digest('hex');
	return [
		hash.slice(0, 8),
		hash.slice(8, 12),
		`8${hash.slice(13, 16)}`,
		`8${hash.slice(17, 20)}`,
		hash.slice(20, 32),
	].join('-');
}
