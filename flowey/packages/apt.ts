/** Downloads Debian packages with the system's own client, without being root. */

import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {execute, FloweyError, type NodeContext} from '../core/index.ts';

const KERNEL_PARTS = /^linux-(image|modules|binary)-/;
const XEN_HYPERVISOR = /^xen-hypervisor-[\d.]+-amd64$/;

/** A package and the version that the client would install. */
export interface PackageVersion {
	readonly name: string;
	readonly version: string;
	readonly depends: readonly string[];
}

/** The client, on the system's package lists when it has any, else on lists of our own below `folder`. */
export class Apt {
	readonly #folder: string;
	readonly #context: NodeContext;
	#options: readonly string[] = [];

	constructor(folder: string, context: NodeContext) {
		this.#folder = folder;
		this.#context = context;
	}

	/** Looks `name` up, fetching package lists once when it is unknown. */
	async find(name: string): Promise<PackageVersion> {
		const known = await this.#show(name);
		if (known !== undefined) {
			return known;
		}
		await this.#update();
		const found = await this.#show(name);
		if (found === undefined) {
			throw new FloweyError(
				`The package client knows no package ${name}`,
				'Use a Debian system (12 or newer) with "main" among its package sources.',
			);
		}
		return found;
	}

	/** The packages that make up the kernel which the meta package `name` stands for. */
	async findKernel(name: string): Promise<PackageVersion[]> {
		const parts: PackageVersion[] = [];
		const pending = [...(await this.find(name)).depends.filter((dependency) => KERNEL_PARTS.test(dependency))];
		for (let next = pending.shift(); next !== undefined && parts.length < 8; next = pending.shift()) {
			const part = await this.find(next);
			parts.push(part);
			pending.push(...part.depends.filter((dependency) => KERNEL_PARTS.test(dependency)));
		}
		if (parts.length === 0) {
			throw new FloweyError(`The package ${name} depends on no kernel`, 'Refresh the package lists: apt-get update.');
		}
		return parts;
	}

	/** The package of this version's Xen, on which the meta package `name` depends. */
	async findXen(name: string): Promise<PackageVersion> {
		const hypervisor = (await this.find(name)).depends.find((dependency) => XEN_HYPERVISOR.test(dependency));
		if (hypervisor === undefined) {
			throw new FloweyError(
				`The package ${name} depends on no hypervisor`,
				'Refresh the package lists: apt-get update.',
			);
		}
		return this.find(hypervisor);
	}

	/** Downloads `packages` into `folder`. */
	async download(packages: readonly PackageVersion[], folder: string): Promise<void> {
		mkdirSync(folder, {recursive: true});
		const words = packages.map(({name, version}) => `${name}=${version}`);
		let result = await execute('apt-get', [...this.#options, ...asOneUser(), 'download', ...words], {cwd: folder});
		if (result.status !== 0 && this.#options.length === 0) {
			// Lists that are too old name files that the mirrors no longer have.
			await this.#update();
			const names = packages.map(({name}) => name);
			result = await execute('apt-get', [...this.#options, ...asOneUser(), 'download', ...names], {cwd: folder});
		}
		if (result.status !== 0) {
			throw new FloweyError(
				`Cannot download ${words.join(' ')}: ${lastLine(result.stderr)}`,
				'Check that this machine reaches its package mirror: apt-get update.',
			);
		}
	}

	async #show(name: string): Promise<PackageVersion | undefined> {
		const result = await execute('apt-cache', [...this.#options, 'show', '--no-all-versions', name]);
		if (result.status === 127) {
			throw new FloweyError(
				'There is no apt-cache on this machine',
				'Use a Debian system, or fill .packages/ by copying it from one.',
			);
		}
		return result.status === 0 ? parseShow(result.stdout) : undefined;
	}

	async #update(): Promise<void> {
		this.#context.log('fetching package lists');
		const lists = join(this.#folder, 'lists');
		const cache = join(this.#folder, 'cache');
		mkdirSync(join(lists, 'partial'), {recursive: true});
		mkdirSync(join(cache, 'archives/partial'), {recursive: true});
		this.#options = ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${cache}`];
		const result = await execute('apt-get', [...this.#options, ...asOneUser(), 'update']);
		if (result.status !== 0) {
			throw new FloweyError(
				`Cannot fetch package lists: ${lastLine(result.stderr)}`,
				'Check that this machine reaches its package mirror: apt-get update.',
			);
		}
	}
}

/** Without this, root's client downloads as the user _apt, who may not write below the working copy. */
function asOneUser(): string[] {
	return process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : [];
}

/** Reads what `apt-cache show` prints for one package; of alternative dependencies the first counts. */
export function parseShow(text: string): PackageVersion | undefined {
	const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1];
	const name = field('Package');
	const version = field('Version');
	if (name === undefined || version === undefined) {
		return undefined;
	}
	const depends = (field('Depends') ?? '')
		.split(',')
		.map((dependency) => dependency.trim().split(/[ (|:]/)[0] ?? '')
		.filter((dependency) => dependency !== '');
	return {name, version, depends};
}

function lastLine(text: string): string {
	return text.trim().split('\n').at(-1) ?? '';
}
