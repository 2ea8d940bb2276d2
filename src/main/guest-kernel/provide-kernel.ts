import {createHash} from 'node:crypto';
import {chmod, mkdir, readdir, stat, writeFile} from 'node:fs/promises';
import {basename, dirname, join, resolve} from 'node:path';
import type {DownloadedPackage} from '#main/debian';
import type {Patience} from '#main/download';
import {hashOfKey, isHostError} from '#main/file-cache';
import {addHostFolder, bytesContent, FileTree, Spool} from '#main/file-tree';
import {addConsole, type DebianMirror, Kernel, kernelParts, unpackAll, writeInitrd} from '#main/images';
import {
	debianSuites,
	FileFetcher,
	findKeyring,
	type Keyring,
	keyringChecksum,
	Mirror,
	PackageCache,
	parseMirror,
} from '#main/mirror';
import {abortable, type OperationSignal} from '#support/abort';
import {isVmmError, type VmmErrorCode} from '#support/errors';
import {guestKernelError} from './errors.ts';
import {KernelCache} from './kernel-cache.ts';

/** Which kernel a machine without one of its own gets. */
export interface KernelRequest {
	/** File of a kernel, taken as it is: whatever its machine needs is built into it, or in {@link modules}. */
	readonly kernel?: string;
	/** With {@link kernel}: the folder `…/lib/modules/RELEASE` that belongs to it. */
	readonly modules?: string;
	/** Without {@link kernel}: the package of Debian's. @default 'linux-image-cloud-amd64' */
	readonly package?: string;
	/** @default 'bookworm' */
	readonly suite?: string;
	/** Without them Debian's own. */
	readonly mirrors?: readonly DebianMirror[];
	/** Public keys that releases have to be signed by. Without it, Debian's of this host. */
	readonly keyring?: string;
	/** Folder where kernels stay; without it one below the user's caches. */
	readonly cache?: string;
	/** Folder of downloaded packages; without it one below the user's caches. */
	readonly packages?: string;
	/** Whether a mirror is asked: where the cache has none, always for the newest, or never. @default 'missing' */
	readonly pull?: 'missing' | 'always' | 'never';
}

/** What goes on meanwhile. */
export interface KernelOperation {
	readonly progress?: ((step: 'packages' | 'download' | 'unpack', done: number, total: number) => void) | undefined;
	readonly signal?: OperationSignal | undefined;
	/** How long a mirror is waited for, and how often it is asked. */
	readonly patience?: Patience | undefined;
}

/** A kernel on this host. */
export interface GuestKernel {
	readonly path: string;
	/** As `uname -r` says; undefined for a kernel that the user named without modules. */
	readonly release: string | undefined;
	/** The folder of its modules, `modules.builtin` among them; undefined where there is none. */
	readonly modules: string | undefined;
}

/** Far more than a kernel for hardware has. */
const maxKernelBytes = 2 ** 31;
/** What says that nothing is wrong but the way to a mirror. */
const offline: readonly VmmErrorCode[] = ['MIRROR_UNREACHABLE', 'MIRROR_STALLED', 'MIRROR_FILE_CUT_OFF'];

/**
 * Gives the kernel that was named, or Debian's, verified as packages are, from the cache or from a mirror.
 * @throws VmmError GUEST_KERNEL_*, MIRROR_*, PACKAGE_*, IMAGE_*; OPERATION_ABORTED
 */
