import {execFile} from 'node:child_process';
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {isVmmError} from '#support/errors';
import {debianError} from './errors.ts';
import {readFileFacts} from './file-facts.ts';
import {type Package, PackageList} from './package-list.ts';
import {
	type ChosenPackages,
	type DownloadedChoice,
	type DownloadedPackage,
	downloadChosen,
	type PackageSource,
} from './package-source.ts';

/** What a program of the host said, and how it ended: `status` is undefined when there is no such program. */
export interface ProgramEnd {
	readonly status: number | undefined;
	readonly stdout: string;
	readonly stderr: string;
}

/** Runs a program of the host in a folder. */
export type RunProgram = (program: string, words: readonly string[], folder: string) => Promise<ProgramEnd>;

/** What the host has installed may come from nowhere that packages can be fetched from, and would be preferred. */
const asIfNothingWereInstalled = ['-o', 'Dir::State::status=/dev/null'];
/** Package lists of all of Debian are 50 MB. */
const maxOutputBytes = 2 ** 29;

const runProgram: RunProgram = (program, words, cwd) =>
	new Promise((resolve, reject) => {
		execFile(program, [...words], {cwd, maxBuffer: maxOutputBytes}, (error, stdout, stderr) => {
			if (error === null) resolve({status: 0, stdout, stderr});
			else if (error.code === 'ENOENT') resolve({status: undefined, stdout, stderr});
			else if (typeof error.code === 'number') resolve({status: error.code, stdout, stderr});
			else reject(error);
		});
	});

/**
 * Debian's packages, from where the host has its own: its `apt` fetches them, by its configuration and with its checks. Nothing
 * is installed, and the user need not be root.
 */
export class Apt implements PackageSource {
	readonly #folder: string;
	readonly #run: RunProgram;
	/** Empty while the host's sources of packages are used. */
	readonly #sources: readonly string[];
	/** Empty while the host's own package lists are used. */
	#options: readonly string[] = [];

	/** @param folder - for packages, and for package lists when those of the host do not do */
	constructor(folder: string, run: RunProgram = runProgram, sources: readonly string[] = []) {
		this.#folder = folder;
		this.#run = run;
		this.#sources = sources;
	}

