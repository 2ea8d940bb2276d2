import type {DirectoryEntry, Refused} from '#devices/folder';
import {readEntries, seek} from '#support/ffi';
import {EntryHead} from './host-structs.ts';

/** Bytes of entries that one call gives; the thread's own, as is used within one call only. */
const buffer = Buffer.alloc(32 * 1024);
const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
const {d_ino, d_off, d_reclen, d_type} = EntryHead.field;
const SEEK_SET = 0;
/** Bits that `d_type` is above in a mode. */
const typeShift = 12;

/**
 * Lists a directory that is open. A server takes fewer entries at a time than the kernel gives: those that were read last are kept, and nothing else.
 */
export class DirectoryReader {
	readonly fd: number;
	#batch: DirectoryEntry[] = [];
	/** Cookie that the batch begins behind. */
	#start = 0n;
	#isFresh = true;

	constructor(fd: number) {
		this.fd = fd;
	}

	/** Entries behind a cookie, `most` of them at most; none at the end. */
	read(cookie: bigint, most: number): readonly DirectoryEntry[] | Refused {
		// From the beginning it is listed anew (rewinddir(3)).
		const known = cookie === 0n ? -1 : this.#batch.findIndex((entry) => entry.cookie === cookie);
		if (known >= 0 && known + 1 < this.#batch.length) return this.#batch.slice(known + 1, known + 1 + most);
		const refused = this.#refill(cookie);
		return refused < 0 ? refused : this.#batch.slice(0, most);
	}

	#refill(cookie: bigint): number {
		const last = this.#batch.at(-1)?.cookie ?? this.#start;
		if (this.#isFresh || last !== cookie || cookie === 0n) {
			const moved = seek(this.fd, BigInt.asIntN(64, cookie), SEEK_SET);
			if (moved < 0 && cookie === 0n) return moved;
			// Places are the file system's: one that it does not know has nothing behind it.
			if (moved < 0) return this.#keep([], cookie);
		}
		const length = readEntries(this.fd, buffer);
		if (length < 0) return length;
		const entries: DirectoryEntry[] = [];
		for (let at = 0; at < length; at += d_reclen.get(view, at)) {
			const start = at + EntryHead.size;
			const end = buffer.indexOf(0, start);
			entries.push({
				name: buffer.toString('latin1', start, end),
				inode: d_ino.get(view, at),
				type: d_type.get(view, at) << typeShift,
				cookie: d_off.get(view, at),
			});
		}
		return this.#keep(entries, cookie);
	}

	#keep(entries: DirectoryEntry[], cookie: bigint): 0 {
		this.#batch = entries;
		this.#start = cookie;
		this.#isFresh = false;
		return 0;
	}
}
