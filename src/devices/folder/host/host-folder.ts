import {
	type Answer,
	type AttributeChanges,
	type Attributes,
	type BytesFromGuest,
	type BytesToGuest,
	type Created,
	type DirectoryEntry,
	type Done,
	type Entry,
	type FileLock,
	FileType,
	Folder,
	type FolderAbilities,
	type FolderNode,
	type FolderOptions,
	type FolderSpace,
	type HandleId,
	HandleTable,
	isRefused,
	type Name,
	type NodeId,
	NodeTree,
	nameBytes,
	OpenFlag,
	type Owner,
	type Refused,
	RenameFlag,
	rootNode,
	type SavedFolder,
} from '#devices/folder';
import {IoVectors} from '#devices/guest-memory';
import {
	AtFlag,
	allocate,
	close,
	copyRange,
	Errno,
	getXattr,
	linkOpen,
	listXattrs,
	mkdirAt,
	mknodAt,
	O,
	OAt,
	readOpenLink,
	readVectors,
	removeXattr,
	renameAt,
	reopen,
	seek,
	setTimesOpen,
	setXattr,
	spaceOf,
	symlinkAt,
	syncAround,
	syncFile,
	truncate,
	truncateOpen,
	UTIME_NOW,
	UTIME_OMIT,
	unlinkAt,
	writeVectors,
} from '#support/ffi';
import {type HostStatus, statusOf} from './attributes-of.ts';
import {ConfinedRoot, cName, placeError} from './confined-root.ts';
import {DirectoryReader} from './directory-reader.ts';
import {borrowed, closed, closing, type Found, owned} from './found.ts';
import {HostLocks} from './host-locks.ts';
import {goneNode, type HostHandle, type HostNode, isSame, isToWrite, nodeOf} from './host-node.ts';
import {Space} from './host-structs.ts';
import {hasAttributes, mappedPrefix} from './mapped-owners.ts';
import {ownersOf} from './owner-mappings.ts';
import {givesRights, type Owners, setIdBits} from './owners.ts';

/** A buffer of guest memory may be cut up as finely as a queue is long. */
const mostVectors = 1032;
/** Names of others that may come and go under a name while a file is made there. */
const mostTries = 8;
const mostXattrBytes = 65_536;
const userPrefix = 'user.';
/** Modes of fallocate(2) that a guest may use: FALLOC_FL_KEEP_SIZE, PUNCH_HOLE, COLLAPSE_RANGE, ZERO_RANGE, INSERT_RANGE. */
const allocateModes = 0x01 | 0x02 | 0x08 | 0x10 | 0x20;
/** Flags of open(2) that reach the host. */
const passedFlags = OpenFlag.APPEND | OpenFlag.DSYNC | OpenFlag.SYNC;
const groupBit = 0o2000;

/**
 * A directory of the host's. What is asked for is looked for by its path in it at the time of the call ({@link ConfinedRoot}), and used only where it is still
 * the file that the guest means. Nothing but regular files and directories is ever opened, and links are read and never followed. Its
 * calls wait for the host's file system, so that it has a thread of its own.
 */
export class HostFolder extends Folder {
	readonly abilities: FolderAbilities;
	readonly #root: ConfinedRoot;
	readonly #options: FolderOptions;
	readonly #owners: Owners;
	readonly #rootDevice: number;
	readonly #rootStatus: HostStatus;
	#tree: NodeTree<HostNode>;
	#handles: HandleTable<HostHandle>;
	readonly #locks = new HostLocks();
	readonly #vectors = new IoVectors(mostVectors);
	/** Numbers of further file systems, which their inodes get on top. */
	readonly #devices: number[] = [];

	/** @param fd - an O_PATH descriptor of the directory, which becomes the folder's */
	constructor(fd: number, status: HostStatus, options: FolderOptions) {
		super();
		this.#root = new ConfinedRoot(fd, options.submounts);
		this.#options = options;
		this.#owners = ownersOf(options.owner);
		this.#rootDevice = status.device;
		this.#rootStatus = status;
		this.#tree = new NodeTree(nodeOf(status), options.mostNodes);
		this.#handles = new HandleTable(options.mostHandles);
		const {readOnly, xattrs, locks} = options;
		this.abilities = {readOnly, xattrs, locks, dax: true, ignoresCase: false};
	}

