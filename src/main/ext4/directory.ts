/** A directory's blocks: entries in a row, none of which crosses a block (ext4, "Linear (Classic) Directories"). */

import {blockBytes} from './geometry.ts';
import {fileTypes} from './inode.ts';

/** A name in a directory. */
export interface DirectoryEntry {
	readonly name: string;
	readonly inode: number;
	readonly kind: keyof typeof fileTypes;
}

const headerBytes = 8;

/** @param least - blocks that it has at least, for names to come */
export function encodeDirectory(entries: readonly DirectoryEntry[], least = 1): Buffer {
	const blocks: Buffer[][] = [[]];
	let used = 0;
	for (const entry of entries) {
		const bytes = encodeEntry(entry);
		if (used + bytes.length > blockBytes) {
			blocks.push([]);
			used = 0;
		}
		blocks.at(-1)?.push(bytes);
		used += bytes.length;
	}
	while (blocks.length < least) blocks.push([unused()]);
	return Buffer.concat(blocks.map(filledBlock));
}

function encodeEntry({name, inode, kind}: DirectoryEntry): Buffer {
	const text = Buffer.from(name);
	const bytes = Buffer.alloc(Math.ceil((headerBytes + text.length) / 4) * 4);
	bytes.writeUInt32LE(inode, 0);
	bytes.writeUInt16LE(bytes.length, 4);
	bytes.writeUInt8(text.length, 6);
	bytes.writeUInt8(fileTypes[kind].entry, 7);
	text.copy(bytes, headerBytes);
	return bytes;
}

/** An entry of no file. */
function unused(): Buffer {
	const bytes = Buffer.alloc(headerBytes);
	bytes.writeUInt16LE(headerBytes, 4);
	return bytes;
}

/** The last entry of a block has the rest of it. */
function filledBlock(entries: readonly Buffer[]): Buffer {
	const used = entries.reduce((sum, {length}) => sum + length, 0);
	const last = entries.at(-1);
	last?.writeUInt16LE(last.length + blockBytes - used, 4);
	return Buffer.concat(entries, blockBytes);
}
