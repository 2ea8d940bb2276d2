import {open, readFile, truncate} from 'node:fs/promises';
import {type ArchiveFault, type ChunkFormat, decompressChunks} from '#main/compression';
import {
	type ChosenPackages,
	type DownloadedChoice,
	type DownloadedPackage,
	downloadChosen,
	type FileFacts,
	type Package,
	PackageList,
	type PackageSource,
	type PackageText,
} from '#main/debian';
import type {LongOperation} from '#support/abort';
import {isVmmError, type VmmErrorCode} from '#support/errors';
import {below, type MirrorSuite} from './address.ts';
import {mirrorError} from './errors.ts';
import {FileFetcher} from './fetch-file.ts';
import type {PackageCache} from './package-cache.ts';
import {type Release, readRelease} from './release.ts';
import {type Keyring, type SignedRelease, verifiedText} from './signature.ts';

/** What a mirror is asked with. */
export interface MirrorOptions {
	readonly keyring: Keyring;
	readonly cache: PackageCache;
	readonly fetcher?: FileFetcher;
	/** The time that releases have to be valid at, in seconds since 1970. */
	readonly now?: number;
}

/** A suite whose release has been checked. */
interface CheckedSuite extends MirrorSuite {
	readonly release: Release;
}

/** A release of Debian's has 150 KB, and a signature 4. */
const maxReleaseBytes = 2 ** 22;
/** All of Debian is 50 MB. */
const maxIndexBytes = 2 ** 29;
const maxPackageBytes = 2 ** 32;
/** Mirrors and lines give more by some at once; more than these would be impolite. */
const atOnce = 4;

const indexFormats: readonly (readonly [ending: string, format: ChunkFormat | undefined])[] = [
	['.xz', 'xz'],
	['.gz', 'gzip'],
	['', undefined],
];

/**
 * Suites of package mirrors, without a package manager. Nothing of a mirror is believed but what is signed by a key of the keyring:
 * the release, and by the checksums in it the lists, and by those in the lists the packages.
 */
export class Mirror implements PackageSource {
	readonly #options: MirrorOptions;
	readonly #fetcher: FileFetcher;
	#suites: readonly CheckedSuite[];

	private constructor(options: MirrorOptions, fetcher: FileFetcher, suites: readonly CheckedSuite[]) {
		this.#options = options;
		this.#fetcher = fetcher;
		this.#suites = suites;
	}

	/**
	 * Fetches and checks the releases.
	 * @throws VmmError MIRROR_*; the signal's reason
	 */
	static async open(suites: readonly MirrorSuite[], options: MirrorOptions, signal?: AbortSignal): Promise<Mirror> {
		const mirror = new Mirror(options, options.fetcher ?? new FileFetcher(), []);
		await mirror.#open(suites, signal);
		return mirror;
	}

