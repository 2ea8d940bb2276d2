import {
	type AttributeChanges,
	type Attributes,
	type FileTime,
	FileType,
	permissionBits,
	type Refused,
} from '#devices/folder';
import {Errno} from '#support/ffi';
import type {InputOf} from '#support/wire';
import {type FieldsOf, type GivenTo, type Qid, QidType, type Reply, type Request} from './messages.ts';

/** Attributes that a reply has (`P9_GETATTR_*` in Linux's include/net/9p/9p.h): those of stat(2), and the time when the file was made. */
const [basicAttributes, bornAttribute] = [0x7ffn, 0x800n];

/** What a request changes (`P9_ATTR_*`, there). A time without its SET is the host's own. */
const Change = {
	MODE: 0x1,
	USER: 0x2,
	GROUP: 0x4,
	SIZE: 0x8,
	ACCESSED: 0x10,
	MODIFIED: 0x20,
	CHANGED: 0x40,
	ACCESSED_SET: 0x80,
	MODIFIED_SET: 0x100,
} as const;
const knownChanges = Object.values(Change).reduce<number>((all, bit) => all | bit, 0);

const mostNanoseconds = 999_999_999;

export const typeOf = ({mode}: Pick<Attributes, 'mode'>): number => mode & FileType.MASK;

/** The kind of file that an id tells. */
export const qidType = (type: number): number =>
	type === FileType.DIRECTORY ? QidType.DIRECTORY : type === FileType.LINK ? QidType.LINK : QidType.FILE;

/** A file's id; its version is another one when the file has been written to. */
export const qidOf = ({inode, mode, size, modified}: Attributes): InputOf<typeof Qid> => ({
	type: qidType(mode & FileType.MASK),
	version: (modified.seconds ^ (modified.nanoseconds << 2) ^ (size << 8)) >>> 0,
	path: inode,
});

/** What a client is told of a file. */
export function toldAttributes(attributes: Attributes): GivenTo<typeof Reply.getattr> {
	const {mode, uid, gid, links, device, size, blockBytes, blocks, accessed, modified, changed, born} = attributes;
	return {
		valid: born === undefined ? basicAttributes : basicAttributes | bornAttribute,
		qid: qidOf(attributes),
		mode,
		user: uid,
		group: gid,
		links,
		device,
		size,
		blockBytes,
		blocks,
		accessed: accessed.seconds,
		accessedNs: accessed.nanoseconds,
		modified: modified.seconds,
		modifiedNs: modified.nanoseconds,
		changed: changed.seconds,
		changedNs: changed.nanoseconds,
		born: born?.seconds ?? 0,
		bornNs: born?.nanoseconds ?? 0,
		generation: 0,
		dataVersion: 0,
	};
}

/** What a client wants changed. @returns -EINVAL for what no file can have, -EFBIG for a size that none can */
export function askedChanges(asked: FieldsOf<typeof Request.setattr>): AttributeChanges | Refused {
	const {valid, mode, user, group, size, accessed, accessedNs, modified, modifiedNs} = asked;
	const has = (bit: number) => (valid & bit) !== 0;
	if ((valid & ~knownChanges) !== 0) return -Errno.EINVAL;
	if (has(Change.SIZE) && !Number.isSafeInteger(size)) return -Errno.EFBIG;
	const accessedAt = has(Change.ACCESSED_SET) ? timeOf(accessed, accessedNs) : 'now';
	const modifiedAt = has(Change.MODIFIED_SET) ? timeOf(modified, modifiedNs) : 'now';
	if (accessedAt === undefined || modifiedAt === undefined) return -Errno.EINVAL;
	return {
		...(has(Change.MODE) && {mode: mode & permissionBits}),
		...(has(Change.USER) && {uid: user}),
		...(has(Change.GROUP) && {gid: group}),
		...(has(Change.SIZE) && {size}),
		...(has(Change.ACCESSED) && {accessed: accessedAt}),
		...(has(Change.MODIFIED) && {modified: modifiedAt}),
	};
}

function timeOf(seconds: bigint, nanoseconds: number): FileTime | undefined {
	const whole = Number(seconds);
	return Number.isSafeInteger(whole) && nanoseconds <= mostNanoseconds ? {seconds: whole, nanoseconds} : undefined;
}
