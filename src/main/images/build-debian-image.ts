import {mkdir} from 'node:fs/promises';
import {dirname} from 'node:path';
import type {BaseSystem} from '#main/debian';
import {debianSuites, findKeyring, Mirror, PackageCache, parseMirror} from '#main/mirror';
import {abortable} from '#support/abort';
import {isVmmError} from '#support/errors';
import {checkRange, invalidValue} from '#support/options';
import {type HypervisorOption, hypervisorOptions} from '#vcpu-worker/back-ends';
import {type DebianImageConfig, type DebianImageFiles, type ImageOperation, makeDebianImage} from './debian-image.ts';
import {imageError} from './errors.ts';

/** A mirror of packages to take. */
export interface DebianMirror {
	/** `https:`, `http:` or `file:`; `dists/` is below it. */
	readonly address: string;
	/** Without it, the suite of the image. */
	readonly suite?: string;
	/** Without them, those of the image. */
	readonly components?: readonly string[];
}

/** A bootable Debian to build. What is left out has a value that boots. */
export interface DebianImageBuild {
	/** Packages to have, beside those of the system, with all that they need. */
	readonly packages?: readonly string[];
	/** Packages that come by their priority. @default 'required' */
	readonly base?: BaseSystem;
	/** Suite or codename. @default 'bookworm' */
	readonly suite?: string;
	/** @default ['main'] */
	readonly components?: readonly string[];
	/** Without them, Debian's own, with its updates. */
	readonly mirrors?: readonly DebianMirror[];
	/** File of the keys that releases have to be signed by. Without it, Debian's of this host. */
	readonly keyring?: string;
	/** Folder where packages are kept. Without it, one below the user's caches. */
	readonly cache?: string;
	/** Package or meta package of the kernel. @default 'linux-image-cloud-amd64' */
	readonly kernelPackage?: string;
	/** Kernel modules to have, beside those of the disk and of systemd's own mounts. */
	readonly modules?: readonly string[];
	/** @default 'debian' */
	readonly hostName?: string;
	/** Lines of shell that the guest runs before it powers off. Without them, it has a shell of root's on its console. */
	readonly commands?: readonly string[];
	/**
	 * When the packages' scripts run: at the guest's first boot, in a machine of its own while the image is made, or, where somebody else
	 * sees to that, not. @default 'first-boot'
	 */
	readonly configure?: 'first-boot' | 'guest' | 'none';
	/** Most seconds that the machine may take which configures packages. @default 3600 */
	readonly configureSeconds?: number;
	/** What runs that machine. @default 'auto' */
	readonly hypervisor?: HypervisorOption;
	/** Size of the disk, in bytes. Without it, what the packages need, and half a gigabyte and a quarter beside. */
	readonly sizeBytes?: number;
	/** Of all that is made, in seconds since 1970. Without it, that of the newest release. */
	readonly time?: number;
	readonly files: DebianImageFiles;
}

/** Times of files have 32 bits in an initial file system. */
const mostSeconds = 2 ** 32 - 1;
/** Timers have 31 bits of milliseconds. */
const mostConfigureSeconds = 2_000_000;

/** The software processor on a busy host needs some minutes for a hundred packages. */
const usualConfigureSeconds = 3600;

/** Packages without which nothing starts and mounts. */
const system = ['systemd-sysv', 'udev', 'dbus', 'kmod'];
/** Modules that systemd asks for at every boot, and the drivers of devices that machines have. */
const usualModules = ['autofs4', 'binfmt_misc', 'virtio_net', 'virtio_rng', 'virtio_console', 'nvme'];

/**
 * Builds a disk, a kernel and an initial file system of Debian packages, without a right on the host: programs of theirs
 * run in guests only. The same packages and the same configuration give the same bytes.
 * @throws VmmError CONFIG_VALUE_INVALID, CONFIG_NUMBER_RANGE, MIRROR_*, PACKAGE_*, PACKAGES_CONFLICT, IMAGE_*, TREE_*, EXT4_*;
 * OPERATION_ABORTED where the signal asks for it, and then nothing is left behind
 */
