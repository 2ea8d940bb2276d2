import {setImmediate} from 'node:timers/promises';
import {type Folder, type FolderOptions, folderDefaults} from '#devices/folder';
import {TestDriver, VirtioMachine} from '#devices/virtio/testing';
import {Errno} from '#support/ffi';
import {virtioFsMmioType, virtioFsPciType} from '../device-types.ts';
import {
	AttrOut,
	CreateIn,
	EntryOut,
	fuseVersion,
	InHeader,
	InitIn,
	InitOut,
	Opcode,
	OpenIn,
	OpenOut,
	OutHeader,
	ReadIn,
	WriteIn,
	WriteOut,
} from '../layout.ts';
import {virtioFsOver} from '../virtio-fs.ts';

const [urgentQueue, requestQueue] = [0, 1];
const [requestAt, answerAt, mostBytes] = [0x4_0000, 0xa_0000, 0x4_0000];
/** More looks than the slowest host needs. */
const mostLooks = 1_000_000;

/** What a client has been answered. */
export interface Answered {
	/** 0 or a negated errno. */
	readonly error: number;
	readonly payload: Buffer;
}

/** Fields of a request's header; the others are as a well-behaved client has them. */
export type GivenHeader = Partial<Parameters<typeof InHeader.encode>[0]>;

/** A name as FUSE has it. */
export const named = (name: string | Uint8Array): Buffer => Buffer.concat([Buffer.from(name), Uint8Array.of(0)]);

/** A device over a folder that is open already. */
const openFolder = (folder: Folder) =>
	virtioFsOver<undefined>(
		() => folder,
		() => 'never',
	).pci;
const openConfig = {tag: 'host', folder: undefined, windowBytes: 0};

/** A guest's driver of a shared folder, whose every request a test writes and whose answers it reads. */
export class FsDriver {
	readonly machine: VirtioMachine;
	readonly driver: TestDriver;
	#unique = 0n;

	constructor(machine: VirtioMachine) {
		this.machine = machine;
		this.driver = new TestDriver(machine, 256);
	}

	/** A machine whose guest has not begun with the folder. */
	static async start(
		path: string,
		options: Partial<FolderOptions> = {},
		transport: 'pci' | 'mmio' = 'pci',
		windowBytes = 0,
		workers = 2,
	): Promise<FsDriver> {
		const folder = {folder: path, options: {...folderDefaults, ...options}};
		const model = {...{pci: virtioFsPciType, mmio: virtioFsMmioType}[transport], workers: () => workers};
		const made = new FsDriver(await VirtioMachine.opened(model, transport, {tag: 'host', folder, windowBytes}));
		made.driver.begin([], 2);
		return made;
	}

	/** One that has mounted a folder that is open already, without a cache. */
	static async over(folder: Folder): Promise<FsDriver> {
		const made = new FsDriver(await VirtioMachine.opened(openFolder(folder), 'pci', openConfig));
		made.driver.begin([], 2);
		await made.init();
		return made;
	}

	/** One that has the folder mounted. */
	static async mounted(path: string, options: Partial<FolderOptions> = {}): Promise<FsDriver> {
		const made = await FsDriver.start(path, options);
		await made.init();
		return made;
	}

	/**
	 * A machine on PCI that goes on where another one is, which has stopped.
	 * @param kept - what the snapshot has of its folder, when that is not what was saved
	 */
	static async restored(
		path: string,
		other: FsDriver,
		kept: Uint8Array = other.kept.slice(),
		windowBytes = 0,
	): Promise<FsDriver> {
		const config = {tag: 'host', folder: {folder: path, options: folderDefaults}, windowBytes};
		const made = await FsDriver.#goesOn(new VirtioMachine(virtioFsPciType, 'pci', config, false), other, kept);
		await made.machine.run();
		return made;
	}

	/** The same over a folder that is open already; its files are still to be found. */
	static goesOnOver(folder: Folder, other: FsDriver): Promise<FsDriver> {
		const machine = new VirtioMachine(openFolder(folder), 'pci', openConfig, false);
		return FsDriver.#goesOn(machine, other, other.kept.slice());
	}