export async function provideKernel(
	request: KernelRequest = {},
	operation: KernelOperation = {},
): Promise<GuestKernel> {
	if (request.kernel !== undefined) return namedKernel(request.kernel, request.modules);
	const {package: name = 'linux-image-cloud-amd64', suite = 'bookworm', mirrors = [], pull = 'missing'} = request;
	return abortable('kernel', operation.signal, async () => {
		const cache = await KernelCache.open(request.cache);
		const keyring = request.keyring === undefined ? undefined : await findKeyring(request.keyring);
		const signed = keyring === undefined ? [] : [keyringChecksum(keyring)];
		const asked = [name, suite, ...mirrors.map((each) => JSON.stringify(each)), ...signed];
		const known = pull === 'always' ? undefined : await cache.kernel(asked);
		if (known !== undefined) return keptKernel(known);
		if (pull === 'never') throw guestKernelError('GUEST_KERNEL_MISSING', {package: name, suite});
		try {
			const from = {
				package: name,
				suite,
				mirrors,
				keyring: keyring ?? (await findKeyring()),
				packages: request.packages,
			};
			return keptKernel(await fetchKernel(cache, asked, from, operation));
		} catch (error) {
			if (!offline.some((code) => isVmmError(error, code))) throw error;
			const what = (error as Error).message;
			throw guestKernelError('GUEST_KERNEL_OFFLINE', {package: name, suite, what}, {cause: error});
		}
	}).catch(throwFailure);
}

/** What the host's file system says of the cache: that it is full, or for reading alone. */
function throwFailure(error: unknown): never {
	throw isHostError(error)
		? guestKernelError('GUEST_KERNEL_CACHE_FAILED', {what: error.message}, {cause: error})
		: error;
}

async function namedKernel(path: string, modules: string | undefined): Promise<GuestKernel> {
	const found = await stat(path).catch(() => undefined);
	if (!found?.isFile())
		throw guestKernelError('GUEST_KERNEL_UNUSABLE', {
			path,
			what: found === undefined ? 'there is none' : 'it is no file',
		});
	if (modules === undefined) return {path, release: undefined, modules};
	const builtIn = await stat(join(modules, 'modules.builtin')).catch(() => undefined);
	if (!builtIn?.isFile())
		throw guestKernelError('GUEST_KERNEL_UNUSABLE', {path: modules, what: 'it has no modules.builtin'});
	return {path, release: basename(resolve(modules)), modules};
}

/** A kernel of the cache, by how {@link keepFiles} wrote it. */
async function keptKernel(folder: string): Promise<GuestKernel> {
	const [release] = await readdir(join(folder, 'modules'));
	if (release === undefined) throw guestKernelError('GUEST_KERNEL_UNUSABLE', {path: folder, what: 'it has no modules'});
	return {path: join(folder, 'vmlinuz'), release, modules: join(folder, 'modules', release)};
}

interface Asked extends Required<Pick<KernelRequest, 'package' | 'suite' | 'mirrors'>> {
	readonly keyring: Keyring;
	readonly packages: string | undefined;
}

async function fetchKernel(
	cache: KernelCache,
	asked: readonly string[],
	{package: name, suite, mirrors, keyring, packages}: Asked,
	{progress, signal, patience}: KernelOperation,
): Promise<string> {
	progress?.('packages', 0, 0);
	const suites = mirrors.map((each) => ({
		address: parseMirror(each.address),
		suite: each.suite ?? suite,
		components: each.components ?? ['main'],
	}));
	const options = {
		keyring,
		cache: await PackageCache.open(packages),
		fetcher: new FileFetcher(patience),
	};
	const mirror = await Mirror.open(suites.length > 0 ? suites : debianSuites(suite, ['main']), options, signal);
	const {kernel} = await mirror.fetch('amd64', (list) => ({kernel: kernelParts(list, name)}), {
		progress: (done, total) => progress?.('download', done, total),
		signal,
	});
	const parts = kernel.map(({package: {name, version, archive}}) => [`${name}_${version}`, archive?.checksum]);
	const id = hashOfKey(parts).slice(0, 16);
	return cache.keepKernel(asked, `${parts.at(-1)?.[0]}-${id}`, (folder) => keepFiles(kernel, folder, progress, signal));
}

