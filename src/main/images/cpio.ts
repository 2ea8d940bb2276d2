/** Writes the "newc" archive that Linux unpacks as its initial file system (kernel: Documentation/driver-api/early-userspace/buffer-format.rst). */

import type {FileTree, TreeNode} from '#main/file-tree';
import {imageError} from './errors.ts';

const magic = '070701';
const trailer = 'TRAILER!!!';
const alignment = 4;
/** Fields have 32 bits. */
const maxField = 2 ** 32 - 1;

const types = {
	fifo: 0o010000,
	character: 0o020000,
	directory: 0o040000,
	block: 0o060000,
	file: 0o100000,
	link: 0o120000,
} as const;

/**
 * Packs a tree, piece by piece. The same tree gives the same bytes.
 * @throws VmmError IMAGE_FILE_TOO_LARGE
 */
export async function* packCpio(tree: FileTree): AsyncGenerator<Uint8Array, void> {
	const names = new Map<TreeNode, number>();
	for (const [, node] of tree.walk()) names.set(node, (names.get(node) ?? 0) + 1);
	const numbers = new Map<TreeNode, number>();
	for (const [path, node] of tree.walk()) {
		const known = numbers.get(node);
		const inode = known ?? numbers.size + 1;
		numbers.set(node, inode);
		// Linux takes the bytes of a file with several names from any of its members that has them.
		yield* member(path, node, {inode, links: names.get(node) as number, hasContent: known === undefined});
	}
	yield header(trailer, {inode: 0, mode: 0, links: 1, length: 0});
}

interface Place {
	readonly inode: number;
	readonly links: number;
	readonly hasContent: boolean;
}

async function* member(
	path: string,
	node: TreeNode,
	{inode, links, hasContent}: Place,
): AsyncGenerator<Uint8Array, void> {
	const {permissions, user, group, modified} = node;
	const fields = {inode, mode: types[node.kind] | permissions, user, group, links, modified};
	if (node.kind === 'file' && hasContent) {
		const {length} = node.content;
		if (length > maxField) throw imageError('IMAGE_FILE_TOO_LARGE', {path, bytes: length});
		yield header(path, {...fields, length});
		yield* node.content.pieces();
		yield padding(length);
	} else if (node.kind === 'link') {
		const target = Buffer.from(node.target);
		yield header(path, {...fields, length: target.length});
		yield target;
		yield padding(target.length);
	} else {
		const {major = 0, minor = 0} = 'major' in node ? node : {};
		yield header(path, {...fields, length: 0, major, minor});
	}
}

interface Fields {
	readonly inode: number;
	readonly mode: number;
	readonly user?: number;
	readonly group?: number;
	readonly links: number;
	readonly modified?: number;
	readonly length: number;
	readonly major?: number;
	readonly minor?: number;
}

function header(path: string, fields: Fields): Uint8Array {
	const {inode, mode, user = 0, group = 0, links, modified = 0, length, major = 0, minor = 0} = fields;
	const name = Buffer.from(`${path}\0`);
	const time = Math.min(Math.max(modified, 0), maxField);
	const values = [inode, mode, user, group, links, time, length, 0, 0, major, minor, name.length, 0];
	const text = Buffer.from(magic + values.map((value) => value.toString(16).padStart(8, '0')).join(''));
	return Buffer.concat([text, name, padding(text.length + name.length)]);
}

const padding = (length: number): Uint8Array => new Uint8Array(-length & (alignment - 1));
