import {createHash} from 'node:crypto';
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
	permissionBits,
	type Refused,
	RenameFlag,
	rootNode,
	type SavedFolder,
} from '#devices/folder';
import {Errno} from '#support/ffi';
import type {ProgramAnswer} from '#support/rpc';
import type {CallArguments, CallName} from './object-calls.ts';
import {type ToldFile, type ToldName, toldFile, toldNames, toldSpace, unknownSpace} from './plain-answers.ts';
import {mostMoved, SharedBuffers} from './shared-buffers.ts';

/** Calls a method of a program's object. Never rejects. */
export type CallObject = (method: string, argument: unknown) => Promise<ProgramAnswer>;

/** A file that the guest knows. */
interface ObjectNode {
	/** It stays when the file gets another name. */
	readonly inode: bigint;
	readonly type: number;
	/** What the guest has open of it. */
	readonly open: Set<ObjectHandle>;
}
type Node = FolderNode<ObjectNode>;

interface ObjectHandle {
	readonly node: Node;
	readonly flags: number;
	/** The object's number of the file; undefined for directories. */
	readonly file: number | undefined;
	/** Names of a directory, as they were when it was listed from its beginning. */
	names: readonly ToldName[] | undefined;
}

/** Names of open directories that are kept together, besides those that were listed last. */
const mostListed = 2 ** 17;
/** O_CREAT of open(2). */
const createFlag = 0o100;
/** Bits of open(2) that an object gets, with those that act once. */
const passedFlags = OpenFlag.ACCESS | OpenFlag.APPEND | OpenFlag.DSYNC | OpenFlag.SYNC;
const onceFlags = OpenFlag.TRUNCATE | OpenFlag.EXCLUSIVE;

/** A folder that is an object of the program's. All of its answers are looked at: what makes no sense is -EIO. */
export class ObjectFolder extends Folder {
	readonly abilities: FolderAbilities;
	readonly #call: CallObject;
	readonly #options: FolderOptions;
	#tree: NodeTree<ObjectNode>;
	#handles: HandleTable<ObjectHandle>;
	readonly #buffers = new SharedBuffers();
	/** Directories whose names are kept, those first that were listed longest ago. */
	readonly #listed = new Set<ObjectHandle>();

	constructor(call: CallObject, options: FolderOptions) {
		super();
		this.#call = call;
		this.#options = options;
		this.#tree = treeOf(options);
		this.#handles = new HandleTable(options.mostHandles);
		this.abilities = {readOnly: options.readOnly, xattrs: false, locks: false, dax: false, ignoresCase: false};
	}

	async lookup(parent: NodeId, name: Name): Promise<Entry | Refused> {
		const directory = this.#directory(parent);
		if (isRefused(directory)) return directory;
		return this.#enter(directory, name);
	}

	forget(node: NodeId, count: number): void {
		this.#tree.forget(node, count);
	}

	async getAttributes(id: NodeId, handle?: HandleId): Promise<Attributes | Refused> {
		const node = this.#tree.get(id);
		if (node === undefined) return -Errno.ESTALE;
		const given = this.#openFileOf(node, handle);
		const told = given === undefined ? -Errno.EOPNOTSUPP : await this.#attributesOf(node, 'fileStat', {file: given});
		// A file that cannot tell it by itself has its path, and one whose name has gone what is open of it.
		if (told !== -Errno.EOPNOTSUPP) return told;
		const path = this.#path(node);
		const found = isRefused(path) ? path : await this.#attributesOf(node, 'stat', {path});
		const other = isGone(found) ? this.#anyOpenFileOf(node) : undefined;
		return other === undefined ? found : this.#attributesOf(node, 'fileStat', {file: other});
	}

