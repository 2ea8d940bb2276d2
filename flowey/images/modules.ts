/** Picks kernel modules with all they depend on, and writes the tables that `modprobe` reads (what depmod does, for a few modules). */

import type {ModuleInfo} from './modinfo.ts';

/** Source of modules: a kernel package, or a table in a test. */
export interface ModuleSource {
	/** Path of a module below the module folder, or undefined when the package has none of that name. */
	path(name: string): string | undefined;
	/** True when the code is part of the kernel image. */
	isBuiltIn(name: string): boolean;
	info(name: string): ModuleInfo;
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

/**
 * The modules in `names` and everything they depend on, each after its dependencies, so that loading them in order works.
 * Throws when the kernel has no module of that name, neither as a file nor built in.
 */
export function pickModules(source: ModuleSource, names: readonly string[]): PickedModule[] {
	const picked = new Map<string, PickedModule>();
	const open = new Set<string>();
	const visit = (rawName: string): void => {
		const name = moduleName(rawName);
		if (picked.has(name) || source.isBuiltIn(name)) {
			return;
		}
		const path = source.path(name);
		if (path === undefined) {
			throw new Error(`The kernel package has no module ${name}`);
		}
		if (open.has(name)) {
			throw new Error(`Kernel modules depend on each other in a circle: ${[...open, name].join(' -> ')}`);
		}
		open.add(name);
		const {depends, aliases} = source.info(name);
		depends.forEach(visit);
		open.delete(name);
		picked.set(name, {name, path, aliases, needs: dependencyPaths(picked, depends)});
	};
	names.forEach(visit);
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
