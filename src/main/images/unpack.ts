import {type DebFile, isMet, parseRelations} from '#main/debian';
import type {FileTree, Spool, TreeNode} from '#main/file-tree';
import type {TarMember} from '#main/tar';
import {imageError} from './errors.ts';
import {attributesOf, nodeOf} from './tree-member.ts';

/** A package whose files are in the tree. */
export interface UnpackedPackage {
	readonly deb: DebFile;
	readonly name: string;
	/** Paths of its files and folders, as dpkg lists them. */
	readonly paths: readonly string[];
}

/**
 * Puts the files of packages into a tree, as dpkg does when it unpacks them: folders that are links stay links, and a file that
 * another package has already is taken only by one that replaces that package (Debian Policy 7.6.1).
 */
export class Unpacker {
	readonly packages: UnpackedPackage[] = [];
	readonly #tree: FileTree;
	readonly #spool: Spool;
	readonly #owners = new Map<TreeNode, DebFile>();

	constructor(tree: FileTree, spool: Spool) {
		this.#tree = tree;
		this.#spool = spool;
	}

	/**
	 * @param onFile - called before each file; what it throws ends the work
	 * @throws VmmError PACKAGE_DAMAGED, PACKAGE_UNSUPPORTED, TREE_PATH_INVALID, TREE_TOO_LARGE, IMAGE_FILE_CLAIMED_TWICE
	 */
	async unpack(deb: DebFile, onFile: () => void = () => {}): Promise<void> {
		const paths: string[] = [];
		for await (const member of deb.members()) {
			onFile();
			const path = member.path.replace(/^\.?\/+|^\.$/, '').replace(/\/+$/, '');
			paths.push(path === '' ? '/.' : `/${path}`);
			await this.#put(deb, path, member);
		}
		this.packages.push({deb, name: nameOf(deb), paths});
	}

	async #put(deb: DebFile, path: string, member: TarMember): Promise<void> {
		const attributes = attributesOf(member);
		if (member.kind === 'directory') {
			this.#tree.addDirectory(path, attributes);
			return;
		}
		const found = this.#tree.find(path);
		if (found !== undefined && !this.#mayReplace(deb, path, member, found)) return;
		const isOwn = (each: TreeNode) => this.#owners.get(each) === deb;
		const node = await nodeOf(this.#tree, this.#spool, member, attributes, isOwn, (what) => deb.damaged(what));
		this.#tree.add(path, node);
		this.#owners.set(node, deb);
	}

	/** @throws VmmError IMAGE_FILE_CLAIMED_TWICE */
	#mayReplace(deb: DebFile, path: string, {kind}: TarMember, found: TreeNode): boolean {
		// A link does not take the place of a folder, nor of the file that it leads to by way of a folder that is a link.
		if (kind === 'symbolic-link' && (found.kind === 'directory' || this.#owners.get(found) === deb)) return false;
		const owner = this.#owners.get(found);
		if (owner === undefined || owner === deb || replaces(deb, owner)) return true;
		if (replaces(owner, deb)) return false;
		throw imageError('IMAGE_FILE_CLAIMED_TWICE', {path: `/${path}`, packages: [nameOf(owner), nameOf(deb)]});
	}
}

const nameOf = ({control}: DebFile): string => control.field('Package') ?? '';

function replaces(deb: DebFile, other: DebFile): boolean {
	const relations = parseRelations(deb.control.field('Replaces'), (what) => deb.damaged(what)).flat();
	return relations.some((each) => each.name === nameOf(other) && isMet(each, other.control.field('Version')));
}
