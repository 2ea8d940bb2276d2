import {
	type Attributes,
	bytesContent,
	type Content,
	type Directory,
	type FileTree,
	sortedEntries,
	type TreeNode,
} from '#main/file-tree';
import {Allocator, type Extent} from './allocator.ts';
import {type DirectoryEntry, encodeDirectory} from './directory.ts';
import {ext4Error} from './errors.ts';
import {blockBytes, type Geometry, inodeBytes, planGeometry} from './geometry.ts';
import {deviceBlock, encodeInode, extentTree, type Inode, maxExtents, maxInlineLink, xattrRoom} from './inode.ts';
import {
	type Ext4Identity,
	encodeBitmap,
	encodeDescriptors,
	encodeSuperblock,
	firstInode,
	type GroupUse,
} from './superblock.ts';
import {blockXattrs, inodeXattrs} from './xattrs.ts';

/** A file of the host. What is never written reads as zeros. */
export interface ImageFile {
	write(bytes: Uint8Array, at: number): Promise<void>;
}

/** What the file system is to be, beside its files. */
export interface Ext4Options extends Ext4Identity {
	readonly sizeBytes: number;
}

const rootInode = 2;
/** e2fsck puts what it finds there, and needs its blocks before. */
const lostAndFound = {name: 'lost+found', inode: firstInode, blocks: 4} as const;
/** A count of 16 bits; of directories the count may be left open. */
const maxLinks = 65_000;

/**
 * Writes an ext4 file system without a journal, which holds the tree. The same tree and options give the same bytes.
 * @throws VmmError EXT4_SIZE_INVALID, EXT4_TOO_SMALL, EXT4_FILE_INVALID
 */
export async function writeExt4(file: ImageFile, tree: FileTree, options: Ext4Options): Promise<void> {
	const numbers = numberInodes(tree);
	const geometry = planGeometry(options.sizeBytes, firstInode + numbers.size);
	await new Ext4Writer(file, numbers, geometry).write(tree, options);
}

/** An inode's number, that of the folder which it is in first, and how many names it has. */
interface Numbered {
	readonly number: number;
	readonly parent: number;
	readonly path: string;
	names: number;
}

function numberInodes(tree: FileTree): Map<TreeNode, Numbered> {
	const found = new Map<TreeNode, Numbered>([[tree.root, {number: rootInode, parent: rootInode, path: '', names: 1}]]);
	const folders = new Map([['', rootInode]]);
	for (const [path, node] of tree.walk()) {
		const known = found.get(node);
		if (known !== undefined) {
			known.names++;
			continue;
		}
		const number = firstInode + found.size;
		const parent = folders.get(path.slice(0, Math.max(path.lastIndexOf('/'), 0))) as number;
		if (node.kind === 'directory') folders.set(path, number);
		found.set(node, {number, parent, path, names: 1});
	}
	return found;
}

class Ext4Writer {
	readonly #file: ImageFile;
	readonly #numbers: ReadonlyMap<TreeNode, Numbered>;
	readonly #geometry: Geometry;
	readonly #blocks: Allocator;
	/** Inodes of the groups that have any. */
	readonly #tables = new Map<number, Buffer>();
	readonly #directories = new Map<number, number>();

	constructor(file: ImageFile, numbers: ReadonlyMap<TreeNode, Numbered>, geometry: Geometry) {
		this.#file = file;
		this.#numbers = numbers;
		this.#geometry = geometry;
		this.#blocks = new Allocator(geometry);
	}

