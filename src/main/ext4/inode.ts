/** An inode as it is in its table (ext4, "Inodes"), and how a file's blocks are found from it ("Extent Tree"). */

import type {Attributes} from '#main/file-tree';
import type {Extent} from './allocator.ts';
import {blockBytes, inodeBytes} from './geometry.ts';
import {inodeXattrs} from './xattrs.ts';

/** Types of files: the upper bits of an inode's mode, and the number that a directory's entry has. */
export const fileTypes = {
	fifo: {mode: 0x1000, entry: 5},
	character: {mode: 0x2000, entry: 3},
	directory: {mode: 0x4000, entry: 2},
	block: {mode: 0x6000, entry: 4},
	file: {mode: 0x8000, entry: 1},
	link: {mode: 0xa000, entry: 7},
} as const;

/** EXTENTS_FL: the inode has a tree of extents. */
const usesExtents = 0x80000;
/** Bytes behind the first 128 that are in use: to the end of the time of creation. */
const extraBytes = 32;
/** A count of links that does not tell how many there are (dir_nlink). */
const uncountedLinks = 1;
const maxDirectoryLinks = 64_999;

/** Most bytes of a symbolic link that are in its inode, where extents are otherwise. */
export const maxInlineLink = 59;

/** What an inode is made of. */
export interface Inode {
	readonly kind: keyof typeof fileTypes;
	readonly attributes: Attributes;
	readonly links: number;
	readonly size: number;
	/** Blocks that it has, those of its extents' tree among them. */
	readonly blocks: number;
	/** 60 bytes at most: the root of its extents, a short link's target, or a device's numbers. */
	readonly block: Uint8Array;
	readonly hasExtents: boolean;
	/** Block of its extended attributes; without it they are in the inode. */
	readonly xattrBlock?: number | undefined;
}

/** The bytes of an inode. */
export function encodeInode(inode: Inode): Buffer {
	const {kind, attributes, links, size, blocks, block, hasExtents, xattrBlock} = inode;
	const {permissions, user, group, modified, xattrs} = attributes;
	const bytes = Buffer.alloc(inodeBytes);
	const sectors = (blocks * blockBytes) / 512;
	bytes.writeUInt16LE(fileTypes[kind].mode | permissions, 0x00);
	bytes.writeUInt16LE(user & 0xffff, 0x02);
	bytes.writeUInt32LE(size % 2 ** 32, 0x04);
	for (const [time, extra] of [
		[0x08, 0x8c],
		[0x0c, 0x84],
		[0x10, 0x88],
		[0x90, 0x94],
	] as const)
		writeTime(bytes, modified, time, extra);
	bytes.writeUInt16LE(group & 0xffff, 0x18);
	bytes.writeUInt16LE(kind === 'directory' && links > maxDirectoryLinks ? uncountedLinks : links, 0x1a);
	bytes.writeUInt32LE(sectors % 2 ** 32, 0x1c);
	bytes.writeUInt32LE(hasExtents ? usesExtents : 0, 0x20);
	bytes.set(block, 0x28);
	bytes.writeUInt32LE(Math.floor(size / 2 ** 32), 0x6c);
	bytes.writeUInt16LE(Math.floor(sectors / 2 ** 32), 0x74);
	bytes.writeUInt16LE(user >>> 16, 0x78);
	bytes.writeUInt16LE(group >>> 16, 0x7a);
	bytes.writeUInt16LE(extraBytes, 0x80);
	if (xattrBlock !== undefined) {
		bytes.writeUInt32LE(xattrBlock % 2 ** 32, 0x68);
		bytes.writeUInt16LE(Math.floor(xattrBlock / 2 ** 32), 0x76);
	} else if (xattrs !== undefined) inodeXattrs(xattrs, xattrRoom)?.copy(bytes, inodeBytes - xattrRoom);
	return bytes;
}

/** Bytes for extended attributes behind the times, to the end of the inode. */
export const xattrRoom: number = inodeBytes - 128 - extraBytes;

/** Seconds have 32 bits with a sign, and two more that count what is beyond. */
function writeTime(bytes: Buffer, seconds: number, at: number, extraAt: number): void {
	const within = Math.min(Math.max(seconds, -(2 ** 31)), 2 ** 34 - 2 ** 31 - 1);
	const low = within | 0;
	bytes.writeInt32LE(low, at);
	bytes.writeUInt32LE((within - low) / 2 ** 32, extraAt);
}

/** A device's numbers as they are in an inode (Linux, `new_encode_dev`; small numbers are in the first word). */
export function deviceBlock(major: number, minor: number): Buffer {
	const block = Buffer.alloc(8);
	if (major < 256 && minor < 256) block.writeUInt32LE((major << 8) | minor, 0);
	else block.writeUInt32LE(((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0, 4);
	return block;
}

const extentMagic = 0xf30a;
const extentEntryBytes = 12;
const rootEntries = 4;
const blockEntries = blockBytes / extentEntryBytes - 1;
/** Longest extent of written blocks. */
const maxExtentBlocks = 2 ** 15;

/** Most extents that a tree of two levels has. */
export const maxExtents: number = rootEntries * Math.floor(blockEntries);

/**
 * Makes the tree of extents: its root is in the inode, and of what does not fit there, leaves are in blocks of their own.
 * @param takeBlock - gives the number of a block for a leaf
 */
export function extentTree(extents: readonly Extent[], takeBlock: () => number) {
	const entries = entriesOf(extents);
	if (entries.length <= rootEntries) return {root: node(entries, rootEntries, 0), leaves: []};
	const leaves: {block: number; bytes: Buffer; first: number}[] = [];
	const most = Math.floor(blockEntries);
	for (let at = 0; at < entries.length; at += most) {
		const part = entries.slice(at, at + most);
		const bytes = Buffer.alloc(blockBytes);
		node(part, most, 0).copy(bytes);
		leaves.push({block: takeBlock(), bytes, first: (part[0] as Buffer).readUInt32LE(0)});
	}
	const index = leaves.map(({block, first}) => {
		const entry = Buffer.alloc(extentEntryBytes);
		entry.writeUInt32LE(first, 0);
		entry.writeUInt32LE(block, 4);
		return entry;
	});
	return {root: node(index, rootEntries, 1), leaves};
}

function entriesOf(extents: readonly Extent[]): Buffer[] {
	let logical = 0;
	return extents.flatMap(({start, length}) => {
		const entries: Buffer[] = [];
		for (let at = 0; at < length; at += maxExtentBlocks) {
			const part = Math.min(maxExtentBlocks, length - at);
			const entry = Buffer.alloc(extentEntryBytes);
			entry.writeUInt32LE(logical, 0);
			entry.writeUInt16LE(part, 4);
			entry.writeUInt32LE(start + at, 8);
			entries.push(entry);
			logical += part;
		}
		return entries;
	});
}

function node(entries: readonly Buffer[], most: number, depth: number): Buffer {
	const header = Buffer.alloc(extentEntryBytes);
	header.writeUInt16LE(extentMagic, 0);
	header.writeUInt16LE(entries.length, 2);
	header.writeUInt16LE(most, 4);
	header.writeUInt16LE(depth, 6);
	return Buffer.concat([header, ...entries]);
}
