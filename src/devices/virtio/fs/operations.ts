import {
	type Answer,
	type AttributeChanges,
	after,
	type CachePolicy,
	type Created,
	cacheSeconds,
	type Entry,
	type Folder,
	type HandleId,
	LockKind,
	type Name,
	permissionBits,
	settled,
	XattrFlag,
} from '#devices/folder';
import {Errno, Seek} from '#support/ffi';
import type {Fields, PlainFields, Wire} from '#support/wire';
import {attributesAnswer, entryAnswer, noEntryAnswer, statxAnswer, type Validity} from './answers.ts';
import {directoryAnswer} from './directory-answer.ts';
import type {FileWindow} from './file-window.ts';
import {
	CopyFileRangeIn,
	CreateIn,
	FallocateIn,
	FlushIn,
	FSYNC_FDATASYNC,
	FsyncIn,
	GETATTR_FH,
	GetattrIn,
	GetxattrIn,
	GetxattrOut,
	LinkIn,
	LK_FLOCK,
	LkIn,
	LkOut,
	LseekIn,
	LseekOut,
	MkdirIn,
	MknodIn,
	Opcode,
	OpenIn,
	OpenOut,
	OpenOutFlag,
	RELEASE_FLOCK_UNLOCK,
	ReadIn,
	ReleaseIn,
	RemovemappingIn,
	RemovemappingOne,
	Rename2In,
	RenameIn,
	SETUPMAPPING_FLAG_WRITE,
	SetattrIn,
	SetattrValid,
	SetupmappingIn,
	SetxattrIn,
	StatfsOut,
	StatxIn,
	WriteIn,
	WriteOut,
} from './layout.ts';
import {mostDataBytes} from './negotiation.ts';
import type {FuseRequest} from './request.ts';

/** Bytes behind the header of an answer: as they are, or how many of them are in the client's memory already. */
export type Reply = Uint8Array | number;

/** Parts that operations use. */
export interface Served {
	readonly folder: Folder;
	readonly cache: CachePolicy;
	/** Memory of the driver's where files are mapped; undefined where there is none. */
	readonly window: FileWindow | undefined;
}

type Operation = (request: FuseRequest, served: Served) => Answer<Reply>;

/**
 * One of a folder that has what it is for: without that Linux asks once, and not at each close(2) for its locks, nor at each write(2) for rights of programs that
 * would be in an extended attribute (fc->no_flush and no_getxattr of fs/fuse).
 */
const having =
	(ability: 'locks' | 'xattrs', run: Operation): Operation =>
	(request, served) =>
		served.folder.abilities[ability] ? run(request, served) : -Errno.ENOSYS;

const nothing: Reply = 0;
const mostOffset = 2n ** 63n - 1n;
/** Most bytes that one request copies on the host, which takes its time. */
const mostCopied = 16 * 2 ** 20;
const mostXattrBytes = 65_536;
const mostXattrName = 255;
const nsPerSecond = 1e9;

/** An operation whose request begins with a struct. */
const withWords =
	<T extends Fields>(
		struct: Wire<T>,
		run: (words: PlainFields<T>, request: FuseRequest, served: Served) => Answer<Reply>,
	): Operation =>
	(request, served) => {
		const words = request.read(struct);
		return words === undefined ? -Errno.EINVAL : run(words, request, served);
	};

/** One that has a name, from a byte on. */
const named =
	(run: (name: Name, request: FuseRequest, served: Served) => Answer<Reply>, from = 0): Operation =>
	(request, served) => {
		const names = request.names(from, 1);
		return typeof names === 'number' ? names : run(names[0] as Name, request, served);
	};

/** One that has a struct and a name behind. */
const withName = <T extends Fields>(
	struct: Wire<T>,
	run: (words: PlainFields<T>, name: Name, request: FuseRequest, served: Served) => Answer<Reply>,
): Operation =>
	withWords(struct, (words, request, served) =>
		named((name) => run(words, name, request, served), struct.size)(request, served),
	);

const validity = ({cache}: Served): Validity => ({seconds: cacheSeconds[cache]});
const entry = (answer: Answer<Entry>, served: Served): Answer<Reply> =>
	after(answer, (found) => entryAnswer(found, validity(served)));
const done = (answer: Answer<0>): Answer<Reply> => after(answer, () => nothing);

/** Has an offset of 64 bits be a number that is exact. */
const placed = (offset: bigint, use: (offset: number) => Answer<Reply>): Answer<Reply> => {
	if (offset > mostOffset) return -Errno.EINVAL;
	return offset > BigInt(Number.MAX_SAFE_INTEGER) ? -Errno.EFBIG : use(Number(offset));
};

