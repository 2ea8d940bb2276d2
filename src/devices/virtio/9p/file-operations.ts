import {type Answer, after, type HandleId, LockKind, OpenFlag, permissionBits, settled} from '#devices/folder';
import {Errno} from '#support/ffi';
import {qidOf, typeOf} from './attributes.ts';
import type {Fid} from './fid-table.ts';
import {headerBytes} from './message.ts';
import {Reply, Request} from './messages.ts';
import {type Operation, operation, outcome, using} from './operation.ts';

/** Bytes of a reply before the data that were read. */
export const readHeaderBytes: number = headerBytes + 4;

/** Status of a lock that has been taken (`P9_LOCK_SUCCESS` in Linux's include/net/9p/9p.h). */
const lockTaken = 0;

/** Bits of open(2) that are passed on. */
const knownFlags = Object.values(OpenFlag).reduce<number>((all, flag) => all | flag, 0);

const canAccess = (flags: number): boolean => (flags & OpenFlag.ACCESS) !== OpenFlag.ACCESS;

/** Has a fid changed to one that is open, by nobody else meanwhile. */
function opening<T>(fid: Fid, open: () => Answer<T>): Answer<T> {
	if (fid.isOpen) return -Errno.EINVAL;
	fid.isChanging = true;
	return settled(open(), (opened) => {
		fid.isChanging = false;
		return opened;
	});
}

/** What is done with an open file's content. */
function reading<T>(fid: Fid, act: (handle: HandleId) => Answer<T>): Answer<T> {
	if (fid.handle === undefined) return -Errno.EBADF;
	return fid.isDirectory ? -Errno.EISDIR : act(fid.handle);
}

/** Operations on what is in files. */
export const fileOperations: readonly Operation[] = [
	operation(Request.lopen, (session, {fid: number, flags}) =>
		using(session, number, (fid) => {
			const {folder} = session;
			const {node} = fid.file;
			if (!canAccess(flags)) return -Errno.EINVAL;
			if (fid.isDirectory && (flags & OpenFlag.ACCESS) !== OpenFlag.READ) return -Errno.EISDIR;
			return opening(fid, () =>
				after(folder.getAttributes(node), (attributes) => {
					const opened = fid.isDirectory ? folder.openDirectory(node) : folder.open(node, flags & knownFlags);
					return after(opened, (handle) => {
						fid.handle = handle;
						return outcome(Reply.lopen, {qid: qidOf(attributes), unit: 0});
					});
				}),
			);
		}),
	),

	operation(Request.lcreate, (session, {fid: number, name, flags, mode, group: gid}) =>
		using(session, number, (fid) => {
			const {folder, fids} = session;
			const parent = fid.file.node;
			if (!canAccess(flags)) return -Errno.EINVAL;
			const owner = {uid: fid.user, gid};
			return opening(fid, () =>
				after(
					folder.create(parent, name, flags & knownFlags, mode & permissionBits, owner),
					({node, handle, attributes}) => {
						fids.move(fid, {node, type: typeOf(attributes), place: {parent, name}}, 1);
						fid.handle = handle;
						return outcome(Reply.lcreate, {qid: qidOf(attributes), unit: 0});
					},
				),
			);
		}),
	),

	operation(Request.read, (session, {fid: number, offset, count}, {room, space}) =>
		using(session, number, (fid) =>
			reading(fid, (handle) => {
				if (!Number.isSafeInteger(offset)) return -Errno.EINVAL;
				const length = Math.min(count, room - readHeaderBytes);
				return after(session.folder.read(handle, offset, space(readHeaderBytes, length)), (moved) =>
					outcome(Reply.read, {count: moved}, {moved}),
				);
			}),
		),
	),

	operation(Request.write, (session, {fid: number, offset, count}, {sent}) =>
		using(session, number, (fid) =>
			reading(fid, (handle) => {
				const bytes = sent(count);
				if (bytes === undefined) return -Errno.EINVAL;
				if (!Number.isSafeInteger(offset + count)) return -Errno.EFBIG;
				return after(session.folder.write(handle, offset, bytes), (written) => outcome(Reply.write, {count: written}));
			}),
		),
	),

	operation(Request.fsync, (session, {fid: number, dataOnly}) =>
		using(session, number, ({handle, isDirectory}) => {
			const {folder} = session;
			if (handle === undefined) return -Errno.EBADF;
			const only = dataOnly !== 0;
			const synced = isDirectory ? folder.syncDirectory(handle, only) : folder.sync(handle, only);
			return after(synced, () => outcome(Reply.fsync, {}));
		}),
	),

	// Kinds are those of LockKind (`P9_LOCK_TYPE_*` in Linux's include/net/9p/9p.h). The client's kernel keeps its programs from each other by locks of its own, before it asks: nobody else has any.
	operation(Request.lock, (session, {fid: number, type}) =>
		using(session, number, (fid) =>
			reading(fid, () => (type > LockKind.NONE ? -Errno.EINVAL : outcome(Reply.lock, {status: lockTaken}))),
		),
	),

	operation(Request.getlock, (session, {fid: number, start, length, process, client}) =>
		using(session, number, (fid) =>
			reading(fid, () => outcome(Reply.getlock, {type: LockKind.NONE, start, length, process, client})),
		),
	),
];
