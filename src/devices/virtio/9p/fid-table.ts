import {
	type Answer,
	type Done,
	FileType,
	type Folder,
	type HandleId,
	isLater,
	type Name,
	type NodeId,
	settled,
} from '#devices/folder';
import {Errno} from '#support/ffi';

/** Where a file was found: the root was nowhere. */
export interface Place {
	readonly parent: NodeId;
	readonly name: Name;
}

/** What a fid stands for. */
export interface FidFile {
	readonly node: NodeId;
	/** `FileType`. */
	readonly type: number;
	readonly place: Place | undefined;
}

/** A client's number for a file, which may be open. */
export class Fid {
	/** As whom the client has attached: new files are theirs. */
	readonly user: number;
	file: FidFile;
	/** Undefined while it is not open. */
	handle: HandleId | undefined;
	/** It is about to be open, or something else. */
	isChanging = false;
	/** @internal Requests that use it. */
	users = 0;
	/** @internal The client does not know it any more. */
	isGone = false;

	constructor(user: number, file: FidFile) {
		this.user = user;
		this.file = file;
	}

	get isDirectory(): boolean {
		return this.file.type === FileType.DIRECTORY;
	}

	/** Handle of a file that is no directory. */
	get fileHandle(): HandleId | undefined {
		return this.isDirectory ? undefined : this.handle;
	}

	/** It stands for what it stands for until it is clunked. */
	get isOpen(): boolean {
		return this.handle !== undefined || this.isChanging;
	}
}

/** A fid in a snapshot. */
export interface SavedFid {
	readonly number: number;
	readonly user: number;
	readonly node: NodeId;
	readonly type: number;
	/** 0 for the root. */
	readonly parent: NodeId;
	readonly name: string;
	/** 0 where it is not open. */
	readonly handle: HandleId;
}

/** Fids that a client may have. Linux has one for each name that it remembers. */
export const mostFids = 2 ** 16;

/**
 * The fids of a client, and what they have of a folder: nodes are forgotten, and handles released, when the last one that has them is gone and no request uses it.
 */
export class FidTable {
	readonly #folder: Folder;
	readonly #fids = new Map<number, Fid>();
	/** Numbers that requests which are under way are to give to files. */
	readonly #reserved = new Set<number>();
	/** By node: how many fids stand for it, and how often it has been looked up. */
	readonly #nodes = new Map<NodeId, {fids: number; lookups: number}>();

	constructor(folder: Folder) {
		this.#folder = folder;
	}

	get size(): number {
		return this.#fids.size;
	}

	get(number: number): Fid | undefined {
		return this.#fids.get(number);
	}

	/** Keeps a number for a file that is being looked for. @returns -EINVAL for one that is taken, -EMFILE where there are too many */
	reserve(number: number): 0 | number {
		if (number === noFid || this.#fids.has(number) || this.#reserved.has(number)) return -Errno.EINVAL;
		if (this.#fids.size + this.#reserved.size >= mostFids) return -Errno.EMFILE;
		this.#reserved.add(number);
		return 0;
	}

	/** The file has not been found. */
	giveUp(number: number): void {
		this.#reserved.delete(number);
	}

	/** Gives a reserved number to a file. @param lookups - of its node, which the fid takes over */
	add(number: number, user: number, file: FidFile, lookups: number): Fid {
		this.#reserved.delete(number);
		const fid = new Fid(user, file);
		this.#fids.set(number, fid);
		this.#retain(file.node, lookups);
		return fid;
	}

	/** Has a fid stand for another file. */
	move(fid: Fid, file: FidFile, lookups: number): void {
		const {node} = fid.file;
		this.#retain(file.node, lookups);
		fid.file = file;
		this.#release(node);
	}

	/** Has a fid stay, with all that it has, until a request is done. */
	hold<T>(fid: Fid, act: () => Answer<T>): Answer<T> {
		fid.users++;
		const answer = act();
		if (isLater(answer)) return answer.finally(() => this.#letGo(fid));
		void this.#letGo(fid);
		return answer;
	}

	/** Forgets a number. @returns -EBADF for none that there is; what releasing the file gives, if nothing uses it */
	clunk(number: number): Done {
		const fid = this.#fids.get(number);
		if (fid === undefined) return -Errno.EBADF;
		this.#fids.delete(number);
		fid.isGone = true;
		return fid.users === 0 ? this.#drop(fid) : 0;
	}

	/** Forgets all, and has the folder do so. Nothing is in flight. */
	clear(): void {
		this.#fids.clear();
		this.#reserved.clear();
		this.#nodes.clear();
		this.#folder.clear();
	}

	save(): SavedFid[] {
		return [...this.#fids].map(
			([
				number,
				{
					user,
					file: {node, type, place},
					handle = 0,
				},
			]) => ({
				number,
				user,
				node,
				type,
				parent: place?.parent ?? 0,
				name: place?.name ?? '',
				handle,
			}),
		);
	}

	/** Has a fid of a snapshot again. @param lookups - of its node, which the folder has again */
	restore({number, user, node, type, parent, name, handle}: SavedFid, lookups: number): void {
		const place = parent === 0 ? undefined : {parent, name: name as Name};
		const fid = this.add(number, user, {node, type, place}, this.#nodes.has(node) ? 0 : lookups);
		if (handle !== 0) fid.handle = handle;
	}

	#retain(node: NodeId, lookups: number): void {
		const known = this.#nodes.get(node) ?? {fids: 0, lookups: 0};
		this.#nodes.set(node, known);
		known.fids++;
		known.lookups += lookups;
	}

	#release(node: NodeId): void {
		const known = this.#nodes.get(node);
		if (known === undefined || --known.fids > 0) return;
		this.#nodes.delete(node);
		this.#folder.forget(node, known.lookups);
	}

	/** What comes of it nobody is told: the client's request to forget the fid has been answered. */
	#letGo(fid: Fid): Done {
		fid.users--;
		return fid.isGone && fid.users === 0 ? this.#drop(fid) : 0;
	}

	#drop(fid: Fid): Done {
		const {handle, isDirectory} = fid;
		fid.handle = undefined;
		const released =
			handle === undefined ? 0 : isDirectory ? this.#folder.releaseDirectory(handle) : this.#folder.release(handle);
		return settled(released, (done) => {
			this.#release(fid.file.node);
			return done as 0;
		});
	}
}

/** The number that is no fid (`P9_NOFID`). */
export const noFid = 0xffff_ffff;