	/** When the newest of its releases was made, in seconds since 1970. */
	get date(): number {
		return Math.max(...this.#suites.map(({release}) => release.date));
	}

	/** Packages of all suites, each in its newest version. @throws VmmError MIRROR_*, PACKAGE_LIST_DAMAGED; the signal's reason */
	async list(architecture: string, signal?: AbortSignal): Promise<PackageList> {
		try {
			return await this.#list(architecture, signal);
		} catch (error) {
			// The mirror may have changed since its release was fetched.
			if (!otherFile.some((code) => isVmmError(error, code))) throw error;
			await this.#open(this.#suites, signal);
			return this.#list(architecture, signal);
		}
	}

	async fetch<T extends ChosenPackages>(
		architecture: string,
		choose: (list: PackageList) => T,
		operation: LongOperation = {},
	): Promise<DownloadedChoice<T>> {
		const list = await this.list(architecture, operation.signal);
		return downloadChosen(choose(list), (packages) => this.#download(packages, operation));
	}

	async #open(suites: readonly MirrorSuite[], signal?: AbortSignal): Promise<void> {
		this.#suites = await Promise.all(
			suites.map(async (each) => ({...each, release: await this.#checkedRelease(each, signal)})),
		);
	}

	async #checkedRelease({address, suite}: MirrorSuite, signal?: AbortSignal): Promise<Release> {
		const {keyring, cache, now = Math.floor(Date.now() / 1000)} = this.#options;
		const folder = below(address, `dists/${suite}/`);
		const signed = await this.#signedRelease(folder, signal);
		const {url} = signed;
		const release = readRelease(await verifiedText(signed, keyring, now), {url, suite, now});
		// Not by the file's own name: who hides one of two would begin anew.
		const {date: known, file} = await cache.newestRelease(folder.href);
		const utc = (seconds: number) => new Date(seconds * 1000).toUTCString();
		if (known !== undefined && release.date < known)
			throw mirrorError('MIRROR_RELEASE_OLDER', {url, date: utc(release.date), known: utc(known), file});
		if (release.date !== known) await cache.noteRelease(folder.href, release.date);
		return release;
	}

	/** Gives the release with its signature in it, or where a mirror has none such, beside it. */
	async #signedRelease(folder: URL, signal?: AbortSignal): Promise<SignedRelease> {
		const get = (name: string) => this.#fetcher.bytes(new URL(name, folder), maxReleaseBytes, signal);
		const inline = new URL('InRelease', folder).href;
		try {
			return {url: inline, inline: await get('InRelease')};
		} catch (error) {
			if (!isVmmError(error, 'MIRROR_FILE_MISSING')) throw error;
			const [text, signature] = await Promise.all([get('Release'), get('Release.gpg')]);
			return {url: new URL('Release', folder).href, text, signature};
		}
	}

	async #list(architecture: string, signal?: AbortSignal): Promise<PackageList> {
		const texts: PackageText[] = [];
		for (const suite of this.#suites) {
			for (const component of suite.components) {
				for (const each of listsOf(suite, component, architecture))
					texts.push({text: await this.#index(suite, each, signal), mirror: suite.address.href});
			}
		}
		return new PackageList(texts, architecture);
	}

	/** Gives a list, whichever way it is compressed. @param path - below the suite */
	async #index({address, suite, release}: CheckedSuite, path: string, signal?: AbortSignal): Promise<string> {
		const folder = `dists/${suite}/`;
		const url = below(address, `${folder}${path}`);
		const found = indexFormats.find(([ending]) => release.files.has(path + ending));
		if (found === undefined) throw mirrorError('MIRROR_INDEX_INVALID', {url: url.href, what: 'the release has none'});
		const [ending, format] = found;
		const facts = release.files.get(path + ending) as FileFacts;
		if (facts.bytes > maxIndexBytes) throw mirrorError('MIRROR_FILE_TOO_LARGE', {url: url.href, most: maxIndexBytes});
		const named = below(address, `${folder}${path}${ending}`);
		const hashed = below(address, `${folder}${path.replace(/[^/]*$/, '')}by-hash/SHA256/${facts.checksum}`);
		const file = await this.#fetchFile(release.byHash ? [hashed, named] : [named], facts, signal);
		const bytes = await readFile(file);
		if (format === undefined) return bytes.toString('utf8');
		return gatherText(decompressChunks(bytes, format, archiveFault(named)), named);
	}

	async #download(
		packages: readonly Package[],
		{progress, signal: asked}: LongOperation,
	): Promise<readonly DownloadedPackage[]> {
		const wanted = packages.map((each) => ({package: each, ...placeOf(each)}));
		const total = wanted.reduce((sum, {facts}) => sum + facts.bytes, 0);
		const files: DownloadedPackage[] = [];
		const open = wanted.entries();
		const failed = new AbortController();
		const signal = AbortSignal.any([failed.signal, ...(asked === undefined ? [] : [asked])]);
		let done = 0;
		const worker = async () => {
			for (const [index, {package: one, url, facts}] of open) {
				let here = 0;
				const came = (bytes: number) => {
					done += bytes - here;
					here = bytes;
					progress?.(done, total);
				};
				files[index] = {package: one, path: await this.#fetchFile([url], facts, signal, came)};
				came(facts.bytes);
			}
		};
		// The first error is the reason of all others.
		await Promise.all(Array.from({length: atOnce}, () => worker().catch((error) => failed.abort(error))));
		signal.throwIfAborted();
		return files;
	}

	/**
	 * Gives a file of the cache, which is fetched where it is not there.
	 * @param urls - where it may be: the next is asked where the one before has none
	 * @param came - told how many bytes of it are there
	 */
	async #fetchFile(
		urls: readonly URL[],
		facts: FileFacts,
		signal: AbortSignal | undefined,
		came?: (bytes: number) => void,
	): Promise<string> {
		const {cache} = this.#options;
		const known = await cache.find(facts);
		if (known !== undefined) return known;
		for (const [index, url] of urls.entries()) {
			try {
				return await this.#fetcher.retried(signal, () => this.#fetchOnce(url, facts, signal, came));
			} catch (error) {
				if (!isVmmError(error, 'MIRROR_FILE_MISSING') || index === urls.length - 1) throw error;
			}
		}
		throw new TypeError('a file has no address');
	}

