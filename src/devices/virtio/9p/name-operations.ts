import {
	type Answer,
	after,
	type Entry,
	FileType,
	type Folder,
	isRefused,
	type NodeId,
	nameBytes,
} from '#devices/folder';
import {Errno} from '#support/ffi';
import {askedChanges, qidOf, toldAttributes} from './attributes.ts';
import type {Fid, Place} from './fid-table.ts';
import {Reply, Request} from './messages.ts';
import {type Operation, operation, outcome, unsupported, using, usingBoth} from './operation.ts';

/** The flag of unlinkat(2) that removes a directory. */
const removeDirectoryFlag = 0x200;
/** Most of a device's two numbers in Linux (MAJOR, MINOR of kdev_t.h). */
const [majorLimit, minorLimit] = [2 ** 12, 2 ** 20];
/** Type of file system that statfs(2) tells of in Linux (V9FS_MAGIC). */
const fileSystemType = 0x0102_1997;

/** A file that has been made under a name, which the client looks up when it wants it. */
const madeEntry = (folder: Folder, made: Answer<Entry>) =>
	after(made, ({node, attributes}) => {
		folder.forget(node, 1);
		return {qid: qidOf(attributes)};
	});

/** The place of a fid's file, if that is there still. @returns -ESTALE where it is not */
const placeOf = (folder: Folder, {file: {node, place}}: Fid): Answer<Place> => {
	if (place === undefined) return -Errno.EBUSY;
	return after(folder.lookup(place.parent, place.name), (found) => {
		folder.forget(found.node, 1);
		return found.node === node ? place : -Errno.ESTALE;
	});
};

const removed = (folder: Folder, parent: NodeId, name: Place['name'], isDirectory: boolean) =>
	isDirectory ? folder.removeDirectory(parent, name) : folder.unlink(parent, name);

/** Operations on names, and on what is told of files. */
export const nameOperations: readonly Operation[] = [
	operation(Request.getattr, (session, {fid: number}) =>
		using(session, number, ({file: {node}, fileHandle}) =>
			after(session.folder.getAttributes(node, fileHandle), (attributes) =>
				outcome(Reply.getattr, toldAttributes(attributes)),
			),
		),
	),

	operation(Request.setattr, (session, fields) =>
		using(session, fields.fid, ({file: {node}, fileHandle}) => {
			const changes = askedChanges(fields);
			if (isRefused(changes)) return changes;
			return after(session.folder.setAttributes(node, changes, fileHandle), () => outcome(Reply.setattr, {}));
		}),
	),

	operation(Request.statfs, (session, {fid: number}) =>
		using(session, number, ({file: {node}}) =>
			after(
				session.folder.space(node),
				({blockBytes, blocks, freeBlocks, availableBlocks, files, freeFiles, mostNameBytes}) =>
					outcome(Reply.statfs, {
						type: fileSystemType,
						blockBytes,
						blocks,
						free: freeBlocks,
						available: availableBlocks,
						files,
						freeFiles,
						id: 0,
						mostNameBytes,
					}),
			),
		),
	),

	operation(Request.readlink, (session, {fid: number}) =>
		using(session, number, ({file: {node}}) =>
			after(session.folder.readLink(node), (target) =>
				outcome(Reply.readlink, {target: Buffer.from(target).toString('latin1')}),
			),
		),
	),

	operation(Request.symlink, (session, {fid: number, name, target, group: gid}) =>
		using(session, number, ({file: {node}, user: uid}) => {
			const {folder} = session;
			if (target === '' || target.includes('\0')) return -Errno.EINVAL;
			const made = folder.makeLink(node, name, nameBytes(target), {uid, gid});
			return after(madeEntry(folder, made), (values) => outcome(Reply.symlink, values));
		}),
	),

	operation(Request.mkdir, (session, {fid: number, name, mode, group: gid}) =>
		using(session, number, ({file: {node}, user: uid}) => {
			const {folder} = session;
			const made = folder.makeDirectory(node, name, mode & 0o7777, {uid, gid});
			return after(madeEntry(folder, made), (values) => outcome(Reply.mkdir, values));
		}),
	),

	operation(Request.mknod, (session, {fid: number, name, mode, major, minor, group: gid}) =>
		using(session, number, ({file: {node}, user: uid}) => {
			const {folder} = session;
			const type = mode & FileType.MASK;
			if (type === FileType.DIRECTORY || type === FileType.LINK) return -Errno.EINVAL;
			if (major >= majorLimit || minor >= minorLimit) return -Errno.EINVAL;
			const device = ((major << 8) | (minor & 0xff) | ((minor & ~0xff) << 12)) >>> 0;
			const made = folder.makeNode(node, name, mode & (FileType.MASK | 0o7777), device, {uid, gid});
			return after(madeEntry(folder, made), (values) => outcome(Reply.mknod, values));
		}),
	),

	operation(Request.link, (session, {directory, fid: number, name}) =>
		usingBoth(session, directory, number, ({file: {node: parent}}, {file: {node}}) => {
			const {folder} = session;
			return after(madeEntry(folder, folder.link(node, parent, name)), () => outcome(Reply.link, {}));
		}),
	),

	operation(Request.renameat, (session, {oldDirectory, oldName, newDirectory, newName}) =>
		usingBoth(session, oldDirectory, newDirectory, ({file: {node: from}}, {file: {node: to}}) =>
			after(session.folder.rename(from, oldName, to, newName, 0), () => outcome(Reply.renameat, {})),
		),
	),

	operation(Request.rename, (session, {fid: number, directory, name}) =>
		usingBoth(session, number, directory, (fid, {file: {node: to}}) => {
			const {folder} = session;
			return after(placeOf(folder, fid), (place) =>
				after(folder.rename(place.parent, place.name, to, name, 0), () => {
					fid.file = {...fid.file, place: {parent: to, name}};
					return outcome(Reply.rename, {});
				}),
			);
		}),
	),

	operation(Request.unlinkat, (session, {fid: number, name, flags}) =>
		using(session, number, ({file: {node}}) => {
			if ((flags & ~removeDirectoryFlag) !== 0) return -Errno.EINVAL;
			const isDirectory = flags === removeDirectoryFlag;
			return after(removed(session.folder, node, name, isDirectory), () => outcome(Reply.unlinkat, {}));
		}),
	),

	// The fid is gone whatever comes of it (remove(5) of 9P2000).
	operation(Request.remove, (session, {fid: number}) => {
		const {folder, fids} = session;
		const done = using(session, number, (fid) => {
			// What is found again is asked twice, and the number may be another file's by then.
			if (!fid.isGone) fids.clunk(number);
			return after(placeOf(folder, fid), ({parent, name}) => removed(folder, parent, name, fid.isDirectory));
		});
		return after(done, () => outcome(Reply.remove, {}));
	}),

	operation(Request.xattrwalk, unsupported),
	operation(Request.xattrcreate, unsupported),
];
