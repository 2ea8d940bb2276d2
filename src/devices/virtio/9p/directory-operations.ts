import {after, type DirectoryEntry} from '#devices/folder';
import {Errno} from '#support/ffi';
import {qidType} from './attributes.ts';
import {readHeaderBytes} from './file-operations.ts';
import {Qid, Reply, Request} from './messages.ts';
import {type Operation, operation, outcome, using} from './operation.ts';

/** Bytes of an entry before its name: id, where to go on, type, and the name's length. */
const entryHeaderBytes = Qid.size + 8 + 1 + 2;
/** Entries that a folder is asked for at once. */
const mostEntries = 512;
/** Bytes of entries in one reply: what a client has no room for it asks for again. */
const mostListed = 2 ** 16;
/** A file's type in `d_type` of readdir(3) is in these bits of its mode. */
const typeShift = 12;

/** The names that are in a directory. */
export const directoryOperations: readonly Operation[] = [
	operation(Request.readdir, (session, {fid: number, offset, count}, {room}) =>
		using(session, number, ({handle, isDirectory}) => {
			if (handle === undefined) return -Errno.EBADF;
			if (!isDirectory) return -Errno.ENOTDIR;
			const space = Math.min(count, room - readHeaderBytes, mostListed);
			const most = Math.min(mostEntries, Math.floor(space / entryHeaderBytes));
			if (most < 1) return -Errno.EINVAL;
			return after(session.folder.readDirectory(handle, offset, most), (entries) => {
				const behind = packed(entries, space);
				// Nothing would be the end.
				if (behind.length === 0 && entries.length > 0) return -Errno.EINVAL;
				return outcome(Reply.readdir, {count: behind.length}, {behind});
			});
		}),
	),
];

/** As many entries as there is room for. */
function packed(entries: readonly DirectoryEntry[], space: number): Uint8Array {
	const bytes = Buffer.allocUnsafe(space);
	const view = new DataView(bytes.buffer, bytes.byteOffset, space);
	let end = 0;
	for (const {name: entry, inode, type, cookie} of entries) {
		const next = end + entryHeaderBytes + entry.length;
		if (next > space) break;
		Qid.write(bytes, end, {type: qidType(type), version: 0, path: inode});
		view.setBigUint64(end + Qid.size, cookie, true);
		view.setUint8(end + Qid.size + 8, type >>> typeShift);
		view.setUint16(end + Qid.size + 9, entry.length, true);
		bytes.write(entry, end + entryHeaderBytes, 'latin1');
		end = next;
	}
	return bytes.subarray(0, end);
}