	lookup(parent: NodeId, name: Name): Answer<Entry> {
		return this.#inDirectory(parent, (directory, node) => {
			const found = this.#findIn(directory, node, name);
			if (!isRefused(found)) return closing(found, () => this.#enter(node, name, found));
			if (found === -Errno.ENOENT) this.#tree.removed(node, name);
			return found;
		});
	}

	forget(node: NodeId, count: number): void {
		this.#tree.forget(node, count);
	}

	getAttributes(id: NodeId, handle?: HandleId): Answer<Attributes> {
		return this.#with(id, handle, (found) => this.#seen(found));
	}

	setAttributes(id: NodeId, changes: AttributeChanges, handle?: HandleId): Answer<Attributes> {
		if (this.#options.readOnly) return -Errno.EROFS;
		return this.#toChange(id, handle, (found) => {
			const refused = this.#change(found, changes);
			if (refused < 0) return refused;
			const after = statusOf(found.fd);
			return isRefused(after) ? after : this.#seen({...found, ...after});
		});
	}

	readLink(id: NodeId): Answer<Uint8Array> {
		return this.#with(id, undefined, ({fd, attributes}) => {
			if (typeOf(attributes) !== FileType.LINK) return -Errno.EINVAL;
			const target = new Uint8Array(4096);
			const length = readOpenLink(fd, target);
			return length < 0 ? length : target.subarray(0, length);
		});
	}

	makeLink(parent: NodeId, name: Name, target: Uint8Array, owner: Owner): Answer<Entry> {
		if (target.length === 0 || target.length > 4095 || target.includes(0)) return -Errno.EINVAL;
		return this.#make(parent, name, FileType.LINK | 0o777, 0, owner, (directory) =>
			symlinkAt(Buffer.concat([target, Uint8Array.of(0)]), directory, cName(name)),
		);
	}

	makeNode(parent: NodeId, name: Name, mode: number, device: number, owner: Owner): Answer<Entry> {
		const type = mode & FileType.MASK || FileType.REGULAR;
		const isDevice = type === FileType.CHARACTER || type === FileType.BLOCK;
		const isKnown = isDevice || type === FileType.REGULAR || type === FileType.FIFO || type === FileType.SOCKET;
		if (!isKnown) return -Errno.EINVAL;
		const {hasDevices} = this.#owners;
		if (isDevice && !hasDevices) return -Errno.EPERM;
		const hostType = hasDevices ? FileType.REGULAR : type;
		return this.#make(parent, name, type | (mode & 0o7777), device, owner, (directory) =>
			mknodAt(directory, cName(name), hostType | this.#owners.hostMode(mode), 0),
		);
	}

	makeDirectory(parent: NodeId, name: Name, mode: number, owner: Owner): Answer<Entry> {
		const own = FileType.DIRECTORY | (mode & 0o7777);
		return this.#make(parent, name, own, 0, owner, (directory) =>
			mkdirAt(directory, cName(name), this.#owners.hostMode(own)),
		);
	}

	unlink(parent: NodeId, name: Name): Done {
		return this.#remove(parent, name, 0);
	}

	removeDirectory(parent: NodeId, name: Name): Done {
		return this.#remove(parent, name, AtFlag.REMOVEDIR);
	}

	rename(parent: NodeId, name: Name, newParent: NodeId, newName: Name, flags: number): Done {
		if (this.#options.readOnly) return -Errno.EROFS;
		// A whiteout is a device, which guests make none of.
		if ((flags & ~(RenameFlag.NOREPLACE | RenameFlag.EXCHANGE)) !== 0) return -Errno.EINVAL;
		return this.#inDirectory(parent, (from, fromNode) =>
			this.#inDirectory(newParent, (to, toNode) => {
				const result = renameAt(from.fd, cName(name), to.fd, cName(newName), flags);
				if (result < 0) return result;
				if ((flags & RenameFlag.EXCHANGE) === 0) this.#tree.moved(fromNode, name, toNode, newName);
				else this.#tree.exchanged(fromNode, name, toNode, newName);
				return 0;
			}),
		);
	}

	link(id: NodeId, newParent: NodeId, newName: Name): Answer<Entry> {
		if (this.#options.readOnly) return -Errno.EROFS;
		return this.#with(id, undefined, (file) => {
			if (typeOf(file.attributes) === FileType.DIRECTORY) return -Errno.EPERM;
			// One that is open and has a name, elsewhere than it was, may have left the folder.
			if (file.isBorrowed && file.attributes.links > 0) return -Errno.ESTALE;
			return this.#inDirectory(newParent, (directory, node) => {
				const result = linkOpen(file.fd, directory.fd, cName(newName));
				return result < 0 ? result : this.#enterAnew(node, newName, file.fd);
			});
		});
	}

	open(id: NodeId, flags: number): Answer<HandleId> {
		const node = this.#tree.get(id);
		if (node === undefined) return -Errno.ESTALE;
		const opened = this.#atPlace(node, (found) => this.#openFile(found, node, flags));
		if (opened !== -Errno.ESTALE) return opened;
		const unnamed = this.#unnamed(node);
		return isRefused(unnamed) ? unnamed : this.#openFile(unnamed, node, flags);
	}

	create(parent: NodeId, name: Name, flags: number, mode: number, owner: Owner): Answer<Created> {
		if (this.#handles.isFull) return -Errno.ENFILE;
		for (let tries = 0; tries < mostTries; tries++) {
			const made = this.#createNew(parent, name, flags, mode, owner);
			if (made !== -Errno.EEXIST || (flags & OpenFlag.EXCLUSIVE) !== 0) return made;
			// It is opened as any other that is there: what it is, is looked at first.
			const entry = this.lookup(parent, name) as Entry | Refused;
			if (entry === -Errno.ENOENT) continue;
			if (isRefused(entry)) return entry;
			const handle = this.open(entry.node, flags) as HandleId | Refused;
			if (!isRefused(handle)) return {...entry, handle};
			this.forget(entry.node, 1);
			if (handle !== -Errno.ESTALE) return handle;
		}
		return -Errno.EAGAIN;
	}

	override createUnnamed(parent: NodeId, flags: number, mode: number, owner: Owner): Answer<Created> {
		if (this.#options.readOnly) return -Errno.EROFS;
		if (this.#handles.isFull) return -Errno.ENFILE;
		if (givesRights(FileType.REGULAR, mode) && !this.#owners.hasDevices) return -Errno.EPERM;
		return this.#inDirectory(parent, (directory) => {
			const own = FileType.REGULAR | (mode & 0o7777);
			const access = (flags & OpenFlag.ACCESS) === OpenFlag.READ ? O.RDWR : flags & OpenFlag.ACCESS;
			const fd = reopen(directory.fd, OAt.TMPFILE | access | (flags & passedFlags));
			if (fd < 0) return fd;
			const status = this.#own(fd, own, 0, owner, directory);
			if (isRefused(status)) return closed(fd, status);
			const node = this.#tree.enterUnnamed(this.#keyOf(status), nodeOf(status));
			if (isRefused(node)) return closed(fd, node);
			const attributes = this.#seen({fd, ...status});
			return {node: node.id, attributes, handle: this.#addHandle(node, fd, flags, false)};
		});
	}

	read(id: HandleId, offset: number, target: BytesToGuest): Answer<number> {
		const file = this.#file(id);
		if (isRefused(file)) return file;
		if (!target.pin(this.#vectors, 0, target.length)) return -Errno.EFAULT;
		const result = readVectors(file.fd, this.#vectors.address, this.#vectors.count, offset);
		this.#vectors.release();
		return result;
	}

	write(id: HandleId, offset: number, source: BytesFromGuest): Answer<number> {
		const file = this.#file(id);
		if (isRefused(file)) return file;
		if (!source.pin(this.#vectors, 0, source.length)) return -Errno.EFAULT;
		const result = writeVectors(file.fd, this.#vectors.address, this.#vectors.count, offset);
		this.#vectors.release();
		return result;
	}

	flush(id: HandleId, owner: bigint): Done {
		const file = this.#file(id);
		if (isRefused(file)) return file;
		this.#locks.drop(file.node.id, false, owner);
		return 0;
	}

	release(id: HandleId, flockOwner?: bigint): Done {
		const file = this.#file(id);
		if (isRefused(file)) return file;
		if (flockOwner !== undefined) this.#locks.drop(file.node.id, true, flockOwner);
		return this.#closeHandle(id, file);
	}

	sync(id: HandleId, dataOnly: boolean): Done {
		const file = this.#file(id);
		return isRefused(file) ? file : (syncFile(file.fd, dataOnly) as 0);
	}

	openDirectory(id: NodeId): Answer<HandleId> {
		const node = this.#tree.get(id);
		if (node === undefined) return -Errno.ESTALE;
		return this.#atPlace(node, ({fd, attributes}) => {
			if (typeOf(attributes) !== FileType.DIRECTORY) return -Errno.ENOTDIR;
			if (this.#handles.isFull) return -Errno.ENFILE;
			const own = reopen(fd, O.RDONLY | OAt.DIRECTORY);
			return own < 0 ? own : this.#addHandle(node, own, 0, true);
		});
	}

	readDirectory(id: HandleId, cookie: bigint, most: number): Answer<readonly DirectoryEntry[]> {
		const {reader, node} = this.#handles.get(id) ?? {};
		if (reader === undefined) return -Errno.EBADF;
		const entries = reader.read(cookie, most);
		if (isRefused(entries) || node?.id !== rootNode) return entries;
		// What is above the folder is none of the guest's.
		const {inode} = node.data;
		return entries.map((entry) => (entry.name === '..' ? {...entry, inode} : entry));
	}

	releaseDirectory(id: HandleId): Done {
		const handle = this.#handles.get(id);
		return handle?.reader === undefined ? -Errno.EBADF : this.#closeHandle(id, handle);
	}

	syncDirectory(id: HandleId, dataOnly: boolean): Done {
		const handle = this.#handles.get(id);
		return handle?.reader === undefined ? -Errno.EBADF : (syncFile(handle.fd, dataOnly) as 0);
	}

	space(id: NodeId): Answer<FolderSpace> {
		return this.#with(id, undefined, ({fd}) => {
			const bytes = new Uint8Array(new ArrayBuffer(Space.size));
			const result = spaceOf(fd, bytes);
			if (result < 0) return result;
			const told = Space.read(bytes);
			return {
				blockBytes: told.f_frsize || told.f_bsize,
				blocks: told.f_blocks,
				freeBlocks: told.f_bfree,
				availableBlocks: told.f_bavail,
				files: told.f_files,
				freeFiles: told.f_ffree,
				mostNameBytes: told.f_namelen,
			};
		});
	}

	override syncAll(): Done {
		const fd = reopen(this.#root.fd, O.RDONLY | OAt.DIRECTORY);
		return fd < 0 ? fd : closed(fd, syncAround(fd) as 0);
	}

	override getXattr(id: NodeId, name: string): Answer<Uint8Array> {
		return this.#withXattrs(id, name, false, (fd, cName) => {
			const value = new Uint8Array(mostXattrBytes);
			const length = getXattr(fd, cName, value);
			return length < 0 ? length : value.subarray(0, length);
		});
	}

	override setXattr(id: NodeId, name: string, value: Uint8Array, flags: number): Done {
		return this.#withXattrs(id, name, true, (fd, cName) => setXattr(fd, cName, value, flags) as 0);
	}

	override removeXattr(id: NodeId, name: string): Done {
		return this.#withXattrs(id, name, true, (fd, cName) => removeXattr(fd, cName) as 0);
	}

	override listXattrs(id: NodeId): Answer<Uint8Array> {
		if (!this.#options.xattrs) return -Errno.EOPNOTSUPP;
		return this.#with(id, undefined, ({fd, attributes}) => {
			if (!hasAttributes(attributes)) return new Uint8Array();
			const list = Buffer.alloc(mostXattrBytes);
			const length = listXattrs(fd, list);
			if (length < 0) return length;
			const names = list.toString('latin1', 0, length).split('\0').filter(passes);
			return Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1');
		});
	}

	override getLock(id: HandleId, lock: FileLock): Answer<FileLock> {
		const file = this.#file(id);
		if (isRefused(file)) return file;
		return this.#options.locks ? this.#locks.get(file.node.id, file.fd, lock) : -Errno.ENOSYS;
	}

	override setLock(id: HandleId, lock: FileLock): Done {
		const file = this.#file(id);
		if (isRefused(file)) return file;
		return this.#options.locks ? (this.#locks.set(file.node.id, file.fd, lock) as 0) : -Errno.ENOSYS;
	}

	override seek(id: HandleId, offset: number, whence: number): Answer<number> {
		const file = this.#file(id);
		return isRefused(file) ? file : seek(file.fd, offset, whence);
	}

	override allocate(id: HandleId, offset: number, length: number, mode: number): Done {
		const file = this.#file(id);
		if (isRefused(file)) return file;
		return (mode & ~allocateModes) === 0 ? (allocate(file.fd, mode, offset, length) as 0) : -Errno.EOPNOTSUPP;
	}

	override copyRange(
		sourceId: HandleId,
		offset: number,
		targetId: HandleId,
		targetOffset: number,
		length: number,
	): Answer<number> {
		const [source, target] = [this.#file(sourceId), this.#file(targetId)];
		if (isRefused(source)) return source;
		if (isRefused(target)) return target;
		return copyRange(source.fd, offset, target.fd, targetOffset, length);
	}

	override openToMap(id: NodeId, isWritten: boolean): Answer<number> {
		const node = this.#tree.get(id);
		if (node === undefined) return -Errno.ESTALE;
		return this.#atPlace(node, (found) => this.#reopen(found, isWritten ? OpenFlag.BOTH : OpenFlag.READ));
	}

	save(): SavedFolder {
		const handles = [...this.#handles].map(([id, {node, flags, reader}]) => ({
			id,
			node: node.id,
			flags,
			isDirectory: reader !== undefined,
		}));
		return {...this.#tree.save(), handles};
	}

	restore({nodes, handles, next}: SavedFolder): Done {
		for (const saved of nodes) {
			const parent = this.#tree.get(saved.parent);
			const path = parent && this.#tree.path(parent, saved.name as Name);
			const found = path === undefined || isRefused(path) ? -Errno.ESTALE : this.#find(path);
			// Its number stays, and means nothing any more.
			if (isRefused(found)) this.#tree.restore({...saved, parent: 0}, undefined, goneNode());
			else closing(found, () => this.#tree.restore(saved, this.#keyOf(found), nodeOf(found)));
		}
		this.#tree.skipTo(next);
		for (const {id, node: nodeId, flags, isDirectory} of handles) {
			const opened = (isDirectory ? this.openDirectory(nodeId) : this.open(nodeId, flags)) as HandleId | Refused;
			if (isRefused(opened)) continue;
			const handle = this.#handles.remove(opened) as HostHandle;
			if (!this.#handles.restore(id, handle)) this.#dropHandle(handle);
		}
		return 0;
	}

	clear(): void {
		this.#locks.close();
		for (const [, {fd}] of this.#handles) close(fd);
		this.#tree = new NodeTree(nodeOf(this.#rootStatus), this.#options.mostNodes);
		this.#handles = new HandleTable(this.#options.mostHandles);
	}

	close(): void {
		this.clear();
		this.#root.close();
	}

	/** Opens a place in the folder, without using what is there. */
	#find(path: string): Found | Refused {
		return owned(this.#root.find(path));
	}

	/** The same by a name in a directory that is open. */
	#findIn(directory: Found, node: FolderNode<HostNode>, name: Name): Found | Refused {
		const path = this.#tree.path(node, name);
		return isRefused(path) ? path : owned(this.#root.findIn(directory.fd, name));
	}

	/** Finds a node where it is in the folder now. */
	#locate(node: FolderNode<HostNode>): Found | Refused {
		const path = this.#tree.path(node);
		if (isRefused(path)) return path;
		const found = this.#find(path);
		if (isRefused(found)) return placeError(found);
		if (isSame(node.data, found)) return found;
		return closed(found.fd, -Errno.ESTALE);
	}

	/** Has a node where it is, as all do that open it or make something in it: what has left the folder gives no more than it is open for. */
	#atPlace<T>(node: FolderNode<HostNode>, use: (found: Found) => T | Refused): T | Refused {
		const found = this.#locate(node);
		return isRefused(found) ? found : closing(found, () => use(found));
	}

	/** Has a node by the open file that the guest gives, or where it is; and by any open file of it where it is not in the folder any more. */
	#with<T>(id: NodeId, handle: HandleId | undefined, use: (found: Found) => T | Refused): T | Refused {
		const node = this.#tree.get(id);
		if (node === undefined) return -Errno.ESTALE;
		const given = handle === undefined ? undefined : this.#handles.get(handle);
		const found = given?.node === node ? borrowed(given.fd) : this.#locate(node);
		if (!isRefused(found)) return closing(found, () => use(found));
		const [open] = node.data.open;
		const other = open === undefined ? found : borrowed(open.fd);
		return isRefused(other) ? other : use(other);
	}

	/** Has a node to change it: where it is, by a file that is open to be written, or where no name on the host means it any more. */
	#toChange<T>(id: NodeId, handle: HandleId | undefined, use: (found: Found) => T | Refused): T | Refused {
		const node = this.#tree.get(id);
		if (node === undefined) return -Errno.ESTALE;
		const given = handle === undefined ? undefined : this.#handles.get(handle);
		const found = given?.node === node && isToWrite(given) ? borrowed(given.fd) : this.#locate(node);
		if (!isRefused(found)) return closing(found, () => use(found));
		const open = [...node.data.open].find(isToWrite) ?? [...node.data.open][0];
		const other = open === undefined ? found : borrowed(open.fd);
		if (isRefused(other)) return other;
		return isToWrite(open as HostHandle) || other.attributes.links === 0 ? use(other) : -Errno.ESTALE;
	}

	/** A file that has no name at all any more, by what the guest has open of it: nobody else can be meant. */
	#unnamed({data}: FolderNode<HostNode>): Found | Refused {
		const [open] = data.open;
		const found = open === undefined ? -Errno.ESTALE : borrowed(open.fd);
		return isRefused(found) || found.attributes.links === 0 ? found : -Errno.ESTALE;
	}

	#inDirectory<T>(id: NodeId, use: (found: Found, node: FolderNode<HostNode>) => T | Refused): T | Refused {
		const node = this.#tree.get(id);
		if (node === undefined) return -Errno.ESTALE;
		return this.#atPlace(node, (found) =>
			typeOf(found.attributes) === FileType.DIRECTORY ? use(found, node) : -Errno.ENOTDIR,
		);
	}

	#withXattrs<T>(
		id: NodeId,
		name: string,
		isChange: boolean,
		use: (fd: number, cName: Uint8Array) => T | Refused,
	): T | Refused {
		if (!(this.#options.xattrs && passes(name))) return -Errno.EOPNOTSUPP;
		if (isChange && this.#options.readOnly) return -Errno.EROFS;
		const onFile = ({fd, attributes}: Found) =>
			hasAttributes(attributes) ? use(fd, nameBytes(`${name}\0`)) : isChange ? -Errno.EPERM : -Errno.ENODATA;
		return isChange ? this.#toChange(id, undefined, onFile) : this.#with(id, undefined, onFile);
	}

	#enter(parent: FolderNode<HostNode>, name: Name, found: HostStatus & {readonly fd: number}): Entry | Refused {
		const key = this.#keyOf(found);
		const known = this.#tree.known(key);
		const isKnown = known !== undefined && isSame(known.data, found);
		// Its inode is another file's now.
		if (known !== undefined && !isKnown) this.#tree.gone(known);
		const node = this.#tree.enter(parent, name, key, isKnown ? known.data : nodeOf(found));
		return isRefused(node) ? node : {node: node.id, attributes: this.#seen(found)};
	}

	/** A name that has just been made: what it is now. */
	#enterAnew(parent: FolderNode<HostNode>, name: Name, fd: number): Entry | Refused {
		const status = statusOf(fd);
		return isRefused(status) ? status : this.#enter(parent, name, {...status, fd});
	}

	#make(
		parent: NodeId,
		name: Name,
		mode: number,
		device: number,
		owner: Owner,
		make: (directory: number) => number,
	): Entry | Refused {
		if (this.#options.readOnly) return -Errno.EROFS;
		if (givesRights(mode & FileType.MASK, mode) && !this.#owners.hasDevices) return -Errno.EPERM;
		return this.#inDirectory(parent, (directory, node) => {
			const path = this.#tree.path(node, name);
			if (isRefused(path)) return path;
			if (!this.#tree.makeRoom()) return -Errno.ENFILE;
			const result = make(directory.fd);
			if (result < 0) return result;
			const found = this.#findIn(directory, node, name);
			if (isRefused(found)) return found;
			return closing(found, () => {
				const status = this.#own(found.fd, mode, device, owner, directory);
				if (isRefused(status)) return this.#unmade(directory, node, name, found.fd, status);
				return this.#enter(node, name, {...status, fd: found.fd});
			});
		});
	}

	#createNew(parent: NodeId, name: Name, flags: number, mode: number, owner: Owner): Created | Refused {
		if (this.#options.readOnly) return -Errno.EROFS;
		if (givesRights(FileType.REGULAR, mode) && !this.#owners.hasDevices) return -Errno.EPERM;
		return this.#inDirectory(parent, (directory, node) => {
			const path = this.#tree.path(node, name);
			if (isRefused(path)) return path;
			if (!this.#tree.makeRoom()) return -Errno.ENFILE;
			const own = FileType.REGULAR | (mode & 0o7777);
			const hostFlags = O.CREAT | O.EXCL | O.NOCTTY | (flags & (OpenFlag.ACCESS | passedFlags));
			const fd = this.#root.create(directory.fd, name, hostFlags, this.#owners.hostMode(own));
			if (fd < 0) return fd;
			const status = this.#own(fd, own, 0, owner, directory);
			if (isRefused(status)) return closed(fd, this.#unmade(directory, node, name, fd, status));
			const entry = this.#enter(node, name, {...status, fd});
			if (isRefused(entry)) return closed(fd, entry);
			const entered = this.#tree.get(entry.node) as FolderNode<HostNode>;
			return {...entry, handle: this.#addHandle(entered, fd, flags, false)};
		});
	}

	/** Gives a new file to its owner, and to the group of a directory that says so (setgid, inode(7)). */
	#own(fd: number, mode: number, device: number, owner: Owner, directory: Found): HostStatus | Refused {
		const status = statusOf(fd);
		if (isRefused(status)) return status;
		const {attributes} = status;
		if (typeOf(attributes) === FileType.LINK) mode = attributes.mode;
		const {mode: above, gid} = this.#seen(directory);
		const isOfGroup = (above & groupBit) !== 0;
		if (isOfGroup && typeOf(attributes) === FileType.DIRECTORY) mode |= groupBit;
		const permissions = this.#owners.hasDevices ? mode : mode & 0o7777;
		const refused = this.#owners.own(fd, attributes, permissions, device, isOfGroup ? {...owner, gid} : owner);
		return refused < 0 ? refused : statusOf(fd);
	}

	/** Takes away what has been made and cannot be the guest's, unless its name is another file's by now. */
	#unmade(directory: Found, node: FolderNode<HostNode>, name: Name, fd: number, refused: Refused): Refused {
		const made = statusOf(fd);
		const there = this.#findIn(directory, node, name);
		if (isRefused(there)) return refused;
		const isIt = !isRefused(made) && isSame(nodeOf(made), there);
		const flags = typeOf(there.attributes) === FileType.DIRECTORY ? AtFlag.REMOVEDIR : 0;
		if (isIt) unlinkAt(directory.fd, cName(name), flags);
		return closed(there.fd, refused);
	}

	#openFile(found: Found, node: FolderNode<HostNode>, flags: number): HandleId | Refused {
		if (this.#handles.isFull) return -Errno.ENFILE;
		const fd = this.#reopen(found, flags);
		return fd < 0 ? fd : this.#addHandle(node, fd, flags, false);
	}

	/** Opens what has been found, if it is a regular file to the guest as well. */
	#reopen(found: Found, flags: number): number {
		const type = typeOf(found.attributes) === FileType.REGULAR ? typeOf(this.#seen(found)) : typeOf(found.attributes);
		// A guest opens its devices and pipes itself.
		if (type !== FileType.REGULAR) return type === FileType.DIRECTORY ? -Errno.EISDIR : -Errno.ENXIO;
		const isWritten = (flags & OpenFlag.ACCESS) !== OpenFlag.READ || (flags & OpenFlag.TRUNCATE) !== 0;
		if (isWritten && this.#options.readOnly) return -Errno.EROFS;
		// Root's writes would leave them.
		if (isWritten && (found.attributes.mode & setIdBits) !== 0) {
			const refused = this.#owners.change(found.fd, found.attributes, {
				mode: found.attributes.mode & 0o7777 & ~setIdBits,
			});
			if (refused < 0) return refused;
		}
		const passed = OpenFlag.ACCESS | OpenFlag.TRUNCATE | passedFlags;
		return reopen(found.fd, O.NOCTTY | O.NONBLOCK | (flags & passed));
	}

	#addHandle(node: FolderNode<HostNode>, fd: number, flags: number, isDirectory: boolean): HandleId {
		const reader = isDirectory ? new DirectoryReader(fd) : undefined;
		const kept = flags & (OpenFlag.ACCESS | passedFlags);
		// There is room: whoever calls has looked.
		const handle: HostHandle = {node, fd, flags: kept, reader};
		const id = this.#handles.add(handle) as HandleId;
		node.data.open.add(handle);
		this.#tree.hold(node);
		return id;
	}

	#closeHandle(id: HandleId, handle: HostHandle): 0 {
		this.#handles.remove(id);
		this.#dropHandle(handle);
		return 0;
	}

	#dropHandle(handle: HostHandle): void {
		const {node, fd} = handle;
		node.data.open.delete(handle);
		close(fd);
		this.#tree.letGo(node);
	}

	#file(id: HandleId): HostHandle | Refused {
		const handle = this.#handles.get(id);
		return handle === undefined || handle.reader !== undefined ? -Errno.EBADF : handle;
	}

	#remove(parent: NodeId, name: Name, flags: number): Done {
		if (this.#options.readOnly) return -Errno.EROFS;
		return this.#inDirectory(parent, (directory, node) => {
			const result = unlinkAt(directory.fd, cName(name), flags);
			if (result < 0) return result;
			this.#tree.removed(node, name);
			return 0;
		});
	}

	#change({fd, attributes, isBorrowed}: Found, changes: AttributeChanges): number {
		const {size, accessed, modified} = changes;
		if (size !== undefined) {
			const type = typeOf(attributes);
			if (type !== FileType.REGULAR) return type === FileType.DIRECTORY ? -Errno.EISDIR : -Errno.EINVAL;
			// An open file gives no more than it is open for: it may have left the folder.
			const result = isBorrowed ? truncate(fd, size) : truncateOpen(fd, size);
			if (result < 0) return result;
		}
		const result = this.#owners.change(fd, attributes, changes);
		if (result < 0 || (accessed === undefined && modified === undefined)) return result;
		return setTimesOpen(fd, BigInt64Array.of(...timeWords(accessed), ...timeWords(modified)));
	}

	#seen({fd, attributes, device}: HostStatus & {readonly fd: number}): Attributes {
		return this.#owners.seen(fd, {...attributes, inode: this.#inodeOf(attributes.inode, device)});
	}

	/** Two file systems may both have an inode: those of further ones are told apart by bits that hosts leave at zero. */
	#inodeOf(inode: bigint, device: number): bigint {
		if (device === this.#rootDevice) return inode;
		if (!this.#devices.includes(device) && this.#devices.length < 255) this.#devices.push(device);
		return inode ^ (BigInt(this.#devices.indexOf(device) + 1) << 56n);
	}

	#keyOf({attributes: {inode}, device}: HostStatus): bigint | string {
		return device === this.#rootDevice ? inode : `${device}:${inode}`;
	}
}

const typeOf = ({mode}: Attributes): number => mode & FileType.MASK;

/** Attributes that are a guest's: none that means something to the host. */
const passes = (name: string): boolean => name.startsWith(userPrefix) && !name.startsWith(mappedPrefix);

function timeWords(time: AttributeChanges['accessed']): [bigint, bigint] {
	if (time === undefined) return [0n, UTIME_OMIT];
	return time === 'now' ? [0n, UTIME_NOW] : [BigInt(time.seconds), BigInt(time.nanoseconds)];
}
