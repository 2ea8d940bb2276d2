/** Picks kernel modules with all they depend on, and writes the tables that `modprobe` reads (what depmod does, for a few modules). */

import {imageError} from './errors.ts';
import type {ModuleInfo} from './modinfo.ts';
import type {IndexEntry} from './module-index.ts';

/** Source of modules: a kernel package, or a table in a test. */
export interface ModuleSource {
	/** Path of a module below the module folder, or undefined when the package has none of that name. */
	path(name: string): string | undefined;
	readonly release: string;
	/** True when the code is part of the kernel image. */
	isBuiltIn(name: string): boolean;
	info(name: string): Promise<ModuleInfo>;
}

/** A module together with what must be loaded first, nearest dependency first (the order of modules.dep). */
export interface PickedModule {
	readonly name: string;
	readonly path: string;
	readonly aliases: readonly string[];
	readonly needs: readonly string[];
}

/** The kernel treats dashes and underscores in module names as the same. */
export function moduleName(fileOrName: string): string {
	return fileOrName
		.replace(/^.*\//, '')
		.replace(/\.ko(\.\w+)?$/, '')
		.replaceAll('-', '_');
}

/** Modules of a kernel are a few hundred deep at most; what is deeper goes in a circle. */
const maxDepth = 1000;

/**
 * The modules in `names` and everything they depend on, each after its dependencies, so that loading them in order works.
 * @throws VmmError IMAGE_MODULE_MISSING when the kernel has no module of that name, neither as a file nor built in;
 * IMAGE_MODULE_DAMAGED
 */
export async function pickModules(source: ModuleSource, names: readonly string[]): Promise<PickedModule[]> {
	const picked = new Map<string, PickedModule>();
	const open = new Set<string>();
	const visit = async (rawName: string): Promise<void> => {
		const name = moduleName(rawName);
		if (picked.has(name) || source.isBuiltIn(name)) return;
		const path = source.path(name);
		if (path === undefined) throw imageError('IMAGE_MODULE_MISSING', {module: name, release: source.release});
		if (open.has(name) || open.size > maxDepth)
			throw imageError('IMAGE_MODULE_DAMAGED', {
				module: name,
				what: `it needs itself (${[...open].slice(-5).join(', ')})`,
			});
		open.add(name);
		const {depends, aliases} = await source.info(name);
		for (const each of depends) await visit(each);
		open.delete(name);
		picked.set(name, {name, path, aliases, needs: dependencyPaths(picked, depends)});
	};
	for (const name of names) await visit(name);
	return [...picked.values()];
}

function dependencyPaths(picked: ReadonlyMap<string, PickedModule>, depends: readonly string[]): string[] {
	const direct = depends.map((name) => picked.get(moduleName(name))).filter((module) => module !== undefined);
	const indirect = direct.flatMap((module) => module.needs);
	const all = [...direct.map((module) => module.path), ...indirect];
	// A module that several others need has to come last, because modprobe loads a line from its end.
	return all.filter((path, index) => all.lastIndexOf(path) === index);
}

/** The text of `modules.dep` for `modules`. */
export function modulesDep(modules: readonly PickedModule[]): string {
	return modules.map(({path, needs}) => `${path}:${needs.map((need) => ` ${need}`).join('')}\n`).join('');
}

/** The text of `modules.alias` for `modules`. */
export function modulesAlias(modules: readonly PickedModule[]): string {
	return modules.flatMap(({name, aliases}) => aliases.map((alias) => `alias ${alias} ${name}\n`)).join('');
}

/** The same for `modules.alias.bin`, whose keys have dashes only within brackets. */
export const aliasEntries = ({name, aliases}: PickedModule): IndexEntry[] =>
	aliases.map((alias) => [alias.replaceAll(/\[[^\]]*\]|-/g, (found) => (found === '-' ? '_' : found)), name]);
