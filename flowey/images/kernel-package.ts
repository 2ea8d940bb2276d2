/** An unpacked Debian kernel package: its release, its image, its modules. */

import {spawnSync} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import type {CpioEntry} from './cpio.ts';
import {readModuleInfo} from './modinfo.ts';
import {type ModuleSource, moduleName, modulesAlias, modulesDep, pickModules} from './modules.ts';

/** Parts of a kernel package that the image builders take. */
export interface KernelPackage {
	readonly release: string;
	readonly imagePath: string;
	/** True when it has that module as a file or built in. */
	hasModule(name: string): boolean;
	/** The archive members that give an initial file system these modules, ready for `modprobe`. */
	moduleEntries(names: readonly string[]): CpioEntry[];
}

/** Opens the package unpacked in `folder`; throws when it is not one kernel with modules. */
export function openKernelPackage(folder: string): KernelPackage {
	const image = readdirSync(join(folder, 'boot')).find((name) => name.startsWith('vmlinuz-'));
	if (image === undefined) {
		throw new Error(`No kernel image in ${folder}`);
	}
	const release = image.slice('vmlinuz-'.length);
	const moduleFolder = moduleFolderOf(folder, release);
	const source = new FolderModuleSource(moduleFolder);
	return {
		release,
		imagePath: join(folder, 'boot', image),
		hasModule: (name) => source.isBuiltIn(moduleName(name)) || source.path(moduleName(name)) !== undefined,
		moduleEntries: (names) => moduleEntries(source, release, names),
	};
}

function moduleFolderOf(folder: string, release: string): string {
	for (const top of ['lib', 'usr/lib']) {
		const candidate = join(folder, top, 'modules', release);
		try {
			readdirSync(candidate);
			return candidate;
		} catch {
			// Debian 13 moved modules to /usr/lib.
		}
	}
	throw new Error(`No modules of kernel ${release} in ${folder}`);
}

function moduleEntries(source: FolderModuleSource, release: string, names: readonly string[]): CpioEntry[] {
	const target = `lib/modules/${release}`;
	const modules = pickModules(source, names);
	const text = (name: string, content: string): CpioEntry => ({
		kind: 'file',
		path: `${target}/${name}`,
		data: Buffer.from(content),
	});
	return [
		...modules.map(
			({name, path}): CpioEntry => ({kind: 'file', path: `${target}/${path}`, data: source.content(name)}),
		),
		text('modules.dep', modulesDep(modules)),
		text('modules.alias', modulesAlias(modules)),
		text('modules.builtin', source.builtInList),
		text('modules.symbols', ''),
	];
}

class FolderModuleSource implements ModuleSource {
	readonly builtInList: string;
	readonly #folder: string;
	readonly #paths = new Map<string, string>();
	readonly #builtIn: ReadonlySet<string>;

	constructor(folder: string) {
		this.#folder = folder;
		for (const entry of readdirSync(folder, {recursive: true, encoding: 'utf8'})) {
			if (/\.ko(\.\w+)?$/.test(entry)) {
				this.#paths.set(moduleName(entry), entry);
			}
		}
		this.builtInList = readFileSync(join(folder, 'modules.builtin'), 'utf8');
		this.#builtIn = new Set(this.builtInList.split('\n').map(moduleName));
	}

	/** Inside an image every module is stored uncompressed: busybox does not unpack them. */
	path(name: string): string | undefined {
		return this.#paths.get(name)?.replace(/\.ko\.\w+$/, '.ko');
	}

	isBuiltIn(name: string): boolean {
		return this.#builtIn.has(name);
	}

	info(name: string) {
		return readModuleInfo(this.content(name));
	}

	content(name: string): Uint8Array {
		const path = this.#paths.get(name);
		if (path === undefined) {
			throw new Error(`The kernel package has no module ${name}`);
		}
		const file = join(this.#folder, path);
		return path.endsWith('.xz') ? unpackXz(file) : readFileSync(file);
	}
}

function unpackXz(file: string): Uint8Array {
	const {status, stdout, stderr} = spawnSync('xz', ['-dc', file], {maxBuffer: 64 << 20});
	if (status !== 0) {
		throw new Error(`Cannot unpack ${file}: install the package xz-utils (${String(stderr).trim()})`);
	}
	return stdout;
}