	/**
	 * Gives a client for another suite of the host's release, such as `backports`, from where the host has the release. It has its
	 * own folder and its own package lists.
	 * @throws VmmError PACKAGE_RELEASE_UNKNOWN, PACKAGE_CLIENT_MISSING, PACKAGE_CLIENT_FAILED
	 */
	async suite(name: string): Promise<Apt> {
		const folder = join(this.#folder, name);
		await mkdir(folder, {recursive: true});
		const release = (await this.#release()) ?? (await this.update().then(() => this.#release()));
		if (release === undefined) throw debianError('PACKAGE_RELEASE_UNKNOWN', {suite: name});
		const sources = join(folder, 'sources.list');
		await writeFile(sources, `deb ${release.address} ${release.codename}-${name} main\n`);
		const apt = new Apt(folder, this.#run, ['-o', `Dir::Etc::sourcelist=${sources}`, '-o', 'Dir::Etc::sourceparts=-']);
		await apt.update();
		return apt;
	}

	/** The Debian release among the host's sources: suites beside it have a dash in their name. */
	async #release(): Promise<{readonly address: string; readonly codename: string} | undefined> {
		const format = '$(REPO_URI) $(CODENAME) $(COMPONENT)';
		const of = ['Created-By: Packages', 'Origin: Debian', 'Label: Debian'];
		const targets = await this.#call('apt-get', ['indextargets', '--format', format, ...of]);
		const [, address, codename] = /^(\S+) ([^\s-]+) main$/m.exec(targets) ?? [];
		return address === undefined || codename === undefined ? undefined : {address, codename};
	}

	/**
	 * Reads the package lists: each package in the version that the host would install. They are fetched when the host has none.
	 * @throws VmmError PACKAGE_CLIENT_MISSING, PACKAGE_CLIENT_FAILED, PACKAGE_LIST_DAMAGED
	 */
	async list(architecture: string): Promise<PackageList> {
		await mkdir(this.#folder, {recursive: true});
		let text = await this.#call('apt-cache', ['dumpavail']);
		if (text.trim() === '') {
			await this.update();
			text = await this.#call('apt-cache', ['dumpavail']);
		}
		return new PackageList([{text}], architecture);
	}

	/** Fetches new package lists, into the folder. @throws VmmError PACKAGE_CLIENT_MISSING, PACKAGE_CLIENT_FAILED */
	async update(): Promise<void> {
		const [lists, cache] = [join(this.#folder, 'lists'), join(this.#folder, 'cache')];
		await mkdir(join(lists, 'partial'), {recursive: true});
		await mkdir(join(cache, 'archives/partial'), {recursive: true});
		// A cache of lists that are in memory is of no use to the next program.
		this.#options = ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${cache}`];
		await this.#call('apt-get', [...asOneUser(), 'update']);
	}

	/**
	 * Downloads packages, but for those that the folder has already.
	 * @throws VmmError PACKAGE_CLIENT_MISSING, PACKAGE_CLIENT_FAILED when the lists are older than what the mirror has, too;
	 * PACKAGE_DAMAGED
	 */
	async download(packages: readonly Package[]): Promise<DownloadedPackage[]> {
		const folder = join(this.#folder, 'archives');
		await mkdir(folder, {recursive: true});
		const files = packages.map((each) => ({package: each, path: join(folder, fileName(each))}));
		const isHere = await Promise.all(files.map(isWhole));
		const missing = files.filter((_, index) => !isHere[index]);
		if (missing.length === 0) return files;
		const words = missing.map((each) => `${each.package.name}=${each.package.version}`);
		await this.#call('apt-get', [...asOneUser(), 'download', ...words], folder);
		for (const each of missing) {
			const {name} = each.package;
			if (!(await isWhole(each)))
				throw debianError('PACKAGE_DAMAGED', {package: name, what: `${each.path} does not match the package list`});
		}
		return files;
	}

	/**
	 * Chooses packages from the lists and downloads them. Lists of the host that are so old that the mirror has other packages are
	 * left for new ones, from which packages are chosen again.
	 * @throws VmmError as {@link list} and {@link download} do, and what `choose` throws
	 */
	async fetch<T extends ChosenPackages>(
		architecture: string,
		choose: (list: PackageList) => T,
	): Promise<DownloadedChoice<T>> {
		try {
			return await this.#fetch(architecture, choose);
		} catch (error) {
			const mayBeOld = isVmmError(error, 'PACKAGE_CLIENT_FAILED') || isVmmError(error, 'PACKAGE_UNKNOWN');
			if (!mayBeOld || this.#options.length > 0) throw error;
			await this.update();
			return this.#fetch(architecture, choose);
		}
	}

	async #fetch<T extends ChosenPackages>(
		architecture: string,
		choose: (list: PackageList) => T,
	): Promise<DownloadedChoice<T>> {
		return downloadChosen(choose(await this.list(architecture)), (packages) => this.download(packages));
	}

	async #call(program: string, words: readonly string[], folder = this.#folder): Promise<string> {
		const options = [...asIfNothingWereInstalled, ...this.#sources, ...this.#options];
		const {status, stdout, stderr} = await this.#run(program, [...options, ...words], folder);
		if (status === 0) return stdout;
		if (status === undefined) throw debianError('PACKAGE_CLIENT_MISSING', {program});
		const said = stderr.trim().split('\n').at(-1) || `it ended with status ${status}`;
		throw debianError('PACKAGE_CLIENT_FAILED', {
			command: `${program} ${words.at(0) === '-o' ? words[2] : words[0]}`,
			said,
		});
	}
}

/** Without this, root's client downloads as the user _apt, who may not write into the folder. */
const asOneUser = () => (process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : []);

/** The name that the client gives a package's file. */
const fileName = ({name, version, architecture}: Package) =>
	`${name}_${version.replaceAll(':', '%3a')}_${architecture}.deb`;

/** True when the file is there with the bytes that the package list tells. */
async function isWhole({package: {archive}, path}: DownloadedPackage): Promise<boolean> {
	const found = await readFileFacts(path);
	if (found === undefined || archive === undefined) return found !== undefined;
	return archive.bytes === found.bytes && archive.checksum === found.checksum;
}
