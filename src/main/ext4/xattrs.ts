/** Extended attributes as they are in an inode and in a block of their own (ext4, "Extended Attributes"). */

import type {Xattrs} from '#main/file-tree';
import {blockBytes} from './geometry.ts';

const magic = 0xea02_0000;
/** Numbers that stand for what names begin with. */
const prefixes: readonly (readonly [prefix: string, index: number])[] = [
	['user.', 1],
	['trusted.', 4],
	['security.', 6],
];
/** Header of a block: magic, users, blocks, hash and checksum. */
const blockHeaderBytes = 32;
const entryBytes = 16;
/** Zeros behind the last entry. */
const endBytes = 4;

interface Entry {
	readonly index: number;
	readonly name: Buffer;
	readonly value: Uint8Array;
}

/** What goes behind an inode's times, where it fits into so many bytes; undefined where it does not. */
export function inodeXattrs(xattrs: Xattrs, room: number): Buffer | undefined {
	const bytes = Buffer.alloc(room);
	bytes.writeUInt32LE(magic, 0);
	// Places of values count from the first entry, and their hashes may be left out.
	return place(bytes, entriesOf(xattrs), {from: magicBytes, origin: magicBytes, hashes: false}) ? bytes : undefined;
}
const magicBytes = 4;

/** A block of them; undefined for more than there is room for. */
export function blockXattrs(xattrs: Xattrs): Buffer | undefined {
	const bytes = Buffer.alloc(blockBytes);
	bytes.writeUInt32LE(magic, 0);
	bytes.writeUInt32LE(1, 4);
	bytes.writeUInt32LE(1, 8);
	const entries = entriesOf(xattrs);
	if (!place(bytes, entries, {from: blockHeaderBytes, origin: 0, hashes: true})) return undefined;
	const hash = entries.reduce((sum, entry) => (rotated(sum, 16) ^ hashOf(entry)) >>> 0, 0);
	bytes.writeUInt32LE(entries.some((entry) => hashOf(entry) === 0) ? 0 : hash, 12);
	return bytes;
}

/** In the order in which the kernel looks for them in a block: by number, length and bytes of the name. */
function entriesOf(xattrs: Xattrs): Entry[] {
	const entries = [...xattrs].flatMap(([name, value]): Entry[] => {
		const [prefix, index] = prefixes.find(([each]) => name.startsWith(each)) ?? [];
		if (prefix === undefined || index === undefined) return [];
		return [{index, name: Buffer.from(name.slice(prefix.length)), value}];
	});
	return entries.sort((a, b) => a.index - b.index || a.name.length - b.name.length || Buffer.compare(a.name, b.name));
}

/** Entries from the front, values from the end, each at a multiple of 4. @returns false where they meet */
function place(
	bytes: Buffer,
	entries: readonly Entry[],
	{from, origin, hashes}: {readonly from: number; readonly origin: number; readonly hashes: boolean},
): boolean {
	let [at, end] = [from, bytes.length];
	for (const entry of entries) {
		const {index, name, value} = entry;
		const next = at + entryBytes + padded(name.length);
		const start = end - padded(value.length);
		if (name.length > 255 || next + endBytes > start) return false;
		bytes.writeUInt8(name.length, at);
		bytes.writeUInt8(index, at + 1);
		bytes.writeUInt16LE(value.length === 0 ? 0 : start - origin, at + 2);
		bytes.writeUInt32LE(value.length, at + 8);
		if (hashes) bytes.writeUInt32LE(hashOf(entry), at + 12);
		bytes.set(name, at + entryBytes);
		bytes.set(value, start);
		[at, end] = [next, start];
	}
	return true;
}

const padded = (length: number): number => Math.ceil(length / 4) * 4;
const rotated = (value: number, by: number): number => ((value << by) | (value >>> (32 - by))) >>> 0;

/** By which the kernel finds blocks that are the same: over the name's bytes, and over the value in words. */
function hashOf({name, value}: Entry): number {
	let hash = 0;
	for (const byte of name) hash = (rotated(hash, 5) ^ byte) >>> 0;
	const words = Buffer.alloc(padded(value.length));
	words.set(value);
	for (let at = 0; at < words.length; at += 4) hash = (rotated(hash, 16) ^ words.readUInt32LE(at)) >>> 0;
	return hash;
}