export async function buildDebianImage(build: DebianImageBuild, operation: ImageOperation = {}): Promise<void> {
	checkBuild(build);
	const {suite = 'bookworm', components = ['main'], mirrors = [], packages = [], base = 'required', files} = build;
	const named = mirrors.map((each) => ({
		address: parseMirror(each.address),
		suite: each.suite ?? suite,
		components: each.components ?? components,
	}));
	const suites = named.length > 0 ? named : debianSuites(suite, components);
	const {signal, progress} = operation;
	await abortable('image build', signal, async () => {
		progress?.('packages', 0, 0);
		const [keyring, cache] = await Promise.all([findKeyring(build.keyring), PackageCache.open(build.cache)]);
		const mirror = await Mirror.open(suites, {keyring, cache}, signal);
		for (const path of Object.values(files)) await mkdir(dirname(path), {recursive: true});
		const {kernelPackage: kernel = 'linux-image-cloud-amd64', modules = [], hostName = 'debian'} = build;
		const {commands, configure = 'first-boot', sizeBytes, time = mirror.date} = build;
		const config = {
			packages: [...system, ...packages],
			base,
			kernel,
			modules: [...usualModules, ...modules],
			hostName,
			...configuration(configure, build),
			time,
			...(commands !== undefined && {commands}),
			...(sizeBytes !== undefined && {sizeBytes}),
		};
		await makeDebianImage(mirror, config, files, operation);
	}).catch((error) => {
		throw isHostError(error) ? imageError('IMAGE_WRITE_FAILED', {what: error.message}, {cause: error}) : error;
	});
}

function configuration(
	when: DebianImageBuild['configure'],
	{hypervisor = 'auto', configureSeconds: limitSeconds = usualConfigureSeconds}: DebianImageBuild,
): Pick<DebianImageConfig, 'configures'> {
	if (when === 'none') return {};
	return {configures: when === 'guest' ? {guest: {hypervisor, limitSeconds}} : 'first-boot'};
}

/** True for what a call of the host's file system fails with. */
const isHostError = (error: unknown): error is NodeJS.ErrnoException =>
	error instanceof Error && !isVmmError(error) && 'errno' in error && 'syscall' in error;

/** Names, by what errors call them, and which there are. */
const forms = {
	// Debian Policy 5.6.1.
	'--packages': [/^[a-z0-9][a-z0-9+.-]+$/, 'the name of a package'],
	'--kernel-package': [/^[a-z0-9][a-z0-9+.-]+$/, 'the name of a package'],
	'--modules': [/^\w[\w-]*$/, 'the name of a kernel module'],
	'--suite': [/^\w[\w.-]*$/, 'the name of a suite, for example bookworm'],
	'--components': [/^\w[\w.-]*$/, 'the name of a component, for example main'],
	'--base': [/^(?:none|essential|required|important|standard)$/, 'essential, required, important or standard'],
	'--configure': [/^(?:first-boot|guest|none)$/, 'first-boot, guest or none'],
	'--hypervisor': [new RegExp(`^(?:${hypervisorOptions.join('|')})$`), hypervisorOptions.join(', ')],
	// hostname(7)
	'--hostname': [/^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/, '1 to 63 letters, digits and dashes'],
} as const satisfies Readonly<Record<string, readonly [form: RegExp, expected: string]>>;

/** @throws VmmError CONFIG_VALUE_INVALID, CONFIG_NUMBER_RANGE */
function checkBuild(build: DebianImageBuild): void {
	const {packages = [], modules = [], components = [], mirrors = [], suite, base, kernelPackage, hostName} = build;
	const suites = [suite, ...mirrors.map((each) => each.suite)];
	const given: Readonly<Record<keyof typeof forms, readonly (string | undefined)[]>> = {
		'--packages': packages,
		'--kernel-package': [kernelPackage],
		'--modules': modules,
		'--suite': suites,
		'--components': [...components, ...mirrors.flatMap((each) => each.components ?? [])],
		'--base': [base],
		'--configure': [build.configure],
		'--hypervisor': [build.hypervisor],
		'--hostname': [hostName],
	};
	checkForms(given);
	const problem =
		checkRange(build.time ?? 0, '--time', 0, mostSeconds) ??
		checkRange(build.configureSeconds ?? 1, '--configure-limit', 1, mostConfigureSeconds);
	if (problem !== undefined) throw problem;
}

/** Checks names before anybody is asked for what they name. @throws VmmError CONFIG_VALUE_INVALID */
export const checkNames = ({
	packages,
	suites,
}: {
	readonly packages: readonly string[];
	readonly suites: readonly (string | undefined)[];
}): void => checkForms({'--packages': packages, '--suite': suites});

function checkForms(given: Partial<Readonly<Record<keyof typeof forms, readonly (string | undefined)[]>>>): void {
	for (const [option, [form, expected]] of Object.entries(forms)) {
		const wrong = given[option as keyof typeof forms]?.find((value) => value !== undefined && !form.test(value));
		if (wrong !== undefined) throw invalidValue(option, wrong, expected);
	}
}
