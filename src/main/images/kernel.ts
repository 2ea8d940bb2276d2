import {decompressChunks} from '#main/compression';
import {bytesContent, type Content, type Directory, type FileTree} from '#main/file-tree';
import {gather} from '#main/tar';
import {imageError} from './errors.ts';
import {type ModuleInfo, readModuleInfo} from './modinfo.ts';
import {moduleIndex} from './module-index.ts';
import {aliasEntries, type ModuleSource, moduleName, modulesAlias, modulesDep, pickModules} from './modules.ts';

/** Far more than any module has. */
const maxModuleBytes = 2 ** 28;

/** A kernel whose packages are unpacked: its image, and its modules. */
export class Kernel implements ModuleSource {
	readonly release: string;
	readonly image: Content;
	readonly #builtInList: string;
	readonly #builtIn: ReadonlySet<string>;
	/** Paths below the folder of modules, by name. */
	readonly #paths: ReadonlyMap<string, string>;
	readonly #tree: FileTree;
	/** The folder of its modules, by its path in the tree. */
	readonly modulesFolder: string;

	private constructor(tree: FileTree, release: string, image: Content, folder: string, builtInList: string) {
		this.release = release;
		this.image = image;
		this.#tree = tree;
		this.modulesFolder = folder;
		this.#builtInList = builtInList;
		this.#builtIn = new Set(builtInList.split('\n').map(moduleName));
		this.#paths = modulePaths(tree, folder);
	}

	/** @param tree - where its packages are unpacked @throws VmmError IMAGE_KERNEL_MISSING */
	static async open(tree: FileTree): Promise<Kernel> {
		const boot = tree.find('boot');
		const names = boot?.kind === 'directory' ? [...boot.entries.keys()].sort() : [];
		const name = names.find((each) => each.startsWith('vmlinuz-'));
		const image = name === undefined ? undefined : tree.find(`boot/${name}`);
		if (name === undefined || image?.kind !== 'file')
			throw imageError('IMAGE_KERNEL_MISSING', {what: 'kernel in /boot'});
		const release = name.slice('vmlinuz-'.length);
		// Debian 13 has its modules in /usr/lib.
		const folder = ['lib', 'usr/lib']
			.map((top) => `${top}/modules/${release}`)
			.find((each) => tree.find(each) !== undefined);
		const list = folder === undefined ? undefined : tree.find(`${folder}/modules.builtin`);
		if (folder === undefined || list?.kind !== 'file')
			throw imageError('IMAGE_KERNEL_MISSING', {what: `modules of kernel ${release}`});
		const builtIn = Buffer.from(await gather(list.content.pieces())).toString('utf8');
		return new Kernel(tree, release, image.content, folder, builtIn);
	}

	/** True when it has that module as a file or built in. */
	hasModule(name: string): boolean {
		return this.isBuiltIn(moduleName(name)) || this.#paths.has(moduleName(name));
	}

	/** In a guest every module is stored uncompressed: not every `modprobe` unpacks them. */
	path(name: string): string | undefined {
		return this.#paths.get(name)?.replace(/\.ko\.\w+$/, '.ko');
	}

	isBuiltIn(name: string): boolean {
		return this.#builtIn.has(name);
	}

	async info(name: string): Promise<ModuleInfo> {
		return readModuleInfo(name, await this.#moduleBytes(name));
	}

	/**
	 * Puts these modules and what they need into a guest's tree, with the tables that `modprobe` reads.
	 * @throws VmmError IMAGE_MODULE_MISSING, IMAGE_MODULE_DAMAGED
	 */
	async addModules(tree: FileTree, names: readonly string[]): Promise<void> {
		const modules = await pickModules(this, names);
		const target = `lib/modules/${this.release}`;
		for (const {name, path} of modules) tree.addFile(`${target}/${path}`, bytesContent(await this.#moduleBytes(name)));
		const tables: Readonly<Record<string, string | Uint8Array>> = {
			'modules.dep': modulesDep(modules),
			'modules.alias': modulesAlias(modules),
			'modules.builtin': this.#builtInList,
			'modules.symbols': '',
			'modules.dep.bin': moduleIndex(modules.map((each) => [each.name, modulesDep([each]).trimEnd()])),
			'modules.alias.bin': moduleIndex(modules.flatMap(aliasEntries)),
			'modules.builtin.bin': moduleIndex([...this.#builtIn].map((name) => [name, ''])),
			'modules.symbols.bin': moduleIndex([]),
		};
		for (const [name, content] of Object.entries(tables)) tree.addFile(`${target}/${name}`, bytesContent(content));
	}

	async #moduleBytes(name: string): Promise<Uint8Array> {
		const path = this.#paths.get(name);
		const found = path === undefined ? undefined : this.#tree.find(`${this.modulesFolder}/${path}`);
		if (path === undefined || found?.kind !== 'file')
			throw imageError('IMAGE_MODULE_MISSING', {module: name, release: this.release});
		if (found.content.length > maxModuleBytes) throw damaged(name, `it has ${found.content.length} bytes`);
		const bytes = await gather(found.content.pieces());
		return path.endsWith('.ko') ? bytes : gather(decompressModule(name, path, bytes));
	}
}

const damaged = (module: string, what: string) => imageError('IMAGE_MODULE_DAMAGED', {module, what});

function modulePaths(tree: FileTree, folder: string): Map<string, string> {
	const paths = new Map<string, string>();
	const open: [string, Directory][] = [];
	const enter = (path: string, node = tree.find(`${folder}/${path}`)) => {
		if (node?.kind === 'directory') open.push([path, node]);
		else if (node?.kind === 'file' && /\.ko(\.\w+)?$/.test(path)) paths.set(moduleName(path), path);
	};
	enter('kernel');
	for (let next = open.pop(); next !== undefined; next = open.pop()) {
		for (const [name, node] of next[1].entries) enter(`${next[0]}/${name}`, node);
	}
	return paths;
}

async function* decompressModule(name: string, path: string, bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
	const format = path.endsWith('.xz') ? 'xz' : path.endsWith('.zst') ? 'zstd' : undefined;
	if (format === undefined)
		throw damaged(name, `it is compressed as ${path.replace(/^.*\./, '')}, and not as xz or zst`);
	let total = 0;
	const fault = (what: string) => damaged(name, what);
	const faults = {
		truncated: () => fault('it is cut off'),
		damaged: fault,
		unsupported: fault,
		trailing: (length: number) => fault(`${length} bytes follow its end`),
	};
	for await (const piece of decompressChunks(bytes, format, faults)) {
		total += piece.length;
		if (total > maxModuleBytes) throw fault(`it has more than ${maxModuleBytes} bytes`);
		yield piece;
	}
}
