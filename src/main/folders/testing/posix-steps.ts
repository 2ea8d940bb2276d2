import {type AttributeChanges, FileType, OpenFlag} from '#devices/folder';
import type {Errored, PosixClient, Ref, Told} from './posix-client.ts';

const accesses: Readonly<Record<string, number>> = {
	r: OpenFlag.READ,
	w: OpenFlag.WRITE,
	rw: OpenFlag.BOTH,
	wt: OpenFlag.WRITE | OpenFlag.TRUNCATE,
	wa: OpenFlag.WRITE | OpenFlag.APPEND,
	x: OpenFlag.BOTH | OpenFlag.EXCLUSIVE,
};
const types: ReadonlyMap<number, string> = new Map(
	Object.entries(FileType).map(([name, bits]) => [bits, name.toLowerCase()]),
);

/** Fields of what is told of a file, by their names. */
const fields: Readonly<Record<string, (told: Told) => string | undefined>> = {
	type: ({mode}) => types.get(mode & FileType.MASK) ?? '?',
	mode: ({mode}) => `0${(mode & 0o7777).toString(8)}`,
	size: ({size}) => `${size}`,
	links: ({links}) => `${links}`,
	owner: ({uid, gid}) => `${uid}:${gid}`,
	mtime: ({modified}) => `${modified}`,
};

/** A file that is kept open under a name. */
interface Kept {
	readonly file: Ref;
	readonly handle: Ref;
}

type Step = (...words: string[]) => Promise<string>;

/** Steps as lines, `mkdir d 0755`, done by a client as a guest's kernel does system calls: each finds its path anew. */
export class PosixSteps {
	readonly #client: PosixClient;
	readonly #root: Ref;
	readonly #kept = new Map<string, Kept>();

	private constructor(client: PosixClient, root: Ref) {
		this.#client = client;
		this.#root = root;
	}

	/** Steps in a new directory, which is their root. */
	static async within(client: PosixClient, name: string): Promise<PosixSteps> {
		const made = await client.makeDirectory(client.root, name, 0o755);
		const root = await client.find(client.root, name);
		if (typeof root === 'string') throw new Error(`${made}, ${root}`);
		return new PosixSteps(client, root);
	}

	/** @returns `0`, what was asked for, or the name of an error */
	run(line: string): Promise<string> {
		const [name = '', ...words] = line
			.split(' ')
			.map((word) => word.replace(/\{(\d+)\}/, (_, n) => 'x'.repeat(Number(n))));
		const step = this.#steps[name];
		if (step === undefined) throw new TypeError(`there is no step ${name}`);
		return step(...words);
	}