	async setAttributes(id: NodeId, changes: AttributeChanges, handle?: HandleId): Promise<Attributes | Refused> {
		const node = this.#tree.get(id);
		if (node === undefined) return -Errno.ESTALE;
		if (this.#options.readOnly) return -Errno.EROFS;
		const {mode, uid, gid, size} = changes;
		const {type} = node.data;
		if (size !== undefined && type !== FileType.REGULAR)
			return type === FileType.DIRECTORY ? -Errno.EISDIR : -Errno.EINVAL;
		if (mode !== undefined && type === FileType.LINK) return -Errno.EOPNOTSUPP;
		// What is at its path is looked at first: it may be another file.
		const before = await this.getAttributes(id, handle);
		if (isRefused(before)) return before;
		const path = this.#path(node);
		if (size !== undefined) {
			const file = this.#openFileOf(node, handle) ?? (isRefused(path) ? this.#anyOpenFileOf(node) : undefined);
			const known = isRefused(path) ? undefined : path;
			const isThere = file !== undefined || known !== undefined;
			const done = isThere ? await this.#ask('truncate', {file, path: known, length: size}) : path;
			if (isRefused(done)) return done;
		}
		if (isRefused(path)) {
			// A file without a name is cut, which gives it its time; for all else an object has to have its path.
			const {accessed, modified} = changes;
			const isCut = size !== undefined && accessed === undefined && (modified ?? 'now') === 'now';
			return isCut && (mode ?? uid ?? gid) === undefined ? this.getAttributes(id, handle) : path;
		}
		const isFixed = typeof this.#options.owner === 'object';
		const owner = {uid: uid ?? before.uid, gid: gid ?? before.gid};
		if (owner.uid !== before.uid || owner.gid !== before.gid) {
			const done = isFixed ? -Errno.EPERM : await this.#ask('chown', {path, ...owner});
			if (isRefused(done)) return done;
		}
		if (mode !== undefined) {
			const done = await this.#ask('chmod', {path, mode});
			if (isRefused(done)) return done;
		}
		const refused = await this.#setTimes(path, changes, before);
		return isRefused(refused) ? refused : this.getAttributes(id, handle);
	}

	async readLink(id: NodeId): Promise<Uint8Array | Refused> {
		const node = this.#tree.get(id);
		if (node === undefined) return -Errno.ESTALE;
		const path = this.#path(node);
		if (isRefused(path)) return path;
		const target = await this.#ask('readlink', {path});
		if (isRefused(target)) return target;
		const bytes = typeof target === 'string' ? Buffer.from(target) : Buffer.alloc(0);
		return bytes.length === 0 || bytes.length > 4095 || bytes.includes(0) ? -Errno.EIO : bytes;
	}

	async makeLink(parent: NodeId, name: Name, target: Uint8Array, owner: Owner): Promise<Entry | Refused> {
		const text = textOf(target);
		if (text === undefined) return -Errno.EILSEQ;
		return this.#make(parent, name, owner, (path) => this.#ask('symlink', {path, target: text}));
	}

	async makeNode(parent: NodeId, name: Name, mode: number, _device: number, owner: Owner): Promise<Entry | Refused> {
		const type = mode & FileType.MASK;
		if (type !== 0 && type !== FileType.REGULAR) return -Errno.EPERM;
		const flags = createFlag | OpenFlag.EXCLUSIVE | OpenFlag.WRITE;
		return this.#make(parent, name, owner, async (path) => {
			const file = await this.#openFile(path, flags, mode & permissionBits);
			return isRefused(file) ? file : this.#ask('close', {file});
		});
	}

	async makeDirectory(parent: NodeId, name: Name, mode: number, owner: Owner): Promise<Entry | Refused> {
		return this.#make(parent, name, owner, (path) => this.#ask('mkdir', {path, mode: mode & permissionBits}));
	}

	async unlink(parent: NodeId, name: Name): Promise<0 | Refused> {
		return this.#remove(parent, name, 'unlink');
	}

	async removeDirectory(parent: NodeId, name: Name): Promise<0 | Refused> {
		return this.#remove(parent, name, 'rmdir');
	}

	async rename(parent: NodeId, name: Name, newParent: NodeId, newName: Name, flags: number): Promise<0 | Refused> {
		if ((flags & ~RenameFlag.NOREPLACE) !== 0) return -Errno.EINVAL;
		const [from, to] = [this.#directory(parent), this.#directory(newParent)];
		if (isRefused(from)) return from;
		if (isRefused(to)) return to;
		const [path, target] = [this.#writablePath(from, name), this.#writablePath(to, newName)];
		if (isRefused(path)) return path;
		if (isRefused(target)) return target;
		if (flags === RenameFlag.NOREPLACE) {
			const there = await this.#ask('stat', {path: target});
			if (!isRefused(there)) return -Errno.EEXIST;
			if (there !== -Errno.ENOENT) return there;
		}
		const done = await this.#ask('rename', {path, to: target});
		if (isRefused(done)) return done;
		this.#tree.moved(from, name, to, newName);
		return 0;
	}

	async link(id: NodeId, newParent: NodeId, newName: Name): Promise<Entry | Refused> {
		const node = this.#tree.get(id);
		if (node === undefined) return -Errno.ESTALE;
		const path = this.#path(node);
		if (isRefused(path)) return path;
		return this.#make(newParent, newName, undefined, (to) => this.#ask('link', {path, to}));
	}

	async open(id: NodeId, flags: number): Promise<HandleId | Refused> {
		const node = this.#tree.get(id);
		if (node === undefined) return -Errno.ESTALE;
		if (node.data.type === FileType.DIRECTORY) return -Errno.EISDIR;
		if (node.data.type !== FileType.REGULAR) return -Errno.ELOOP;
		if (this.#handles.isFull) return -Errno.ENFILE;
		const changes = (flags & OpenFlag.ACCESS) !== OpenFlag.READ || (flags & OpenFlag.TRUNCATE) !== 0;
		const path = changes ? this.#writablePath(node) : this.#path(node);
		if (isRefused(path)) return path;
		if (changes) {
			// It may have become another file, which is not the guest's to write to under this number.
			const there = await this.#attributesOf(node, 'stat', {path});
			if (isRefused(there)) return isGone(there) ? -Errno.ESTALE : there;
		}
		const file = await this.#openFile(path, flags & (passedFlags | OpenFlag.TRUNCATE), 0);
		return isRefused(file) ? file : this.#add({node, flags: flags & passedFlags, file, names: undefined});
	}

	async create(parent: NodeId, name: Name, flags: number, mode: number, owner: Owner): Promise<Created | Refused> {
		if (this.#handles.isFull) return -Errno.ENFILE;
		let file = 0;
		const entry = await this.#make(parent, name, owner, async (path) => {
			const opened = await this.#openFile(
				path,
				createFlag | (flags & (passedFlags | onceFlags)),
				mode & permissionBits,
			);
			if (!isRefused(opened)) file = opened;
			return opened;
		});
		if (isRefused(entry)) {
			if (file > 0) await this.#ask('close', {file});
			return entry;
		}
		const node = this.#tree.get(entry.node) as Node;
		const handle = await this.#add({node, flags: flags & passedFlags, file, names: undefined});
		if (!isRefused(handle)) return {...entry, handle};
		this.forget(entry.node, 1);
		return handle;
	}

	async read(id: HandleId, offset: number, target: BytesToGuest): Promise<number | Refused> {
		const {file, flags} = this.#handles.get(id) ?? noHandle;
		if (file === undefined || (flags & OpenFlag.ACCESS) === OpenFlag.WRITE) return -Errno.EBADF;
		const buffer = this.#buffers.take(Math.min(target.length, mostMoved));
		let done = 0;
		while (done < target.length) {
			const memory = buffer.subarray(0, Math.min(target.length - done, buffer.length));
			const count = await this.#move('read', {file, position: offset + done, memory});
			if (isRefused(count)) return done > 0 ? done : count;
			if (!target.write(done, memory, 0, count)) return -Errno.EFAULT;
			done += count;
			if (count < memory.length) break;
		}
		this.#buffers.giveBack(buffer);
		return done;
	}

	async write(id: HandleId, offset: number, source: BytesFromGuest): Promise<number | Refused> {
		const {file, flags} = this.#handles.get(id) ?? noHandle;
		if (file === undefined || (flags & OpenFlag.ACCESS) === OpenFlag.READ) return -Errno.EBADF;
		const buffer = this.#buffers.take(Math.min(source.length, mostMoved));
		let done = 0;
		while (done < source.length) {
			const memory = buffer.subarray(0, Math.min(source.length - done, buffer.length));
			if (!source.read(done, memory)) return -Errno.EFAULT;
			const count = await this.#move('write', {file, position: offset + done, memory});
			if (isRefused(count)) return done > 0 ? done : count;
			done += count;
			if (count < memory.length) break;
		}
		this.#buffers.giveBack(buffer);
		return done;
	}

	flush(id: HandleId): Done {
		return this.#handles.get(id)?.file === undefined ? -Errno.EBADF : 0;
	}

	async release(id: HandleId): Promise<0 | Refused> {
		const {file} = this.#handles.get(id) ?? {};
		if (file === undefined) return -Errno.EBADF;
		this.#forgetHandle(id);
		const closed = await this.#ask('close', {file});
		return isRefused(closed) ? closed : 0;
	}

	async sync(id: HandleId): Promise<0 | Refused> {
		const {file} = this.#handles.get(id) ?? {};
		if (file === undefined) return -Errno.EBADF;
		const synced = await this.#ask('sync', {file});
		return isRefused(synced) ? synced : 0;
	}

	openDirectory(id: NodeId): Answer<HandleId> {
		const node = this.#directory(id);
		if (isRefused(node)) return node;
		if (this.#handles.isFull) return -Errno.ENFILE;
		const own: ObjectHandle = {node, flags: 0, file: undefined, names: undefined};
		const handle = this.#handles.add(own);
		if (!isRefused(handle)) this.#hold(own);
		return handle;
	}

	async readDirectory(id: HandleId, cookie: bigint, most: number): Promise<readonly DirectoryEntry[] | Refused> {
		const handle = this.#handles.get(id);
		if (handle === undefined || handle.file !== undefined) return -Errno.EBADF;
		if (cookie === 0n || handle.names === undefined) {
			const path = this.#path(handle.node);
			if (isRefused(path)) return path;
			const answer = await this.#ask('list', {path});
			if (isRefused(answer)) return answer;
			const names = toldNames(answer);
			if (names === undefined) return -Errno.EIO;
			handle.names = [...['.', '..'].map((name) => ({name, type: FileType.DIRECTORY})), ...names];
			this.#keepNames(handle);
		}
		const {names = [], node} = handle;
		const first = cookie < BigInt(names.length) ? Number(cookie) : names.length;
		return names.slice(first, first + most).map(({name, type}, index) => ({
			name,
			type,
			inode: this.#inodeIn(node, name),
			cookie: BigInt(first + index + 1),
		}));
	}

	releaseDirectory(id: HandleId): Done {
		const handle = this.#handles.get(id);
		if (handle === undefined || handle.file !== undefined) return -Errno.EBADF;
		this.#forgetHandle(id);
		return 0;
	}

	syncDirectory(id: HandleId): Done {
		const handle = this.#handles.get(id);
		return handle === undefined || handle.file !== undefined ? -Errno.EBADF : 0;
	}

	async space(_node: NodeId): Promise<FolderSpace | Refused> {
		const answer = await this.#ask('statfs', {path: '/'});
		if (answer === -Errno.EOPNOTSUPP) return unknownSpace;
		return isRefused(answer) ? answer : (toldSpace(answer) ?? -Errno.EIO);
	}

	save(): SavedFolder {
		const handles = [...this.#handles].map(([id, {node, flags, file}]) => ({
			id,
			node: node.id,
			flags,
			isDirectory: file === undefined,
		}));
		return {...this.#tree.save(), handles};
	}

	async restore({nodes, handles, next}: SavedFolder): Promise<0 | Refused> {
		for (const saved of nodes) {
			const parent = this.#tree.get(saved.parent);
			const path = parent && this.#path(parent, saved.name as Name);
			const told = path === undefined || isRefused(path) ? undefined : toldFile(await this.#ask('stat', {path}));
			const type = told === undefined ? 0 : told.mode & FileType.MASK;
			const inode = told === undefined ? 0n : this.#inodeOf(told, path as string);
			this.#tree.restore(saved, undefined, {inode, type, open: new Set()});
		}
		this.#tree.skipTo(next);
		for (const {id, node: nodeId, flags, isDirectory} of handles) {
			const node = this.#tree.get(nodeId);
			const path = node && this.#path(node);
			if (node === undefined || path === undefined || isRefused(path)) continue;
			const file = isDirectory ? undefined : await this.#openFile(path, flags & passedFlags, 0);
			if (isRefused(file)) continue;
			const handle: ObjectHandle = {node, flags, file, names: undefined};
			if (this.#handles.restore(id, handle)) this.#hold(handle);
			else if (file !== undefined) await this.#ask('close', {file});
		}
		return 0;
	}

	clear(): void {
		void this.#closeAll();
		this.#listed.clear();
		this.#tree = treeOf(this.#options);
		this.#handles = new HandleTable(this.#options.mostHandles);
	}

	close(): Promise<void> {
		return this.#closeAll();
	}

	async #closeAll(): Promise<void> {
		const files = [...this.#handles].flatMap(([, {file}]) => (file === undefined ? [] : [file]));
		await Promise.all(files.map((file) => this.#ask('close', {file})));
	}

	/** What a call gives, or why it gives nothing. */
	async #ask<K extends CallName>(method: K, argument: CallArguments[K]): Promise<unknown> {
		const answer = await this.#call(method, argument);
		switch (answer.kind) {
			case 'value':
				// An object's own number is no error of ours.
				return isRefused(answer.value) ? -Errno.EIO : answer.value;
			case 'failed':
				return -(errnos[answer.code ?? ''] ?? Errno.EIO);
			case 'given-up':
				return -Errno.ETIMEDOUT;
			case 'gone':
				return -Errno.EIO;
		}
	}

	/** Moves bytes; an object that says that it has moved more than it could have makes no sense. */
	async #move(method: 'read' | 'write', argument: CallArguments['read']): Promise<number | Refused> {
		const count = await this.#ask(method, argument);
		if (isRefused(count)) return count;
		const isRight = Number.isSafeInteger(count) && (count as number) <= argument.memory.length;
		return isRight ? (count as number) : -Errno.EIO;
	}

	async #openFile(path: string, flags: number, mode: number): Promise<number | Refused> {
		const file = await this.#ask('open', {path, flags, mode});
		return isRefused(file) || Number.isSafeInteger(file) ? (file as number) : -Errno.EIO;
	}

	#directory(id: NodeId): Node | Refused {
		const node = this.#tree.get(id);
		if (node === undefined) return -Errno.ESTALE;
		return node.data.type === FileType.DIRECTORY ? node : -Errno.ENOTDIR;
	}

	/** As the object has it: `/` and names, in UTF-8. */
	#path(node: Node, name?: Name): string | Refused {
		const path = this.#tree.path(node, name);
		return isRefused(path) ? path : (textOf(nameBytes(`/${path}`)) ?? -Errno.EILSEQ);
	}

	#writablePath(node: Node, name?: Name): string | Refused {
		return this.#options.readOnly ? -Errno.EROFS : this.#path(node, name);
	}

	/** Looks at what is under a name, and enters it. */
	async #enter(directory: Node, name: Name): Promise<Entry | Refused> {
		const path = this.#path(directory, name);
		if (isRefused(path)) return path;
		const answer = await this.#ask('stat', {path});
		if (answer === -Errno.ENOENT) this.#tree.removed(directory, name);
		if (isRefused(answer)) return answer;
		const told = toldFile(answer);
		if (told === undefined) return -Errno.EIO;
		const type = told.mode & FileType.MASK;
		const inode = this.#inodeOf(told, path);
		const known = this.#tree.child(directory, name);
		const isOther =
			known !== undefined && (known.data.type !== type || (told.inode !== 0n && known.data.inode !== inode));
		if (isOther) this.#tree.removed(directory, name);
		const kept = known === undefined || isOther ? {inode, type, open: new Set<ObjectHandle>()} : known.data;
		const node = this.#tree.enter(directory, name, undefined, kept);
		if (isRefused(node)) return node;
		return {node: node.id, attributes: this.#seen(told, kept.inode)};
	}

	async #make(
		parent: NodeId,
		name: Name,
		owner: Owner | undefined,
		make: (path: string) => Promise<unknown>,
	): Promise<Entry | Refused> {
		const directory = this.#directory(parent);
		if (isRefused(directory)) return directory;
		const path = this.#writablePath(directory, name);
		if (isRefused(path)) return path;
		if (!this.#tree.makeRoom()) return -Errno.ENFILE;
		const made = await make(path);
		if (isRefused(made)) return made;
		const entry = await this.#enter(directory, name);
		if (owner === undefined || isRefused(entry) || this.#options.owner !== 'host') return entry;
		const {uid, gid} = entry.attributes;
		if (owner.uid === uid && owner.gid === gid) return entry;
		// An object that knows no owners keeps its own.
		const owned = await this.#ask('chown', {path, ...owner});
		return isRefused(owned) ? entry : {...entry, attributes: {...entry.attributes, ...owner}};
	}

	async #remove(parent: NodeId, name: Name, method: 'unlink' | 'rmdir'): Promise<0 | Refused> {
		const directory = this.#directory(parent);
		if (isRefused(directory)) return directory;
		const path = this.#writablePath(directory, name);
		if (isRefused(path)) return path;
		const done = await this.#ask(method, {path});
		if (isRefused(done)) return done;
		this.#tree.removed(directory, name);
		return 0;
	}

	async #setTimes(path: string, changes: AttributeChanges, before: Attributes): Promise<unknown> {
		const {accessed, modified} = changes;
		if (accessed === undefined && modified === undefined) return 0;
		const seconds = (time: typeof accessed, other: Attributes['accessed']) => {
			if (time === 'now') return Date.now() / 1000;
			const {seconds: whole, nanoseconds} = time ?? other;
			return whole + nanoseconds / 1e9;
		};
		return this.#ask('utimes', {
			path,
			accessed: seconds(accessed, before.accessed),
			modified: seconds(modified, before.modified),
		});
	}

	/** What is told of a node; -ESTALE where the object says that it is another file. */
	async #attributesOf<K extends 'stat' | 'fileStat'>(
		{id, data: {inode, type}}: Node,
		method: K,
		argument: CallArguments[K],
	): Promise<Attributes | Refused> {
		const answer = await this.#ask(method, argument);
		if (isRefused(answer)) return answer;
		const told = toldFile(answer);
		if (told === undefined) return -Errno.EIO;
		const isOther = (told.mode & FileType.MASK) !== type || (told.inode !== 0n && told.inode !== inode);
		// An open file is the one that was opened, and the folder is where it is.
		return isOther && method === 'stat' && id !== rootNode ? -Errno.ESTALE : this.#seen(told, inode);
	}

	/** The object's number of an open file of a node, which the guest gives. */
	#openFileOf(node: Node, handle: HandleId | undefined): number | undefined {
		const given = handle === undefined ? undefined : this.#handles.get(handle);
		return given?.node === node ? given.file : undefined;
	}

	/** The same of any that the guest has: one that can be written to, if there is one. */
	#anyOpenFileOf({data: {open}}: Node): number | undefined {
		const files = [...open].filter(({file}) => file !== undefined);
		return (files.find(({flags}) => (flags & OpenFlag.ACCESS) !== OpenFlag.READ) ?? files[0])?.file;
	}

	/** Has a directory's names kept, and those forgotten that were listed longest ago where there are too many: they are listed anew. */
	#keepNames(handle: ObjectHandle): void {
		this.#listed.delete(handle);
		this.#listed.add(handle);
		let count = 0;
		for (const {names = []} of this.#listed) count += names.length;
		for (const oldest of this.#listed) {
			if (count <= mostListed || oldest === handle) return;
			count -= oldest.names?.length ?? 0;
			oldest.names = undefined;
			this.#listed.delete(oldest);
		}
	}

	#hold(handle: ObjectHandle): void {
		handle.node.data.open.add(handle);
		this.#tree.hold(handle.node);
	}

	#seen(told: ToldFile, inode: bigint): Attributes {
		const {owner} = this.#options;
		return {...told, inode, ...(typeof owner === 'object' && owner)};
	}

	/** The object's own number, or one that is made of the path. */
	#inodeOf(told: ToldFile, path: string): bigint {
		return told.inode === 0n ? inodeOfPath(path) : told.inode;
	}

	#inodeIn(directory: Node, name: string): bigint {
		if (name === '.') return directory.data.inode;
		if (name === '..') return (directory.parent ?? directory).data.inode;
		const path = this.#path(directory, name as Name);
		return this.#tree.child(directory, name as Name)?.data.inode ?? (isRefused(path) ? 0n : inodeOfPath(path));
	}

	/** Adds a handle whose file is open, or closes that. */
	async #add(handle: ObjectHandle & {readonly file: number}): Promise<HandleId | Refused> {
		const {node, file} = handle;
		// The guest may have forgotten it meanwhile.
		const isKnown = node.id === rootNode || this.#tree.get(node.id) === node;
		const id = isKnown ? this.#handles.add(handle) : -Errno.ESTALE;
		if (isRefused(id)) await this.#ask('close', {file});
		else this.#hold(handle);
		return id;
	}

	#forgetHandle(id: HandleId): void {
		const handle = this.#handles.remove(id);
		if (handle === undefined) return;
		this.#listed.delete(handle);
		handle.node.data.open.delete(handle);
		this.#tree.letGo(handle.node);
	}
}

const treeOf = ({mostNodes}: FolderOptions) =>
	new NodeTree<ObjectNode>({inode: 1n, type: FileType.DIRECTORY, open: new Set()}, mostNodes);

/** In the place of a handle that there is not. */
const noHandle = {file: undefined, flags: 0} as const;

/** A name means the file no more. */
const isGone = (answer: unknown): boolean => answer === -Errno.ENOENT || answer === -Errno.ESTALE;

const errnos: Readonly<Record<string, number>> = Errno;
const decoder = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true});

function textOf(bytes: Uint8Array): string | undefined {
	try {
		return decoder.decode(bytes);
	} catch {
		return undefined;
	}
}

/** A number of 63 bits, the same whenever somebody asks. */
const inodeOfPath = (path: string): bigint => createHash('sha1').update(path).digest().readBigUInt64LE() | (1n << 62n);