	async write(tree: FileTree, identity: Ext4Identity): Promise<void> {
		await this.#writeLostAndFound(tree);
		for (const [node, numbered] of this.#numbers) await this.#writeNode(node, numbered);
		await this.#writeGroups(identity);
	}

	async #writeLostAndFound(tree: FileTree): Promise<void> {
		const {inode, blocks, name} = lostAndFound;
		if (tree.root.entries.has(name))
			throw ext4Error('EXT4_FILE_INVALID', {path: name, what: 'the file system has its own'});
		const entries = [
			{name: '.', inode, kind: 'directory'},
			{name: '..', inode: rootInode, kind: 'directory'},
		] as const;
		const data = encodeDirectory(entries, blocks);
		const body = await this.#writeBytes(data);
		this.#setInode(inode, {
			kind: 'directory',
			attributes: tree.attributes(0o700),
			links: 2,
			size: data.length,
			...body,
		});
	}

	async #writeNode(node: TreeNode, {number, parent, path, names}: Numbered): Promise<void> {
		if (names > maxLinks) throw ext4Error('EXT4_FILE_INVALID', {path, what: `it has ${names} names`});
		const inode = {kind: node.kind, attributes: node, links: names, xattrBlock: await this.#writeXattrs(path, node)};
		switch (node.kind) {
			case 'directory': {
				const folders = [...node.entries.values()].filter(({kind}) => kind === 'directory').length;
				const data = encodeDirectory(this.#entriesOf(node, number, parent));
				const links = 2 + folders + (number === rootInode ? 1 : 0);
				return this.#setInode(number, {...inode, links, size: data.length, ...(await this.#writeBytes(data))});
			}
			case 'file': {
				const {content} = node;
				const body = await this.#writeContent(path, content);
				return this.#setInode(number, {...inode, size: content.length, ...body});
			}
			case 'link': {
				const target = Buffer.from(node.target);
				const body = target.length <= maxInlineLink ? inline(target) : await this.#writeBytes(target);
				return this.#setInode(number, {...inode, size: target.length, ...body});
			}
			case 'character':
			case 'block':
				return this.#setInode(number, {...inode, size: 0, ...inline(deviceBlock(node.major, node.minor))});
			case 'fifo':
				return this.#setInode(number, {...inode, size: 0, ...inline(Buffer.alloc(0))});
		}
	}

	/** Gives extended attributes that have no room in their inode a block. @returns its number */
	async #writeXattrs(path: string, {xattrs}: Attributes): Promise<number | undefined> {
		if (xattrs === undefined || inodeXattrs(xattrs, xattrRoom) !== undefined) return undefined;
		const bytes = blockXattrs(xattrs);
		if (bytes === undefined)
			throw ext4Error('EXT4_FILE_INVALID', {path, what: 'its extended attributes have more than a block'});
		const [{start}] = this.#blocks.take(1) as [Extent];
		await this.#file.write(bytes, start * blockBytes);
		return start;
	}

	#entriesOf(folder: Directory, inode: number, parent: number): DirectoryEntry[] {
		const own = [
			{name: '.', inode, kind: 'directory'},
			{name: '..', inode: parent, kind: 'directory'},
		] as const;
		const found = inode === rootInode ? [{...lostAndFound, kind: 'directory'} as const] : [];
		const entries = sortedEntries(folder).map(([name, node]) => {
			return {name, inode: (this.#numbers.get(node) as Numbered).number, kind: node.kind};
		});
		return [...own, ...found, ...entries];
	}

	#writeBytes(bytes: Uint8Array): Promise<Body> {
		return this.#writeContent('', bytesContent(bytes));
	}

	async #writeContent(path: string, {length, pieces}: Content): Promise<Body> {
		const extents = this.#blocks.take(Math.ceil(length / blockBytes));
		if (extents.length > maxExtents) throw ext4Error('EXT4_FILE_INVALID', {path, what: `it has ${length} bytes`});
		const places = extents.values();
		let {value: place} = places.next();
		/** Bytes of the place that are written. */
		let used = 0;
		for await (const piece of pieces()) {
			for (let at = 0; at < piece.length; ) {
				if (place !== undefined && used === place.length * blockBytes) {
					place = places.next().value;
					used = 0;
				}
				if (place === undefined) throw new Error(`${path} has more bytes than it told`);
				const part = piece.subarray(at, at + place.length * blockBytes - used);
				await this.#file.write(part, place.start * blockBytes + used);
				used += part.length;
				at += part.length;
			}
		}
		const tree = extentTree(extents, () => (this.#blocks.take(1)[0] as Extent).start);
		for (const {block, bytes} of tree.leaves) await this.#file.write(bytes, block * blockBytes);
		const blocks = Math.ceil(length / blockBytes) + tree.leaves.length;
		return {blocks, block: tree.root, hasExtents: true};
	}

	#setInode(number: number, inode: Inode): void {
		const {inodesPerGroup} = this.#geometry;
		const group = Math.floor((number - 1) / inodesPerGroup);
		const index = (number - 1) % inodesPerGroup;
		const table = this.#tables.get(group) ?? Buffer.alloc(inodesPerGroup * inodeBytes);
		this.#tables.set(group, table);
		const {xattrBlock} = inode;
		const counted = xattrBlock === undefined ? inode : {...inode, blocks: inode.blocks + 1};
		encodeInode(counted).copy(table, index * inodeBytes);
		if (inode.kind === 'directory') this.#directories.set(group, (this.#directories.get(group) ?? 0) + 1);
	}

	/** Writes what says which blocks and inodes are in use: it is known when all else is written. */
	async #writeGroups(identity: Ext4Identity): Promise<void> {
		const {groups, inodesPerGroup} = this.#geometry;
		// Inodes below the first are in use, and lost+found is none of the tree's.
		const usedInodes = firstInode + this.#numbers.size - 1;
		const inodesIn = (index: number) => Math.min(Math.max(usedInodes - index * inodesPerGroup, 0), inodesPerGroup);
		const uses = groups.map((group, index): GroupUse => {
			return {
				freeBlocks: group.length - this.#blocks.used(index),
				freeInodes: inodesPerGroup - inodesIn(index),
				directories: this.#directories.get(index) ?? 0,
			};
		});
		const descriptors = encodeDescriptors(groups, uses);
		for (const [index, group] of groups.entries()) {
			if (group.hasCopy) {
				// In the first block, 1024 bytes before the superblock are for whoever boots.
				const superblock = encodeSuperblock(this.#geometry, uses, identity, index);
				await this.#file.write(superblock, group.start * blockBytes + (index === 0 ? 1024 : 0));
				await this.#file.write(descriptors, (group.start + 1) * blockBytes);
			}
			await this.#file.write(encodeBitmap(this.#blocks.used(index), group.length), group.blockBitmap * blockBytes);
			await this.#file.write(encodeBitmap(inodesIn(index), inodesPerGroup), group.inodeBitmap * blockBytes);
			const table = this.#tables.get(index)?.subarray(0, inodesIn(index) * inodeBytes);
			if (table !== undefined) await this.#file.write(table, group.inodeTable * blockBytes);
		}
	}
}

/** Of an inode what tells where its bytes are. */
type Body = Pick<Inode, 'blocks' | 'block' | 'hasExtents'>;

const inline = (block: Uint8Array): Body => ({blocks: 0, block, hasExtents: false});