const openFlagsOf = ({cache}: Served): number =>
	cache === 'never' ? OpenOutFlag.DIRECT_IO : cache === 'always' ? OpenOutFlag.KEEP_CACHE : 0;

const opened = (answer: Answer<HandleId>, open_flags: number): Answer<Reply> =>
	after(answer, (fh) => OpenOut.encode({fh, open_flags}));

const created = (answer: Answer<Created>, served: Served): Answer<Reply> =>
	after(answer, (made) => {
		const open = OpenOut.encode({fh: made.handle, open_flags: openFlagsOf(served)});
		return Buffer.concat([entryAnswer(made, validity(served)), open]);
	});

const renamed = (
	newdir: number,
	flags: number,
	from: number,
	request: FuseRequest,
	{folder}: Served,
): Answer<Reply> => {
	const names = request.names(from, 2);
	if (typeof names === 'number') return names;
	const [name, newName] = names as [Name, Name];
	return done(folder.rename(request.node, name, newdir, newName, flags));
};

const listed = (isPlus: boolean): Operation =>
	withWords(ReadIn, ({fh, offset, size}, request, served) =>
		directoryAnswer({
			folder: served.folder,
			node: request.node,
			handle: fh,
			cookie: offset,
			room: Math.min(size, request.room),
			plus: isPlus ? validity(served) : undefined,
		}),
	);

/** Name of an attribute, from a byte on. Undefined for none, and one that is too long. */
function xattrName(request: FuseRequest, from: number): string | undefined {
	const name = request.text(from);
	return name === undefined || name.length === 0 || name.length > mostXattrName
		? undefined
		: Buffer.from(name).toString('latin1');
}

/** A value of which a client asks for the length first. */
const sized = (answer: Answer<Uint8Array>, size: number): Answer<Reply> =>
	after(answer, (value) => {
		if (size === 0) return GetxattrOut.encode({size: value.length});
		return value.length > size ? -Errno.ERANGE : value;
	});

function changesOf(words: PlainFields<typeof SetattrIn.fields>): AttributeChanges {
	const {valid} = words;
	const has = (bit: number) => (valid & bit) !== 0;
	const time = (seconds: bigint, nanoseconds: number, bit: number, nowBit: number) =>
		has(nowBit) ? ('now' as const) : has(bit) ? {seconds: Number(seconds), nanoseconds} : undefined;
	const accessed = time(words.atime, words.atimensec, SetattrValid.ATIME, SetattrValid.ATIME_NOW);
	const modified = time(words.mtime, words.mtimensec, SetattrValid.MTIME, SetattrValid.MTIME_NOW);
	return {
		...(has(SetattrValid.MODE) && {mode: words.mode & permissionBits}),
		...(has(SetattrValid.UID) && {uid: words.uid}),
		...(has(SetattrValid.GID) && {gid: words.gid}),
		...(has(SetattrValid.SIZE) && {size: words.size}),
		...(accessed && {accessed}),
		...(modified && {modified}),
	};
}

const areChangesPossible = ({size = 0, accessed, modified}: AttributeChanges): boolean =>
	Number.isSafeInteger(size) &&
	[accessed, modified].every(
		(time) => typeof time !== 'object' || (Number.isSafeInteger(time.seconds) && time.nanoseconds < nsPerSecond),
	);

/** A lock as a request has it; undefined for none. */
export function lockOf({owner, start, end, type, pid, lk_flags}: PlainFields<typeof LkIn.fields>) {
	if (type > LockKind.NONE || start > end || end > mostOffset) return undefined;
	return {kind: type, start, end, owner, pid, isWhole: (lk_flags & LK_FLOCK) !== 0};
}