/** Writes a kernel and its modules. */
async function keepFiles(
	packages: readonly DownloadedPackage[],
	folder: string,
	progress: KernelOperation['progress'],
	signal: AbortSignal | undefined,
): Promise<void> {
	await using spool = await Spool.open(folder, maxKernelBytes);
	const tree = new FileTree(0);
	const total = packages.reduce((sum, {package: {archive}}) => sum + (archive?.bytes ?? 0), 0);
	let done = 0;
	await unpackAll(
		packages.map(({path}) => path),
		tree,
		spool,
		(bytes) => {
			signal?.throwIfAborted();
			done += bytes;
			progress?.('unpack', done, total);
		},
	);
	const kernel = await Kernel.open(tree);
	await writeFile(join(folder, 'vmlinuz'), kernel.image.pieces());
	const [from, to] = [kernel.modulesFolder, join(folder, 'modules', kernel.release)];
	await mkdir(to, {recursive: true});
	for (const [path, node] of tree.walk()) {
		// Links lead to sources, which there are none of.
		if (node.kind !== 'file' || !path.startsWith(`${from}/`)) continue;
		const place = join(to, path.slice(from.length + 1));
		await mkdir(dirname(place), {recursive: true});
		await writeFile(place, node.content.pieces());
		await chmod(place, 0o600);
	}
}

/** An initial file system of one program and the modules that it loads. */
export interface GuestInitrd {
	readonly kernel: GuestKernel;
	/** Static program that the kernel starts: the guest agent. */
	readonly init: Uint8Array;
	/** Modules to have, with all that they need; {@link usualModules} without it. What is built in, or what this kernel does not have, is left out. */
	readonly modules?: readonly string[];
	/** Folder where it stays; without it one below the user's caches. */
	readonly cache?: string;
}

/** What machines of ours need before they have a root, and what containers ask for. */
export const usualModules: readonly string[] = [
	'virtio_pci',
	'virtio_mmio',
	'virtio_blk',
	'virtio_net',
	'virtio_rng',
	'virtio_console',
	'virtio_balloon',
	'vmw_vsock_virtio_transport',
	'nvme',
	'virtio_scsi',
	'sd_mod',
	'ext4',
	'crc32c_generic',
	'overlay',
	'virtiofs',
	'9p',
	'9pnet_virtio',
	'af_packet',
];

/** The form of initial file systems: another number makes them anew. */
const form = 'initrd-2';

/**
 * Makes the file: `/init`, and the modules below `/lib/modules/RELEASE` with the tables of `modprobe`, of which `modules.dep` names each
 * behind what it needs. It is made once for each kernel, program and list.
 * @returns its path
 * @throws VmmError GUEST_KERNEL_*, IMAGE_MODULE_*, TREE_*
 */
export async function buildInitrd({kernel, init, modules = usualModules, cache: folder}: GuestInitrd): Promise<string> {
	const cache = await KernelCache.open(folder);
	const program = createHash('sha256').update(init).digest('hex');
	const tables = kernel.modules === undefined ? undefined : await stat(join(kernel.modules, 'modules.builtin'));
	const stamp = tables === undefined ? [] : [`${tables.mtimeMs} ${tables.size}`];
	const path = cache.initrdOf([form, kernel.path, `${kernel.release}`, ...stamp, program, ...modules]);
	if ((await stat(path).catch(() => undefined)) !== undefined) return path;
	const tree = new FileTree(0);
	addConsole(tree);
	tree.addFile('init', bytesContent(init), 0o755);
	await addModules(tree, kernel, modules);
	await writeInitrd(tree, path).catch(throwFailure);
	return path;
}

async function addModules(tree: FileTree, kernel: GuestKernel, names: readonly string[]): Promise<void> {
	const {modules: folder, release} = kernel;
	if (folder === undefined || release === undefined) return;
	const files = new FileTree(0);
	// Who has modules apart from their kernel has no more of it than its name.
	files.addFile(`boot/vmlinuz-${release}`, bytesContent(''));
	await addHostFolder(files, folder, () => {}, `lib/modules/${release}`);
	const found = await Kernel.open(files);
	await found.addModules(
		tree,
		names.filter((name) => found.hasModule(name)),
	);
}
