/** Where things are in a file system: groups of blocks, each with its bitmaps and its part of the inodes (ext4, "Layout"). */

import {ext4Error} from './errors.ts';

export const blockBytes = 4096;
export const inodeBytes = 256;
/** A bitmap is one block. */
export const blocksPerGroup: number = blockBytes * 8;
export const descriptorBytes = 32;
/** Numbers of blocks have 32 bits. */
const maxBytes = 2 ** 32 * blockBytes;
const minBytes = 2 ** 20;
/** Inodes that are there for files to come, one for so many bytes (as mke2fs has it). */
const bytesPerInode = 2 ** 14;
const inodesPerBlock = blockBytes / inodeBytes;
/** What the last group has to have beyond what it needs itself. */
const minLastGroup = 64;

/** A group: its first block, what of it is its own, and where that is. */
export interface Group {
	readonly start: number;
	/** Blocks it has. */
	readonly length: number;
	/** True when it begins with a copy of the superblock and of all descriptors. */
	readonly hasCopy: boolean;
	readonly blockBitmap: number;
	readonly inodeBitmap: number;
	readonly inodeTable: number;
	/** Its first block for data. */
	readonly data: number;
}

/** The layout of a file system. */
export interface Geometry {
	readonly blocks: number;
	readonly inodesPerGroup: number;
	readonly groups: readonly Group[];
}

/** @throws VmmError EXT4_SIZE_INVALID, EXT4_TOO_SMALL when it cannot have so many inodes */
export function planGeometry(sizeBytes: number, inodes: number): Geometry {
	if (sizeBytes % blockBytes !== 0 || sizeBytes < minBytes || sizeBytes > maxBytes)
		throw ext4Error('EXT4_SIZE_INVALID', {sizeBytes, least: minBytes, most: maxBytes});
	const blocks = sizeBytes / blockBytes;
	const count = Math.ceil(blocks / blocksPerGroup);
	const wanted = Math.max(inodes, Math.floor(sizeBytes / bytesPerInode));
	const inodesPerGroup = Math.ceil(wanted / count / inodesPerBlock) * inodesPerBlock;
	const tableBlocks = inodesPerGroup / inodesPerBlock;
	const descriptorBlocks = Math.ceil((count * descriptorBytes) / blockBytes);
	// A bitmap of inodes is one block, too, and beside its table a group has room for data.
	if (inodesPerGroup > blocksPerGroup || tableBlocks > Math.min(blocks, blocksPerGroup) / 2)
		throw ext4Error('EXT4_TOO_SMALL', {sizeBytes, what: `${inodes} files`, needed: inodes * inodeBytes * 2});
	const groups = Array.from({length: count}, (_, index): Group => {
		const start = index * blocksPerGroup;
		const hasCopy = hasSuperblock(index);
		const blockBitmap = start + (hasCopy ? 1 + descriptorBlocks : 0);
		return {
			start,
			length: Math.min(blocksPerGroup, blocks - start),
			hasCopy,
			blockBitmap,
			inodeBitmap: blockBitmap + 1,
			inodeTable: blockBitmap + 2,
			data: blockBitmap + 2 + tableBlocks,
		};
	});
	const last = groups.at(-1) as Group;
	// A rest that is too short for a group is left over.
	if (last.start > 0 && last.data - last.start + minLastGroup > last.length)
		return planGeometry(last.start * blockBytes, inodes);
	return {blocks, inodesPerGroup, groups};
}

/** Group 0 and those whose number is a power of 3, 5 or 7 have copies (sparse_super). */
function hasSuperblock(index: number): boolean {
	if (index <= 1) return true;
	return [3, 5, 7].some((base) => {
		let power = base;
		while (power < index) power *= base;
		return power === index;
	});
}
