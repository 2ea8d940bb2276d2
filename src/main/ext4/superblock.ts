/** The superblock and the descriptors of the groups (ext4, "Super Block", "Block Group Descriptors"). */

import {blockBytes, blocksPerGroup, descriptorBytes, type Geometry, type Group, inodeBytes} from './geometry.ts';

/** Of a file system what its files do not tell. */
export interface Ext4Identity {
	/** 16 bytes in hexadecimal, with dashes anywhere. */
	readonly uuid: string;
	/** 16 bytes at most. */
	readonly label: string;
	/** When it was made, in seconds since 1970. */
	readonly time: number;
}

/** How full a group is. */
export interface GroupUse {
	readonly freeBlocks: number;
	readonly freeInodes: number;
	readonly directories: number;
}

/** Files may have extended attributes. */
const compatible = 0x0008;
/** Entries of directories tell types; files have extents. */
const incompatible = 0x0002 | 0x0040;
/** sparse_super, large_file, dir_nlink, extra_isize. */
const readOnlyCompatible = 0x0001 | 0x0002 | 0x0020 | 0x0040;

/** Inodes below this have a fixed meaning. */
export const firstInode = 11;
const magic = 0xef53;
const superblockBytes = 1024;
/** Room for times behind an inode's first 128 bytes. */
const extraInodeBytes = 32;

/** Makes the superblock, of which the copy in a group tells its number. */
export function encodeSuperblock(
	{blocks, inodesPerGroup, groups}: Geometry,
	uses: readonly GroupUse[],
	{uuid, label, time}: Ext4Identity,
	group: number,
): Buffer {
	const bytes = Buffer.alloc(superblockBytes);
	const sum = (count: (use: GroupUse) => number) => uses.reduce((total, use) => total + count(use), 0);
	const id = Buffer.from(uuid.replaceAll('-', ''), 'hex');
	const words: readonly (readonly [at: number, value: number])[] = [
		[0x00, inodesPerGroup * groups.length],
		[0x04, blocks],
		[0x0c, sum(({freeBlocks}) => freeBlocks)],
		[0x10, sum(({freeInodes}) => freeInodes)],
		// Blocks and clusters of 1024 << 2 bytes.
		[0x18, 2],
		[0x1c, 2],
		[0x20, blocksPerGroup],
		[0x24, blocksPerGroup],
		[0x28, inodesPerGroup],
		[0x30, time],
		[0x40, time],
		// Its inodes may have any size (revision 1).
		[0x4c, 1],
		[0x54, firstInode],
		[0x5c, compatible],
		[0x60, incompatible],
		[0x64, readOnlyCompatible],
		[0x108, time],
		// Hashes of names take characters as signed.
		[0x160, 1],
	];
	const halves: readonly (readonly [at: number, value: number])[] = [
		// Any number of mounts without a check.
		[0x36, 0xffff],
		[0x38, magic],
		// It is clean, and goes on after errors.
		[0x3a, 1],
		[0x3c, 1],
		[0x58, inodeBytes],
		[0x5a, group],
		[0x15c, extraInodeBytes],
		[0x15e, extraInodeBytes],
	];
	for (const [at, value] of words) bytes.writeUInt32LE(value, at);
	for (const [at, value] of halves) bytes.writeUInt16LE(value, at);
	id.copy(bytes, 0x68, 0, 16);
	bytes.write(label, 0x78, 16);
	// The seed of the hashes, which are half MD4.
	id.copy(bytes, 0xec, 0, 16);
	bytes.writeUInt8(1, 0xfc);
	return bytes;
}

/** Makes the descriptors of all groups, in whole blocks. */
export function encodeDescriptors(groups: readonly Group[], uses: readonly GroupUse[]): Buffer {
	const bytes = Buffer.alloc(Math.ceil((groups.length * descriptorBytes) / blockBytes) * blockBytes);
	for (const [index, {blockBitmap, inodeBitmap, inodeTable}] of groups.entries()) {
		const {freeBlocks = 0, freeInodes = 0, directories = 0} = uses[index] ?? {};
		const at = index * descriptorBytes;
		bytes.writeUInt32LE(blockBitmap, at);
		bytes.writeUInt32LE(inodeBitmap, at + 4);
		bytes.writeUInt32LE(inodeTable, at + 8);
		bytes.writeUInt16LE(freeBlocks, at + 12);
		bytes.writeUInt16LE(freeInodes, at + 14);
		bytes.writeUInt16LE(directories, at + 16);
	}
	return bytes;
}

/** A bitmap of one block whose first bits are set, and all those behind its last one. */
export function encodeBitmap(used: number, length: number): Buffer {
	const bytes = Buffer.alloc(blockBytes);
	for (let bit = 0; bit < used; bit++) bytes[bit >> 3] = (bytes[bit >> 3] as number) | (1 << (bit & 7));
	for (let bit = length; bit < blockBytes * 8; bit++) bytes[bit >> 3] = (bytes[bit >> 3] as number) | (1 << (bit & 7));
	return bytes;
}
