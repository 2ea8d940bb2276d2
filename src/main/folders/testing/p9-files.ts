import type {AttributeChanges, Folder} from '#devices/folder';
import {type Got, P9Client, Reply, Request, rootFid} from '#devices/virtio/9p/testing';
import type {Errored, PosixClient, Ref, Told} from './posix-client.ts';

/** What Tsetattr says is to change (`P9_ATTR_*`). */
const Change = {MODE: 1, USER: 2, GROUP: 4, SIZE: 8, ACCESSED: 0x90, MODIFIED: 0x120} as const;
const headerBytes = 7;
const nameOf = (text: string) => Buffer.from(text).toString('latin1') as never;
const doneOr = ({error}: Got): string => error ?? '0';

/** A client of 9P, for which each file that it finds or opens is a fid of its own, as Linux has it. */
export class P9Files implements PosixClient {
	readonly root: Ref = rootFid;
	readonly #client: P9Client;
	#next = 1;

	private constructor(client: P9Client) {
		this.#client = client;
	}

	static async over(folder: Folder): Promise<P9Files> {
		const client = await P9Client.start(folder);
		await client.begin();
		return new P9Files(client);
	}

	async find(parent: Ref, name: string): Promise<Errored<Ref>> {
		const newFid = this.#next++;
		const {error} = await this.#client.ask(Request.walk, {fid: parent, newFid, names: [nameOf(name)]});
		return error ?? newFid;
	}

	async drop(fid: Ref): Promise<void> {
		if (fid !== this.root) await this.#client.ask(Request.clunk, {fid});
	}

	async told(fid: Ref): Promise<Errored<Told>> {
		const {error, bytes} = await this.#client.ask(Request.getattr, {fid, mask: 0x7ffn});
		if (error !== undefined) return error;
		const told = Reply.getattr.read(bytes);
		if (typeof told === 'number') return 'malformed';
		const {mode, size, links, user, group, modified} = told;
		return {mode, size: Number(size), links: Number(links), uid: user, gid: group, modified: Number(modified)};
	}

	async change(fid: Ref, {mode, uid, gid, size, accessed, modified}: AttributeChanges): Promise<string> {
		const valid =
			(mode === undefined ? 0 : Change.MODE) |
			(uid === undefined ? 0 : Change.USER) |
			(gid === undefined ? 0 : Change.GROUP) |
			(size === undefined ? 0 : Change.SIZE) |
			(typeof accessed === 'object' ? Change.ACCESSED : 0) |
			(typeof modified === 'object' ? Change.MODIFIED : 0);
		const [at, to] = [accessed, modified].map((time) =>
			typeof time === 'object' ? time : {seconds: 0, nanoseconds: 0},
		) as [{seconds: number; nanoseconds: number}, {seconds: number; nanoseconds: number}];
		return doneOr(
			await this.#client.ask(Request.setattr, {
				...{fid, valid, mode: mode ?? 0, user: uid ?? 0, group: gid ?? 0, size: size ?? 0},
				...{accessed: at.seconds, accessedNs: at.nanoseconds, modified: to.seconds, modifiedNs: to.nanoseconds},
			}),
		);
	}

	async makeDirectory(fid: Ref, name: string, mode: number): Promise<string> {
		return doneOr(await this.#client.ask(Request.mkdir, {fid, name: nameOf(name), mode, group: 0}));
	}

	async makeNode(fid: Ref, name: string, mode: number): Promise<string> {
		const fields = {fid, name: nameOf(name), mode, major: 0, minor: 0, group: 0};
		return doneOr(await this.#client.ask(Request.mknod, fields));
	}

	async makeLink(fid: Ref, name: string, target: string): Promise<string> {
		return doneOr(await this.#client.ask(Request.symlink, {fid, name: nameOf(name), target, group: 0}));
	}

	async target(fid: Ref): Promise<string> {
		const {error, bytes} = await this.#client.ask(Request.readlink, {fid});
		return error ?? bytes.toString('utf8', headerBytes + 2);
	}

	async create(parent: Ref, name: string, flags: number, mode: number): Promise<string> {
		const fid = await this.#copy(parent);
		const made = await this.#client.ask(Request.lcreate, {fid, name: nameOf(name), flags, mode, group: 0});
		await this.drop(fid);
		return doneOr(made);
	}

	async remove(fid: Ref, name: string, isDirectory: boolean): Promise<string> {
		const flags = isDirectory ? 0x200 : 0;
		return doneOr(await this.#client.ask(Request.unlinkat, {fid, name: nameOf(name), flags}));
	}

	async rename(oldDirectory: Ref, name: string, newDirectory: Ref, newName: string): Promise<string> {
		const fields = {oldDirectory, oldName: nameOf(name), newDirectory, newName: nameOf(newName)};
		return doneOr(await this.#client.ask(Request.renameat, fields));
	}

	async link(fid: Ref, directory: Ref, name: string): Promise<string> {
		return doneOr(await this.#client.ask(Request.link, {directory, fid, name: nameOf(name)}));
	}

	async open(file: Ref, flags: number): Promise<Errored<Ref>> {
		const fid = await this.#copy(file);
		const {error} = await this.#client.ask(Request.lopen, {fid, flags});
		if (error === undefined) return fid;
		await this.drop(fid);
		return error;
	}

	async read(fid: Ref): Promise<string> {
		const {error, bytes} = await this.#client.ask(Request.read, {fid, offset: 0, count: 4096});
		return error ?? bytes.toString('utf8', headerBytes + 4);
	}

	async write(fid: Ref, offset: number, text: string): Promise<string> {
		const count = Buffer.byteLength(text);
		return doneOr(await this.#client.ask(Request.write, {fid, offset, count}, {data: text}));
	}

	async close(_file: Ref, handle: Ref): Promise<void> {
		await this.drop(handle);
	}

	async names(directory: Ref): Promise<readonly string[]> {
		const handle = await this.open(directory, 0);
		if (typeof handle === 'string') return [handle];
		const names = await this.#client.names(handle);
		await this.drop(handle);
		return names;
	}

	dispose(): Promise<void> {
		return this.#client.dispose();
	}

	async #copy(fid: Ref): Promise<Ref> {
		const newFid = this.#next++;
		await this.#client.ask(Request.walk, {fid, newFid, names: []});
		return newFid;
	}
}