/** Operations on the folder by the number of their request. */
export const operations: Readonly<Record<number, Operation>> = {
	[Opcode.LOOKUP]: named((name, {node}, served) =>
		settled(entry(served.folder.lookup(node, name), served), (found) => {
			const isRemembered = found === -Errno.ENOENT && served.cache !== 'never';
			return isRemembered ? noEntryAnswer(validity(served)) : found;
		}),
	),
	[Opcode.GETATTR]: withWords(GetattrIn, ({getattr_flags, fh}, {node}, served) =>
		after(served.folder.getAttributes(node, (getattr_flags & GETATTR_FH) === 0 ? undefined : fh), (found) =>
			attributesAnswer(found, validity(served)),
		),
	),
	[Opcode.STATX]: withWords(StatxIn, ({getattr_flags, fh}, {node}, served) =>
		after(served.folder.getAttributes(node, (getattr_flags & GETATTR_FH) === 0 ? undefined : fh), (found) =>
			statxAnswer(found, validity(served)),
		),
	),
	[Opcode.SETATTR]: withWords(SetattrIn, (words, {node}, served) => {
		const changes = changesOf(words);
		if (!areChangesPossible(changes)) return -Errno.EINVAL;
		const handle = (words.valid & SetattrValid.FH) === 0 ? undefined : words.fh;
		return after(served.folder.setAttributes(node, changes, handle), (found) =>
			attributesAnswer(found, validity(served)),
		);
	}),
	[Opcode.READLINK]: ({node}, {folder}) => folder.readLink(node),
	[Opcode.SYMLINK]: named((name, request, served) => {
		const target = request.text(name.length + 1);
		return target === undefined
			? -Errno.EINVAL
			: entry(served.folder.makeLink(request.node, name, target, request.owner), served);
	}),
	[Opcode.MKNOD]: withName(MknodIn, ({mode, rdev}, name, {node, owner}, served) =>
		entry(served.folder.makeNode(node, name, mode & 0xffff, rdev, owner), served),
	),
	[Opcode.MKDIR]: withName(MkdirIn, ({mode}, name, {node, owner}, served) =>
		entry(served.folder.makeDirectory(node, name, mode & permissionBits, owner), served),
	),
	[Opcode.UNLINK]: named((name, {node}, {folder}) => done(folder.unlink(node, name))),
	[Opcode.RMDIR]: named((name, {node}, {folder}) => done(folder.removeDirectory(node, name))),
	[Opcode.RENAME]: withWords(RenameIn, ({newdir}, request, served) =>
		renamed(newdir, 0, RenameIn.size, request, served),
	),
	[Opcode.RENAME2]: withWords(Rename2In, ({newdir, flags}, request, served) =>
		renamed(newdir, flags, Rename2In.size, request, served),
	),
	[Opcode.LINK]: withName(LinkIn, ({oldnodeid}, name, {node}, served) =>
		entry(served.folder.link(oldnodeid, node, name), served),
	),
	[Opcode.OPEN]: withWords(OpenIn, ({flags}, {node}, served) =>
		opened(served.folder.open(node, flags), openFlagsOf(served)),
	),
	[Opcode.CREATE]: withName(CreateIn, ({flags, mode}, name, {node, owner}, served) =>
		created(served.folder.create(node, name, flags, mode & permissionBits, owner), served),
	),
	[Opcode.TMPFILE]: withWords(CreateIn, ({flags, mode}, {node, owner}, served) =>
		created(served.folder.createUnnamed(node, flags, mode & permissionBits, owner), served),
	),
	[Opcode.READ]: withWords(ReadIn, ({fh, offset, size}, request, {folder}) =>
		placed(offset, (at) =>
			folder.read(fh, at, request.target(Math.min(size, Math.max(0, request.room), mostDataBytes))),
		),
	),
	[Opcode.WRITE]: withWords(WriteIn, ({fh, offset, size}, request, {folder}) => {
		if (size > request.dataBytes || size > mostDataBytes) return -Errno.EINVAL;
		return placed(offset, (at) =>
			after(folder.write(fh, at, request.data(size)), (written) => WriteOut.encode({size: written})),
		);
	}),
	[Opcode.STATFS]: ({node}, {folder}) =>
		after(folder.space(node), (space) =>
			StatfsOut.encode({
				blocks: space.blocks,
				bfree: space.freeBlocks,
				bavail: space.availableBlocks,
				files: space.files,
				ffree: space.freeFiles,
				bsize: space.blockBytes,
				namelen: space.mostNameBytes,
				frsize: space.blockBytes,
			}),
		),
	[Opcode.FLUSH]: having(
		'locks',
		withWords(FlushIn, ({fh, lock_owner}, _request, {folder}) => done(folder.flush(fh, lock_owner))),
	),
	[Opcode.RELEASE]: withWords(ReleaseIn, ({fh, release_flags, lock_owner}, _request, {folder}) =>
		done(folder.release(fh, (release_flags & RELEASE_FLOCK_UNLOCK) === 0 ? undefined : lock_owner)),
	),
	[Opcode.FSYNC]: withWords(FsyncIn, ({fh, fsync_flags}, _request, {folder}) =>
		done(folder.sync(fh, (fsync_flags & FSYNC_FDATASYNC) !== 0)),
	),
	[Opcode.OPENDIR]: withWords(OpenIn, (_words, {node}, {folder}) => opened(folder.openDirectory(node), 0)),
	[Opcode.READDIR]: listed(false),
	[Opcode.READDIRPLUS]: listed(true),
	[Opcode.RELEASEDIR]: withWords(ReleaseIn, ({fh}, _request, {folder}) => done(folder.releaseDirectory(fh))),
	[Opcode.FSYNCDIR]: withWords(FsyncIn, ({fh, fsync_flags}, _request, {folder}) =>
		done(folder.syncDirectory(fh, (fsync_flags & FSYNC_FDATASYNC) !== 0)),
	),
	[Opcode.SYNCFS]: (_request, {folder}) => done(folder.syncAll()),
	[Opcode.SETXATTR]: having(
		'xattrs',
		withWords(SetxattrIn, ({size, flags}, request, {folder}) => {
			const name = xattrName(request, SetxattrIn.size);
			if (name === undefined) return -Errno.ERANGE;
			const start = SetxattrIn.size + name.length + 1;
			const isKnown = flags === 0 || flags === XattrFlag.CREATE || flags === XattrFlag.REPLACE;
			if (!isKnown || size > request.words.length - start) return -Errno.EINVAL;
			if (size > mostXattrBytes) return -Errno.E2BIG;
			return done(folder.setXattr(request.node, name, request.words.slice(start, start + size), flags));
		}),
	),
	[Opcode.GETXATTR]: having(
		'xattrs',
		withWords(GetxattrIn, ({size}, request, {folder}) => {
			const name = xattrName(request, GetxattrIn.size);
			return name === undefined ? -Errno.ERANGE : sized(folder.getXattr(request.node, name), size);
		}),
	),
	[Opcode.LISTXATTR]: having(
		'xattrs',
		withWords(GetxattrIn, ({size}, {node}, {folder}) => sized(folder.listXattrs(node), size)),
	),
	[Opcode.REMOVEXATTR]: having('xattrs', (request, {folder}) => {
		const name = xattrName(request, 0);
		return name === undefined ? -Errno.ERANGE : done(folder.removeXattr(request.node, name));
	}),
	[Opcode.GETLK]: withWords(LkIn, (words, _request, {folder}) => {
		const lock = lockOf(words);
		if (lock === undefined) return -Errno.EINVAL;
		return after(folder.getLock(words.fh, lock), ({start, end, kind, pid}) =>
			LkOut.encode({start, end, type: kind, pid}),
		);
	}),
	[Opcode.SETLK]: withWords(LkIn, (words, _request, {folder}) => {
		const lock = lockOf(words);
		return lock === undefined ? -Errno.EINVAL : done(folder.setLock(words.fh, lock));
	}),
	[Opcode.LSEEK]: withWords(LseekIn, ({fh, offset, whence}, _request, {folder}) => {
		if (whence !== Seek.DATA && whence !== Seek.HOLE) return -Errno.EINVAL;
		return placed(offset, (at) => after(folder.seek(fh, at, whence), (found) => LseekOut.encode({offset: found})));
	}),
	[Opcode.FALLOCATE]: withWords(FallocateIn, ({fh, offset, length, mode}, _request, {folder}) =>
		placed(offset, (at) => placed(length, (bytes) => done(folder.allocate(fh, at, bytes, mode)))),
	),
	[Opcode.COPY_FILE_RANGE]: withWords(CopyFileRangeIn, (words, _request, {folder}) => {
		if (words.flags !== 0n) return -Errno.EINVAL;
		const length = words.len > BigInt(mostCopied) ? mostCopied : Number(words.len);
		return placed(words.off_in, (from) =>
			placed(words.off_out, (to) =>
				after(folder.copyRange(words.fh_in, from, words.fh_out, to, length), (size) => WriteOut.encode({size})),
			),
		);
	}),
	// Linux gives no open file with it.
	[Opcode.SETUPMAPPING]: withWords(SetupmappingIn, ({foffset, len, flags, moffset}, {node}, {folder, window}) => {
		if (window === undefined) return -Errno.ENOSYS;
		const isWritten = (flags & SETUPMAPPING_FLAG_WRITE) !== 0n;
		return done(window.map(folder, {at: moffset, length: len, node, offset: foffset, isWritten}));
	}),
	[Opcode.REMOVEMAPPING]: withWords(RemovemappingIn, ({count}, {words}, {window}) => {
		if (window === undefined) return -Errno.ENOSYS;
		if (words.length < RemovemappingIn.size + count * RemovemappingOne.size) return -Errno.EINVAL;
		for (let index = 0; index < count; index++) {
			const {moffset, len} = RemovemappingOne.read(words, RemovemappingIn.size + index * RemovemappingOne.size);
			const refused = window.unmap(moffset, len);
			if (refused < 0) return refused;
		}
		return nothing;
	}),
	// Requests that mean something to the host's drivers.
	[Opcode.IOCTL]: () => -Errno.ENOTTY,
};
