import {type Attributes, type Directory, type FileTree, ownText, type Spool, type TreeNode} from '#main/file-tree';
import type {TarMember} from '#main/tar';

/** Prefix of a name that takes away what lower layers have (OCI image specification 1.1, "Representing Changes", whiteouts). */
const whiteout = '.wh.';
/** Takes away all that lower layers have in its folder. */
const opaque = '.wh..wh..opq';
/** Folders of AUFS's own, which old builders left in layers. */
const ofAufs = ['.wh..wh.plnk', '.wh..wh.aufs', '.wh..wh.orph'];

/** What an inode has room for. */
const limits = {id: 2 ** 32 - 1, major: 2 ** 12, minor: 2 ** 20} as const;
/** Linux's PATH_MAX: what is longer is not even looked at. */
const mostPathBytes = 4096;

/**
 * Puts the members of one layer into a tree that has those below already. Folders on the way may be links, which lead nowhere but within the
 * tree, as they do for a program in it. What takes something away concerns lower layers alone, wherever in the archive it is.
 */
export class LayerUnpacker {
	readonly #tree: FileTree;
	readonly #spool: Spool;
	readonly #fault: (what: string) => Error;
	/** Names that are of this layer, by the folders that they are in. */
	readonly #own = new Map<Directory, Set<string>>();
	/** Folders that have nothing of lower layers any more: once is enough, however often the layer says so. */
	readonly #hidden = new Set<Directory>();

	/** @param spool - where the bytes of files go @param fault - makes what is thrown for a member that cannot be */
	constructor(tree: FileTree, spool: Spool, fault: (what: string) => Error) {
		this.#tree = tree;
		this.#spool = spool;
		this.#fault = fault;
	}

	/** @throws VmmError TREE_PATH_INVALID, TREE_TOO_LARGE, and what `fault` makes */
	async add(member: TarMember): Promise<void> {
		if (member.path.length > mostPathBytes)
			throw this.#fault(`${member.path.slice(0, 200)}… has more than ${mostPathBytes} characters`);
		const path = member.path.replace(/^(?:\.?\/+)+|^\.$/, '').replace(/\/+$/, '');
		const slash = path.lastIndexOf('/');
		const [folder, name] = [path.slice(0, Math.max(slash, 0)), path.slice(slash + 1)];
		if (ofAufs.some((each) => path === each || path.startsWith(`${each}/`))) return;
		if (name === opaque) this.#hideAll(this.#tree.findDirectory(folder));
		else if (name.startsWith(whiteout)) this.#hide(member, folder, name.slice(whiteout.length));
		else await this.#put(member, path, folder, name);
	}

	async #put(member: TarMember, path: string, folder: string, name: string): Promise<void> {
		const attributes = this.#attributesOf(member);
		if (path === '') {
			if (member.kind === 'directory') this.#tree.addDirectory('', attributes);
			return;
		}
		// A hard link may be to what its own name stands for, so it is looked up before that is taken away.
		const node = member.kind === 'directory' ? undefined : await this.#nodeOf(member, attributes);
		const found = this.#tree.find(path);
		if (found !== undefined && (found.kind !== 'directory' || node !== undefined)) this.#tree.remove(path);
		if (node === undefined) this.#tree.addDirectory(path, attributes);
		else this.#tree.add(path, node);
		const parent = this.#tree.findDirectory(folder) as Directory;
		const own = this.#own.get(parent) ?? new Set();
		this.#own.set(parent, own.add(ownText(name)));
	}

	#attributesOf({path, permissions, user, group, modified, xattrs}: TarMember): Attributes {
		const isId = (id: number) => id >= 0 && id <= limits.id;
		if (!isId(user) || !isId(group)) throw this.#fault(`${path.slice(0, 200)} belongs to ${user}:${group}`);
		return {permissions, user, group, modified, xattrs};
	}

	async #nodeOf(member: TarMember, attributes: Attributes): Promise<TreeNode> {
		const {kind, path, target, major, minor} = member;
		switch (kind) {
			case 'file': {
				const content = await this.#spool.add(member.content);
				return {...attributes, kind, content};
			}
			case 'symbolic-link':
				return {...attributes, kind: 'link', target};
			case 'hard-link': {
				const found = this.#tree.find(target);
				if (found !== undefined && found.kind !== 'directory') return found;
				throw this.#fault(`${path.slice(0, 200)} is another name of ${target.slice(0, 200)}, which is no file of it`);
			}
			case 'character':
			case 'block':
				if (!(major >= 0 && major < limits.major && minor >= 0 && minor < limits.minor))
					throw this.#fault(`${path.slice(0, 200)} is device ${major}:${minor}, which cannot be`);
				return {...attributes, kind, major, minor};
			case 'fifo':
				return {...attributes, kind};
			case 'directory':
				throw new TypeError('a directory has no content');
		}
	}

	/** Takes away what lower layers have of a name: of a folder that is of this layer too, what is in it. */
	#hide({path}: TarMember, folder: string, name: string): void {
		if (name === '' || name === '.' || name === '..')
			throw this.#fault(`${path.slice(0, 200)} takes away something that has no name`);
		const parent = this.#tree.findDirectory(folder);
		const found = parent?.entries.get(name);
		if (parent === undefined || found === undefined) return;
		if (found.kind === 'directory') this.#hideAll(found);
		this.#drop(parent, name, found);
	}

	/** Depth is bounded by that of the tree. */
	#hideAll(folder: Directory | undefined): void {
		if (folder === undefined || this.#hidden.has(folder)) return;
		this.#hidden.add(folder);
		for (const [name, node] of folder.entries) {
			if (node.kind === 'directory') this.#hideAll(node);
			this.#drop(folder, name, node);
		}
	}

	#drop(parent: Directory, name: string, node: TreeNode): void {
		const isOwn = this.#own.get(parent)?.has(name) === true;
		if (isOwn || (node.kind === 'directory' && node.entries.size > 0)) return;
		parent.entries.delete(name);
	}
}
