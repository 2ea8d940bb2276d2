import type {BaseSystem, Package} from '#main/debian';
import {hashOfKey} from '#main/file-cache';
import {checkNames, type DebianMirror, type DebianRoot, makeDebianRoot, planDebianImage} from '#main/images';
import {
	debianSuites,
	findKeyring,
	type Keyring,
	keyringChecksum,
	Mirror,
	PackageCache,
	parseMirror,
} from '#main/mirror';
import {
	emptyConfig,
	ImageStore,
	inCache,
	type OpenedImage,
	type OpenOperation,
	ociError,
	rootKey,
	rootOfTree,
} from '#main/oci';
import {abortable} from '#support/abort';
import type {HypervisorOption} from '#vcpu-worker/back-ends';

/** A root of Debian's packages. */
export interface PackagesRequest {
	/** Packages to have, with all that they need. */
	readonly packages: readonly string[];
	/** Packages that come by their priority. @default 'required' */
	readonly base?: BaseSystem;
	/** Suite or codename. @default 'bookworm' */
	readonly suite?: string;
	/** Without them, Debian's own, with its updates. */
	readonly mirrors?: readonly DebianMirror[];
	/** File of the keys that releases have to be signed by. Without it, Debian's of this host. */
	readonly keyring?: string;
	/** Whether a mirror is asked: where the cache has none of these packages, always for the newest, or never. @default 'missing' */
	readonly pull?: 'missing' | 'always' | 'never';
	/** Free space of the root, in bytes. It takes nothing on the host until it is used. @default 4 GiB */
	readonly freeBytes?: number;
	/** What runs the machine in which the packages' own scripts run once. @default 'auto' */
	readonly hypervisor?: HypervisorOption;
	/** Folder of images; without it one below the user's caches. */
	readonly cache?: string;
	/** Folder of downloaded packages; without it one below the user's caches. */
	readonly packageCache?: string;
}

const usualFreeBytes = 2 ** 32;
/** The form of what is made of packages: another number makes it anew. */
const form = 'packages-2';
/** Package whose kernel runs the machine that configures packages. */
const kernel = 'linux-image-cloud-amd64';
/** The software processor on a busy host needs some minutes for a hundred packages. */
const configureSeconds = 3600;

/**
 * Makes a root of packages, or gives the one of the cache. Their own scripts run once, in a machine of their own, and nothing of theirs on the host.
 * @throws VmmError CONFIG_VALUE_INVALID, MIRROR_*, PACKAGE_*, PACKAGES_CONFLICT, IMAGE_*, TREE_*, EXT4_*, OCI_*; OPERATION_ABORTED
 */
export async function openPackages(request: PackagesRequest, operation: OpenOperation = {}): Promise<OpenedImage> {
	const {pull = 'missing', freeBytes = usualFreeBytes} = request;
	const {progress = () => {}, signal} = operation;
	checkNames({
		packages: request.packages,
		suites: [request.suite, ...(request.mirrors ?? []).map((each) => each.suite)],
	});
	const open = async (): Promise<OpenedImage> => {
		const store = await ImageStore.open(request.cache);
		const keyring = request.keyring === undefined ? undefined : await findKeyring(request.keyring);
		const name = nameOf(request, keyring);
		const known = pull === 'always' ? undefined : await store.name(name);
		if (known !== undefined) {
			const path = store.rootOf(rootKey([known.digest]), freeBytes);
			const sizeBytes = await store.useRoot(path);
			if (sizeBytes !== undefined) return {kind: 'root', path, sizeBytes, digest: known.digest, config: emptyConfig};
		}
		if (pull === 'never')
			throw ociError('OCI_IMAGE_UNKNOWN', {name, has: (await store.names()).map((each) => each.name).slice(0, 20)});
		progress('resolve', 0, 0);
		const mirror = await openMirror(request, keyring ?? (await findKeyring()), signal);
		const config = rootOf(request, mirror.date);
		const plan = planDebianImage(await mirror.list('amd64', signal), config);
		const digest = digestOf([...plan.system, ...plan.kernel], config);
		const root = await rootOfTree(store, rootKey([digest]), {freeBytes, progress, signal}, (spool) =>
			makeDebianRoot(mirror, config, {
				spool,
				folder: store.folder,
				signal,
				progress: (step, done, total) => progress(step === 'unpack' ? 'unpack' : 'download', done, total),
			}),
		);
		const size = plan.system.reduce((sum, {archive}) => sum + (archive?.bytes ?? 0), 0);
		await store.setName({name, kind: 'tar', digest, size, time: Math.floor(Date.now() / 1000)});
		return {kind: 'root', ...root, digest, config: emptyConfig};
	};
	return inCache(() => abortable('image', signal, open));
}

async function openMirror(
	{suite = 'bookworm', mirrors = [], packageCache}: PackagesRequest,
	keyring: Keyring,
	signal: AbortSignal | undefined,
): Promise<Mirror> {
	const named = mirrors.map((each) => ({
		address: parseMirror(each.address),
		suite: each.suite ?? suite,
		components: each.components ?? ['main'],
	}));
	const options = {keyring, cache: await PackageCache.open(packageCache)};
	return Mirror.open(named.length > 0 ? named : debianSuites(suite, ['main']), options, signal);
}

const rootOf = ({packages, base = 'required', hypervisor = 'auto'}: PackagesRequest, time: number): DebianRoot => ({
	packages,
	base,
	kernel,
	modules: [],
	hostName: 'localhost',
	time,
	configures: {guest: {hypervisor, limitSeconds: configureSeconds}},
});

/** What is asked for: what it stands for the cache notes beside it. */
function nameOf(
	{packages, base = 'required', suite = 'bookworm', mirrors = []}: PackagesRequest,
	keyring: Keyring | undefined,
): string {
	const from = mirrors.map((each) => [each.address, each.suite ?? suite, ...(each.components ?? [])].join(' '));
	const signed = keyring === undefined ? [] : [`keyring sha256:${keyringChecksum(keyring)}`];
	const parts = [base, ...(from.length > 0 ? from : [suite]), ...signed];
	return `packages:${[...packages].sort().join(',')} (${parts.join('; ')})`;
}

/** What the root is made of: the packages themselves, whatever release names them, and those whose modules it has. */
function digestOf(made: readonly Package[], {packages, base}: Pick<DebianRoot, 'packages' | 'base'>): string {
	const parts = made.map(({name, version, archive}) => [name, version, archive?.checksum]);
	return `sha256:${hashOfKey([form, base, [...packages].sort(), parts])}`;
}