	readonly #steps: Readonly<Record<string, Step>> = {
		mkdir: (path = '', mode = '') =>
			this.#in(path, (at, name) => this.#client.makeDirectory(at, name, Number.parseInt(mode, 8))),
		mkfifo: (path = '', mode = '') =>
			this.#in(path, (at, name) => this.#client.makeNode(at, name, FileType.FIFO | Number.parseInt(mode, 8))),
		mknod: (path = '', mode = '') =>
			this.#in(path, (at, name) => this.#client.makeNode(at, name, FileType.REGULAR | Number.parseInt(mode, 8))),
		symlink: (target = '', path = '') => this.#in(path, (at, name) => this.#client.makeLink(at, name, target)),
		create: (path = '', mode = '', access = 'rw') =>
			this.#in(path, (at, name) => this.#client.create(at, name, accesses[access] ?? 0, Number.parseInt(mode, 8))),
		unlink: (path = '') => this.#in(path, (at, name) => this.#client.remove(at, name, false)),
		rmdir: (path = '') => this.#in(path, (at, name) => this.#client.remove(at, name, true)),
		rename: (from = '', to = '') =>
			this.#in(from, (at, name) => this.#in(to, (toAt, toName) => this.#client.rename(at, name, toAt, toName))),
		link: (from = '', to = '') =>
			this.#of(from, (file) => this.#in(to, (at, name) => this.#client.link(file, at, name))),
		readlink: (path = '') => this.#of(path, (file) => this.#client.target(file)),
		chmod: (path = '', mode = '') => this.#change(path, {mode: Number.parseInt(mode, 8)}),
		chown: (path = '', uid = '', gid = '') => this.#change(path, {uid: Number(uid), gid: Number(gid)}),
		truncate: (path = '', size = '') => this.#change(path, {size: Number(size)}),
		utimes: (path = '', accessed = '', modified = '') =>
			this.#change(path, {
				accessed: {seconds: Number(accessed), nanoseconds: 0},
				modified: {seconds: Number(modified), nanoseconds: 0},
			}),
		stat: (path = '', what = '') => this.#of(path, (file) => this.#told(file, what)),
		newer: (path = '', than = '') =>
			this.#of(path, async (file) => {
				const told = await this.#client.told(file);
				return typeof told === 'string' ? told : told.modified > Number(than) ? 'yes' : 'no';
			}),
		ls: (path = '') => this.#of(path, async (file) => (await this.#client.names(file)).toSorted().join()),
		open: (path = '', access = '') => this.#opened(path, access, async () => '0'),
		read: (path = '') => this.#opened(path, 'r', (handle) => this.#client.read(handle)),
		write: (path = '', access = '', offset = '', text = '') =>
			this.#opened(path, access, (handle) => this.#client.write(handle, Number(offset), text)),
		keep: async (name = '', path = '', access = '') => {
			const file = await this.#find(path);
			if (typeof file === 'string') return file;
			const handle = await this.#client.open(file, accesses[access] ?? 0);
			if (typeof handle === 'string') return handle;
			this.#kept.set(name, {file, handle});
			return '0';
		},
		kstat: (name = '', what = '') => this.#told(this.#have(name).file, what),
		kread: (name = '') => this.#client.read(this.#have(name).handle),
		kwrite: (name = '', offset = '', text = '') => this.#client.write(this.#have(name).handle, Number(offset), text),
		ktruncate: (name = '', size = '') => this.#client.change(this.#have(name).file, {size: Number(size)}),
		kchmod: (name = '', mode = '') => this.#client.change(this.#have(name).file, {mode: Number.parseInt(mode, 8)}),
		kopen: async (name = '', access = '') => {
			const {file} = this.#have(name);
			const handle = await this.#client.open(file, accesses[access] ?? 0);
			if (typeof handle !== 'string') await this.#client.close(file, handle);
			return typeof handle === 'string' ? handle : '0';
		},
		kclose: async (name = '') => {
			const {file, handle} = this.#have(name);
			this.#kept.delete(name);
			await this.#client.close(file, handle);
			await this.#client.drop(file);
			return '0';
		},
	};

	#have(name: string): Kept {
		const kept = this.#kept.get(name);
		if (kept === undefined) throw new TypeError(`nothing is kept as ${name}`);
		return kept;
	}

	async #told(file: Ref, what: string): Promise<string> {
		const told = await this.#client.told(file);
		return typeof told === 'string'
			? told
			: what
					.split(',')
					.map((field) => fields[field]?.(told))
					.join();
	}

	#change(path: string, changes: AttributeChanges): Promise<string> {
		return this.#of(path, (file) => this.#client.change(file, changes));
	}

	#opened(path: string, access: string, use: (handle: Ref) => Promise<string>): Promise<string> {
		return this.#of(path, async (file) => {
			const handle = await this.#client.open(file, accesses[access] ?? 0);
			if (typeof handle === 'string') return handle;
			const result = await use(handle);
			await this.#client.close(file, handle);
			return result;
		});
	}

	async #drop(file: Ref): Promise<void> {
		if (file !== this.#root) await this.#client.drop(file);
	}

	/** Finds a path, name by name. */
	async #find(path: string): Promise<Errored<Ref>> {
		let at = this.#root;
		for (const name of path.split('/').filter((each) => each !== '')) {
			const found = await this.#client.find(at, name);
			await this.#drop(at);
			if (typeof found === 'string') return found;
			at = found;
		}
		return at;
	}

	async #of(path: string, use: (file: Ref) => Promise<string>): Promise<string> {
		const file = await this.#find(path);
		if (typeof file === 'string') return file;
		const result = await use(file);
		await this.#drop(file);
		return result;
	}

	/** Has the directory that a path's last name is in. */
	#in(path: string, use: (parent: Ref, name: string) => Promise<string>): Promise<string> {
		const end = path.lastIndexOf('/');
		return this.#of(path.slice(0, Math.max(0, end)), (parent) => use(parent, path.slice(end + 1)));
	}
}
