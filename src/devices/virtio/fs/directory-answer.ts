import {
	type Answer,
	after,
	type DirectoryEntry,
	type Entry,
	type Folder,
	type HandleId,
	isLater,
	isRefused,
	type Name,
	type NodeId,
	type Refused,
} from '#devices/folder';
import {Errno} from '#support/ffi';
import {entryAnswer, type Validity} from './answers.ts';
import {Dirent, EntryOut} from './layout.ts';

/** Most bytes of one answer. */
const mostBytes = 64 * 1024;
const typeShift = 12;
const padded = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/** A directory to be listed, and how. */
export interface Listing {
	readonly folder: Folder;
	readonly node: NodeId;
	readonly handle: HandleId;
	readonly cookie: bigint;
	/** Bytes that the client has room for; negative where it has none for a header. */
	readonly room: number;
	/** Each file is looked up as well (READDIRPLUS). */
	readonly plus: Validity | undefined;
}

/** Lists as many of a directory's names as there is room for. */
export function directoryAnswer(listing: Listing): Answer<Uint8Array> {
	const {folder, handle, cookie, plus} = listing;
	const room = Math.min(listing.room, mostBytes);
	const head = (plus === undefined ? 0 : EntryOut.size) + Dirent.size;
	const most = Math.floor(room / padded(head + 1));
	if (most < 1) return -Errno.EINVAL;
	return after(folder.readDirectory(handle, cookie, most), (entries) => {
		const bytes = new Uint8Array(room);
		return fill(listing, entries, bytes, head, 0, 0, false);
	});
}

function fill(
	listing: Listing,
	entries: readonly DirectoryEntry[],
	bytes: Uint8Array,
	head: number,
	from: number,
	start: number,
	hasGivenUp: boolean,
): Answer<Uint8Array> {
	let at = start;
	/** One who does not answer is asked for no further name: a directory would take as long as all of them. */
	let isGivenUp = hasGivenUp;
	for (let index = from; index < entries.length; index++) {
		const entry = entries[index] as DirectoryEntry;
		const length = padded(head + entry.name.length);
		if (at + length > bytes.length) return index === 0 ? -Errno.EINVAL : bytes.subarray(0, at);
		const found = listing.plus === undefined || isGivenUp ? undefined : look(listing, entry.name);
		if (isLater(found)) {
			const place = at;
			return found.then((later) => {
				put(listing, bytes, place, head, entry, later);
				return fill(listing, entries, bytes, head, index + 1, place + length, later === -Errno.ETIMEDOUT);
			});
		}
		isGivenUp ||= found === -Errno.ETIMEDOUT;
		put(listing, bytes, at, head, entry, found);
		at += length;
	}
	return bytes.subarray(0, at);
}

/** A client looks for itself at what it is not told of: at the directory and the one above, and at what is refused. */
const look = ({folder, node}: Listing, name: string): Answer<Entry> =>
	name === '.' || name === '..' ? -Errno.EINVAL : folder.lookup(node, name as Name);

function put(
	{plus}: Listing,
	bytes: Uint8Array,
	at: number,
	head: number,
	{name, inode, type, cookie}: DirectoryEntry,
	found: Entry | Refused | undefined,
): void {
	if (plus !== undefined && found !== undefined && !isRefused(found)) bytes.set(entryAnswer(found as Entry, plus), at);
	const own = Dirent.encode({ino: inode, off: cookie, namelen: name.length, type: type >>> typeShift});
	bytes.set(own, at + head - Dirent.size);
	Buffer.from(bytes.buffer, bytes.byteOffset).write(name, at + head, 'latin1');
}
