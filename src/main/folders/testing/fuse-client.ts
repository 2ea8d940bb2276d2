import type {AttributeChanges, Folder} from '#devices/folder';
import {
	AttrOut,
	EntryOut,
	FsDriver,
	LinkIn,
	MkdirIn,
	MknodIn,
	named,
	Opcode,
	Rename2In,
	releaseOf,
	SetattrIn,
	SetattrValid,
} from '#devices/virtio/fs/testing';
import {type Errored, errnoOf, type PosixClient, type Ref, type Told} from './posix-client.ts';

/** A client of virtio-fs, that asks for attributes by the file alone, as Linux does for fstat(2). */
export class FuseClient implements PosixClient {
	readonly root: Ref = 1;
	readonly #driver: FsDriver;

	private constructor(driver: FsDriver) {
		this.#driver = driver;
	}

	static async over(folder: Folder): Promise<FuseClient> {
		return new FuseClient(await FsDriver.over(folder));
	}

	async find(parent: Ref, name: string): Promise<Errored<Ref>> {
		const node = await this.#driver.lookup(parent, name);
		return node < 0 ? errnoOf(node) : node;
	}

	async drop(file: Ref): Promise<void> {
		if (file !== this.root) await this.#driver.say(Opcode.FORGET, file, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
	}

	async told(file: Ref): Promise<Errored<Told>> {
		const attributes = await this.#driver.attributes(file);
		if (typeof attributes === 'number') return errnoOf(attributes);
		const {mode, size, nlink, uid, gid, mtime} = attributes;
		return {mode, size: Number(size), links: nlink, uid, gid, modified: Number(mtime)};
	}

	async change(file: Ref, {mode, uid, gid, size, accessed, modified}: AttributeChanges): Promise<string> {
		const valid =
			(mode === undefined ? 0 : SetattrValid.MODE) |
			(uid === undefined ? 0 : SetattrValid.UID) |
			(gid === undefined ? 0 : SetattrValid.GID) |
			(size === undefined ? 0 : SetattrValid.SIZE) |
			(typeof accessed === 'object' ? SetattrValid.ATIME : 0) |
			(typeof modified === 'object' ? SetattrValid.MTIME : 0);
		const words = SetattrIn.encode({
			valid,
			...(mode !== undefined && {mode}),
			...(uid !== undefined && {uid}),
			...(gid !== undefined && {gid}),
			...(size !== undefined && {size}),
			...(typeof accessed === 'object' && {atime: BigInt(accessed.seconds), atimensec: accessed.nanoseconds}),
			...(typeof modified === 'object' && {mtime: BigInt(modified.seconds), mtimensec: modified.nanoseconds}),
		});
		const {error, payload} = await this.#driver.ask(Opcode.SETATTR, file, words);
		return error === 0 && payload.length !== AttrOut.size ? 'no attributes' : errnoOf(error);
	}

	makeDirectory(parent: Ref, name: string, mode: number): Promise<string> {
		return this.#makes(Opcode.MKDIR, parent, MkdirIn.encode({mode}), named(name));
	}

	makeNode(parent: Ref, name: string, mode: number): Promise<string> {
		return this.#makes(Opcode.MKNOD, parent, MknodIn.encode({mode}), named(name));
	}

	makeLink(parent: Ref, name: string, target: string): Promise<string> {
		return this.#makes(Opcode.SYMLINK, parent, named(name), named(target));
	}

	async target(file: Ref): Promise<string> {
		const {error, payload} = await this.#driver.ask(Opcode.READLINK, file);
		return error === 0 ? payload.toString() : errnoOf(error);
	}

	async create(parent: Ref, name: string, flags: number, mode: number): Promise<string> {
		const made = await this.#driver.create(parent, name, flags, mode);
		if (typeof made === 'number') return errnoOf(made);
		await this.close(made.node, made.handle);
		await this.drop(made.node);
		return '0';
	}

	remove(parent: Ref, name: string, isDirectory: boolean): Promise<string> {
		return this.#does(isDirectory ? Opcode.RMDIR : Opcode.UNLINK, parent, named(name));
	}

	rename(parent: Ref, name: string, newdir: Ref, newName: string): Promise<string> {
		return this.#does(Opcode.RENAME2, parent, Rename2In.encode({newdir}), named(name), named(newName));
	}

	link(oldnodeid: Ref, parent: Ref, name: string): Promise<string> {
		return this.#makes(Opcode.LINK, parent, LinkIn.encode({oldnodeid}), named(name));
	}

	async open(file: Ref, flags: number): Promise<Errored<Ref>> {
		const handle = await this.#driver.open(file, flags);
		return handle < 0 ? errnoOf(handle) : handle;
	}

	async read(handle: Ref): Promise<string> {
		const content = await this.#driver.read(handle, 0, 4096);
		return typeof content === 'number' ? errnoOf(content) : content.toString();
	}

	async write(handle: Ref, offset: number, text: string): Promise<string> {
		return errnoOf(await this.#driver.write(handle, offset, Buffer.from(text)));
	}

	async close(file: Ref, handle: Ref): Promise<void> {
		await this.#driver.ask(Opcode.RELEASE, file, releaseOf(handle));
	}

	async names(directory: Ref): Promise<readonly string[]> {
		const names = await this.#driver.list(directory);
		return typeof names === 'number' ? [errnoOf(names)] : names;
	}

	dispose(): Promise<void> {
		return this.#driver.machine.dispose();
	}

	async #does(opcode: number, node: Ref, ...words: Uint8Array[]): Promise<string> {
		return errnoOf((await this.#driver.ask(opcode, node, Buffer.concat(words))).error);
	}

	/** The file that is made is looked up once, which is forgotten. */
	async #makes(opcode: number, node: Ref, ...words: Uint8Array[]): Promise<string> {
		const {error, payload} = await this.#driver.ask(opcode, node, Buffer.concat(words));
		if (error === 0) await this.drop(Number(EntryOut.read(payload).nodeid));
		return errnoOf(error);
	}
}
