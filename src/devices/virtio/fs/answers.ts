import type {Attributes, Entry, FileTime} from '#devices/folder';
import {type Attr, AttrOut, EntryOut, StatxMask, StatxOut} from './layout.ts';

/** Seconds that a client may take what it is told for true. */
export interface Validity {
	readonly seconds: number;
}

type AttrInput = Parameters<typeof Attr.encode>[0];

function attrOf(attributes: Attributes): AttrInput {
	const {accessed, modified, changed} = attributes;
	return {
		ino: attributes.inode,
		size: attributes.size,
		blocks: attributes.blocks,
		atime: BigInt(accessed.seconds),
		mtime: BigInt(modified.seconds),
		ctime: BigInt(changed.seconds),
		atimensec: accessed.nanoseconds,
		mtimensec: modified.nanoseconds,
		ctimensec: changed.nanoseconds,
		mode: attributes.mode,
		nlink: attributes.links,
		uid: attributes.uid,
		gid: attributes.gid,
		rdev: attributes.device,
		blksize: attributes.blockBytes,
	};
}

/** Numbers of nodes are never used again, so that there is one generation. */
export const entryAnswer = ({node, attributes}: Entry, {seconds}: Validity): Uint8Array =>
	EntryOut.encode({nodeid: node, entry_valid: seconds, attr_valid: seconds, attr: attrOf(attributes)});

/** There is no such name, which a client may take for true as long as what is there (a node of 0 in fuse_lookup of Linux's fs/fuse/dir.c). */
export const noEntryAnswer = ({seconds}: Validity): Uint8Array => EntryOut.encode({nodeid: 0, entry_valid: seconds});

export const attributesAnswer = (attributes: Attributes, {seconds}: Validity): Uint8Array =>
	AttrOut.encode({attr_valid: seconds, attr: attrOf(attributes)});

const sxTime = ({seconds, nanoseconds}: FileTime) => ({tv_sec: BigInt(seconds), tv_nsec: nanoseconds});

export function statxAnswer(attributes: Attributes, {seconds}: Validity): Uint8Array {
	const {device, born} = attributes;
	return StatxOut.encode({
		attr_valid: seconds,
		mask: StatxMask.BASIC | (born === undefined ? 0 : StatxMask.BTIME),
		blksize: attributes.blockBytes,
		nlink: attributes.links,
		uid: attributes.uid,
		gid: attributes.gid,
		mode: attributes.mode,
		ino: attributes.inode,
		size: attributes.size,
		blocks: attributes.blocks,
		atime: sxTime(attributes.accessed),
		ctime: sxTime(attributes.changed),
		mtime: sxTime(attributes.modified),
		...(born && {btime: sxTime(born)}),
		rdev_major: (device >>> 8) & 0xfff,
		rdev_minor: (device & 0xff) | ((device >>> 12) & 0xfff00),
	});
}