	/** Fetches what is missing of a file, into the cache. */
	async #fetchOnce(
		url: URL,
		facts: FileFacts,
		signal: AbortSignal | undefined,
		came?: (bytes: number) => void,
	): Promise<string> {
		const {cache} = this.#options;
		const partial = await cache.begin(facts);
		/** Fetches it from a byte on, and takes it if it is what it has to be. */
		const goOn = async (from: number) => {
			const {start, pieces} = await this.#fetcher.part(url, from, signal);
			await truncate(partial.path, start);
			let length = start;
			const file = await open(partial.path, 'a');
			try {
				for await (const piece of pieces) {
					length += piece.length;
					if (length > facts.bytes) throw mirrorError('MIRROR_FILE_TOO_LARGE', {url: url.href, most: facts.bytes});
					await file.appendFile(piece);
					came?.(length);
				}
			} finally {
				await file.close();
			}
			if (length < facts.bytes)
				throw mirrorError('MIRROR_FILE_CUT_OFF', {url: url.href, bytes: length, expected: facts.bytes});
			return cache.finish(partial, facts);
		};
		try {
			let ended = await goOn(partial.length < facts.bytes ? partial.length : 0);
			// What was there may have been of another file.
			if (ended.path === undefined && partial.length > 0) ended = await goOn(0);
			if (ended.path !== undefined) return ended.path;
			const {checksum: expected} = facts;
			throw mirrorError('MIRROR_FILE_DAMAGED', {url: url.href, expected, found: ended.checksum});
		} catch (error) {
			const isUseless = useless.some((code) => isVmmError(error, code));
			await (isUseless ? cache.drop(partial) : cache.giveUp(partial, facts));
			throw error;
		}
	}
}

/** What there is of a file that is another one than was told. */
const otherFile: readonly VmmErrorCode[] = [
	'MIRROR_FILE_MISSING',
	'MIRROR_FILE_DAMAGED',
	'MIRROR_FILE_TOO_LARGE',
	'MIRROR_FILE_CUT_OFF',
];
/** What has come before these is of no use to the next try. */
const useless: readonly VmmErrorCode[] = ['MIRROR_FILE_MISSING', 'MIRROR_FILE_TOO_LARGE', 'MIRROR_FILE_DAMAGED'];

/** Paths of the lists of a component's packages, without the endings of compressions. @throws VmmError MIRROR_RELEASE_INVALID */
function listsOf({address, suite, release}: CheckedSuite, component: string, architecture: string): string[] {
	const known = {component: release.components, architecture: release.architectures};
	for (const [what, name] of Object.entries({component, architecture}) as ['component' | 'architecture', string][]) {
		const has = known[what];
		if (!has.includes(name))
			throw mirrorError('MIRROR_RELEASE_INVALID', {
				url: below(address, `dists/${suite}`).href,
				what: `it has no ${what} ${name}, but ${has.join(', ')}`,
			});
	}
	const hasOwn = release.architectures.includes('all') && !release.listsContainAll;
	return [architecture, ...(hasOwn ? ['all'] : [])].map((each) => `${component}/binary-${each}/Packages`);
}

/** Where a package is, and what it has to be. @throws VmmError MIRROR_INDEX_INVALID, MIRROR_PATH_INVALID */
function placeOf({name, mirror, file, archive}: Package): {readonly url: URL; readonly facts: FileFacts} {
	const isTold =
		archive !== undefined &&
		Number.isInteger(archive.bytes) &&
		archive.bytes <= maxPackageBytes &&
		/^[0-9a-f]{64}$/.test(archive.checksum);
	if (file === undefined || !isTold)
		throw mirrorError('MIRROR_INDEX_INVALID', {url: mirror, what: `it tells no file of ${name}, or not what it is`});
	return {url: below(new URL(mirror), file), facts: archive};
}

const archiveFault = ({href: url}: URL): ArchiveFault => {
	const fault = (what: string) => mirrorError('MIRROR_INDEX_INVALID', {url, what});
	return {
		truncated: () => fault('it is cut off'),
		damaged: (what) => fault(`it is damaged: ${what}`),
		unsupported: fault,
		trailing: (length) => fault(`${length} bytes follow its end`),
	};
};

async function gatherText(pieces: AsyncIterable<Uint8Array>, {href: url}: URL): Promise<string> {
	const taken: Uint8Array[] = [];
	let length = 0;
	for await (const piece of pieces) {
		length += piece.length;
		if (length > maxIndexBytes) throw mirrorError('MIRROR_FILE_TOO_LARGE', {url, most: maxIndexBytes});
		taken.push(piece);
	}
	return Buffer.concat(taken).toString('utf8');
}