	static async #goesOn(machine: VirtioMachine, other: FsDriver, kept: Uint8Array): Promise<FsDriver> {
		await machine.open();
		const made = new FsDriver(machine);
		const ram = new Uint8Array(0x10_0000);
		other.machine.memory.copyOut(0, ram);
		machine.memory.copyIn(0, ram);
		made.kept.set(kept);
		machine.machine.restore(other.machine.machine.save());
		made.driver.resume(other.driver);
		made.#unique = other.#unique;
		machine.start();
		return made;
	}

	/** Memory of the device's that snapshots have. */
	get kept(): Uint8Array {
		return new Uint8Array(this.machine.machine.devices.at(-1)?.placed.hostMemory as SharedArrayBuffer);
	}

	/** Number of the last request. */
	get lastUnique(): bigint {
		return this.#unique;
	}

	/** Lets a second pass. */
	expire(): void {
		for (const {reactor} of this.machine.workers) reactor.turn(1e9);
	}

	async init(): Promise<ReturnType<typeof InitOut.read>> {
		const words = InitIn.encode({...fuseVersion, max_readahead: 65_536, flags: 2 ** 32 - 1});
		const {error, payload} = await this.ask(Opcode.INIT, 0, words);
		if (error !== 0) throw new Error(`INIT: ${error}`);
		return InitOut.read(payload);
	}

	/** Makes a request, and waits for its answer. */
	async ask(
		opcode: number,
		nodeid: number,
		words: Uint8Array = new Uint8Array(),
		{room = 65_536, ...header}: GivenHeader & {readonly room?: number} = {},
	): Promise<Answered> {
		this.put(opcode, nodeid, words, {room, ...header});
		return this.answer();
	}

	/** Makes a request. @param place - of its own, where others are under way: then it is short */
	put(
		opcode: number,
		nodeid: number,
		words: Uint8Array,
		{room = 65_536, place = 0, ...header}: GivenHeader & {readonly room?: number; readonly place?: number} = {},
	): void {
		const [from, to] = [requestAt + 256 * place, answerAt + 256 * place];
		const {memory} = this.machine;
		const length = InHeader.size + words.length;
		const head = InHeader.encode({len: length, opcode, unique: ++this.#unique, nodeid, ...header});
		const bytes = Buffer.concat([head, words]);
		if (bytes.length > mostBytes || room > mostBytes) throw new RangeError('there is no memory for it');
		memory.copyIn(from, bytes, 0, bytes.length);
		this.driver.offer(
			[{at: from, length: bytes.length}, ...(room > 0 ? [{at: to, length: room, writable: true}] : [])],
			{queue: requestQueue, head: 2 * place},
		);
		this.machine.registers.notify(requestQueue);
	}

	/** Waits for the answer to the last request. */
	async answer(): Promise<Answered> {
		return this.#read(await this.answers(1));
	}

	/** Waits for so many answers. Returns how many bytes the last one has. */
	async answers(count: number): Promise<number> {
		let [left, written] = [count, 0];
		for (let look = 0; look < mostLooks; look++) {
			for (const [worker] of this.machine.workers.entries()) this.machine.turn(worker);
			for (const [, bytes] of this.driver.used(requestQueue)) [left, written] = [left - 1, bytes];
			if (left === 0) return written;
			await setImmediate();
		}
		throw new Error('nobody answers');
	}

	/** Error of the answer to a request that had a place of its own. */
	errorAt(place: number): number {
		const bytes = new Uint8Array(OutHeader.size);
		this.machine.memory.copyOut(answerAt + 256 * place, bytes);
		return OutHeader.read(bytes).error;
	}

	/** Says something in the urgent queue, and waits until it is heard. */
	async say(opcode: number, nodeid: number, words: Uint8Array): Promise<void> {
		this.tell(opcode, nodeid, words);
		await this.machine.run();
		this.driver.used(urgentQueue);
	}

	/** Says something in the urgent queue. */
	tell(opcode: number, nodeid: number, words: Uint8Array): void {
		const head = InHeader.encode({len: InHeader.size + words.length, opcode, nodeid});
		const bytes = Buffer.concat([head, words]);
		this.machine.memory.copyIn(requestAt, bytes, 0, bytes.length);
		this.driver.offer([{at: requestAt, length: bytes.length}], {queue: urgentQueue});
		this.machine.registers.notify(urgentQueue);
	}

	/** Looks a name up. Returns its node, or a negated errno; no node is no such name, which Linux remembers. */
	async lookup(parent: number, name: string | Uint8Array): Promise<number> {
		const {error, payload} = await this.ask(Opcode.LOOKUP, parent, named(name));
		return error === 0 ? Number(EntryOut.read(payload).nodeid) || -Errno.ENOENT : error;
	}

	/** Looks a path up. */
	async find(path: string): Promise<number> {
		let node = 1;
		for (const name of path.split('/')) if (node > 0) node = await this.lookup(node, name);
		return node;
	}

	async attributes(node: number) {
		const {error, payload} = await this.ask(Opcode.GETATTR, node, new Uint8Array(16));
		return error === 0 ? AttrOut.read(payload).attr : error;
	}

	/** Opens a file. Returns its handle, or a negated errno. */
	async open(node: number, flags = 2, opcode: number = Opcode.OPEN): Promise<number> {
		const {error, payload} = await this.ask(opcode, node, OpenIn.encode({flags}));
		return error === 0 ? Number(OpenOut.read(payload).fh) : error;
	}

	/** Makes a file. Returns its node and handle, or a negated errno. */
	async create(parent: number, name: string, flags = 0o102, mode = 0o644, header: GivenHeader = {}) {
		const words = Buffer.concat([CreateIn.encode({flags, mode}), named(name)]);
		const {error, payload} = await this.ask(Opcode.CREATE, parent, words, header);
		if (error !== 0) return error;
		return {
			node: Number(EntryOut.read(payload).nodeid),
			handle: Number(OpenOut.read(payload, EntryOut.size).fh),
		};
	}

	async read(handle: number, offset: number, size: number, node = 0): Promise<Buffer | number> {
		const room = OutHeader.size + size;
		const {error, payload} = await this.ask(Opcode.READ, node, ReadIn.encode({fh: handle, offset, size}), {room});
		return error === 0 ? payload : error;
	}

	async write(handle: number, offset: number, data: Uint8Array): Promise<number> {
		const words = Buffer.concat([WriteIn.encode({fh: handle, offset, size: data.length}), data]);
		const {error, payload} = await this.ask(Opcode.WRITE, 0, words);
		return error === 0 ? WriteOut.read(payload).size : error;
	}

	/** Names of a directory, `.` and `..` among them. */
	async list(node: number, opcode: number = Opcode.READDIR, size = 4096): Promise<string[] | number> {
		const handle = await this.open(node, 0, Opcode.OPENDIR);
		if (handle < 0) return handle;
		const names: string[] = [];
		const head = opcode === Opcode.READDIRPLUS ? EntryOut.size : 0;
		for (let offset = 0n; ; ) {
			const words = ReadIn.encode({fh: handle, offset, size});
			const {error, payload} = await this.ask(opcode, node, words);
			if (error !== 0) return error;
			if (payload.length === 0) break;
			for (let at = head; at < payload.length; ) {
				const length = payload.readUInt32LE(at + 16);
				offset = payload.readBigUInt64LE(at + 8);
				names.push(payload.toString('latin1', at + 24, at + 24 + length));
				at += Math.ceil((head + 24 + length) / 8) * 8;
			}
		}
		await this.ask(Opcode.RELEASEDIR, node, releaseOf(handle));
		return names;
	}

	#read(written: number): Answered {
		if (written < OutHeader.size) return {error: Number.NaN, payload: Buffer.alloc(0)};
		const bytes = Buffer.alloc(written);
		this.machine.memory.copyOut(answerAt, bytes, 0, written);
		const {len, error, unique} = OutHeader.read(bytes);
		if (len !== written || unique !== this.#unique) throw new Error(`an answer of ${len} bytes to ${unique}`);
		return {error, payload: bytes.subarray(OutHeader.size)};
	}
}

/** Words of RELEASE and RELEASEDIR. */
export function releaseOf(handle: number, flags = 0, owner = 0n): Buffer {
	const words = Buffer.alloc(24);
	words.writeBigUInt64LE(BigInt(handle), 0);
	words.writeUInt32LE(flags, 12);
	words.writeBigUInt64LE(owner, 16);
	return words;
}
