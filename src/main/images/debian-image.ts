import {createHash} from 'node:crypto';
import {createWriteStream} from 'node:fs';
import {open, readFile, rename, rm} from 'node:fs/promises';
import {basename, dirname} from 'node:path';
import {Readable, type Transform} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {createGzip, createZstdCompress} from 'node:zlib';
import {
	type Apt,
	type BaseSystem,
	DebFile,
	type DownloadedPackage,
	type Package,
	type PackageList,
	selectPackages,
} from '#main/debian';
import {type Ext4Options, writeExt4} from '#main/ext4';
import {FileTree, Spool} from '#main/file-tree';
import {linkAlternatives} from './alternatives.ts';
import {addConsoleCommands, addConsoleShell} from './console.ts';
import {packCpio} from './cpio.ts';
import {writeDpkgDatabase} from './dpkg-database.ts';
import {addConsole, addDiskInit, diskModules} from './initrd.ts';
import {Kernel} from './kernel.ts';
import {addMergedUsr, addShadowFiles, addSystemFiles} from './system-files.ts';
import {Unpacker} from './unpack.ts';

/** A Debian system to make. */
export interface DebianImageConfig {
	/** Packages to have, with all that they need. */
	readonly packages: readonly string[];
	readonly base: BaseSystem;
	/** Meta package or package of the kernel. */
	readonly kernel: string;
	/** Modules that the system has on it, beside those of its disk. What a kernel does not have is left out. */
	readonly modules: readonly string[];
	/** Lines of shell that it runs when it is up, before it powers off; undefined for a shell on the console. */
	readonly commands?: readonly string[];
	readonly hostName: string;
	/** Of all that is made here, and of what is written into it as its age, in seconds since 1970. */
	readonly time: number;
	/** Size of the disk, in bytes; the files of packages may have as many. */
	readonly sizeBytes: number;
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
export function planDebianImage(list: PackageList, {packages, base, kernel}: DebianImageConfig): DebianImagePlan {
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

/**
 * Downloads packages and makes a guest of them, without a right on the host: no program of theirs is run. The same packages and
 * the same configuration give the same bytes.
 * @throws VmmError
 */
export async function makeDebianImage(apt: Apt, config: DebianImageConfig, files: DebianImageFiles): Promise<void> {
	const downloaded = await apt.fetch('amd64', (list) => planDebianImage(list, config));
	await using spool = await Spool.open(dirname(files.kernel), config.sizeBytes);
	const unpack = (packages: readonly DownloadedPackage[], tree: FileTree) =>
		unpackAll(
			packages.map(({path}) => path),
			tree,
			spool,
		);
	const [kernelTree, busyboxTree] = [new FileTree(config.time), new FileTree(config.time)];
	await unpack(downloaded.kernel, kernelTree);
	await unpack(downloaded.busybox, busyboxTree);
	const kernel = await Kernel.open(kernelTree);
	await replaceFile(files.kernel, (path) => pipeline(Readable.from(kernel.image.pieces()), createWriteStream(path)));
	const initrd = new FileTree(config.time);
	await addDiskInit(initrd, busyboxTree, kernel);
	await writeInitrd(initrd, files.initrd);
	if (files.disk === undefined && files.whole === undefined) return;
	const tree = new FileTree(config.time);
	addMergedUsr(tree);
	const unpacker = await unpack(downloaded.system, tree);
	await configure(tree, unpacker, kernel, config);
	if (files.disk !== undefined) {
		const {sizeBytes, time} = config;
		await writeDisk(tree, files.disk, {sizeBytes, time, uuid: identity(config, 'disk'), label: 'root'});
	}
	if (files.whole !== undefined) {
		addConsole(tree);
		tree.addLink('init', 'sbin/init');
		await writeInitrd(tree, files.whole);
	}
}

/** Puts the files of packages into a tree. @param paths - of packages on the host @throws VmmError as {@link Unpacker.unpack} */
export async function unpackAll(paths: readonly string[], tree: FileTree, spool: Spool): Promise<Unpacker> {
	const unpacker = new Unpacker(tree, spool);
	for (const path of paths) await unpacker.unpack(await DebFile.open(basename(path), await readFile(path)));
	return unpacker;
}

async function configure(
	tree: FileTree,
	{packages}: Unpacker,
	kernel: Kernel,
	config: DebianImageConfig,
): Promise<void> {
	const wanted = [...diskModules(kernel), ...config.modules];
	await kernel.addModules(
		tree,
		wanted.filter((name) => kernel.hasModule(name)),
	);
	linkAlternatives(tree, packages);
	writeDpkgDatabase(tree, packages);
	addSystemFiles(tree, {hostName: config.hostName, machineId: identity(config, 'machine').replaceAll('-', '')});
	await addShadowFiles(tree, Math.floor(config.time / 86_400));
	if (config.commands === undefined) addConsoleShell(tree);
	else addConsoleCommands(tree, config.commands);
}

/** An identity that the same configuration has again: 16 bytes in hexadecimal (RFC 9562, version 8). */
function identity(config: DebianImageConfig, what: string): string {
	const hash = createHash('sha256')
		.update(JSON.stringify([what, config]))
		.digest('hex');
	return [
		hash.slice(0, 8),
		hash.slice(8, 12),
		`8${hash.slice(13, 16)}`,
		`8${hash.slice(17, 20)}`,
		hash.slice(20, 32),
	].join('-');
}

/** Writes a tree as a disk: an ext4 file system, with holes where nothing is. @throws VmmError as {@link writeExt4} does */
export async function writeDisk(tree: FileTree, path: string, options: Ext4Options): Promise<void> {
	await replaceFile(path, async (unfinished) => {
		await using file = await open(unfinished, 'w');
		await file.truncate(options.sizeBytes);
		const write = async (bytes: Uint8Array, at: number) => {
			for (let done = 0; done < bytes.length; ) {
				done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
			}
		};
		await writeExt4({write}, tree, options);
	});
}

/** Compressions of initial file systems, by the ends of their files' names; without one of them it is not compressed. */
const compressors: readonly (readonly [ending: string, make: () => Transform])[] = [
	['.gz', () => createGzip({level: 6})],
	['.zst', () => createZstdCompress()],
];

/** Writes a tree as an initial file system, compressed as its name ends: `.gz` or `.zst`. */
export async function writeInitrd(tree: FileTree, path: string): Promise<void> {
	const compressor = compressors.find(([ending]) => path.endsWith(ending))?.[1];
	await replaceFile(path, async (unfinished) => {
		const source = Readable.from(packCpio(tree));
		const file = createWriteStream(unfinished);
		await (compressor === undefined ? pipeline(source, file) : pipeline(source, compressor(), file));
	});
}

/** Writes a file beside the one that is there, and puts it in its place when it is whole. */
async function replaceFile(path: string, write: (unfinished: string) => Promise<void>): Promise<void> {
	const unfinished = `${path}.new`;
	try {
		await write(unfinished);
		await rename(unfinished, path);
	} finally {
		await rm(unfinished, {force: true});
	}
}
