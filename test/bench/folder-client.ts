/** Guests' drivers of shared folders, for measuring: one request at a time, whose data lie in pages, as Linux has them. */
import type {GuestWindow} from '#devices/guest-memory';
import {Reply, Request} from '#devices/virtio/9p/testing';
import {
	CreateIn,
	EntryOut,
	fuseVersion,
	InHeader,
	InitIn,
	named,
	Opcode,
	OpenIn,
	OpenOut,
	OutHeader,
	ReadIn,
	releaseOf,
	WriteIn,
} from '#devices/virtio/fs/testing';
import {ringIndirect, type TestDriver, type VirtioMachine} from '#devices/virtio/testing';
import {unchecked} from '#support/trust';

/** Bytes of one read or write, which both protocols have. */
export const dataBytes = 2 ** 19;
const pageBytes = 4096;
const pages = dataBytes / pageBytes;
const [NEXT, WRITE, INDIRECT] = [1, 2, 4];
const [requestAt, replyAt, tableAt, dataAt] = [0x2_0000, 0x2_4000, 0x3_0000, 0x6_0000];
/** Room for a reply without data. */
const replyBytes = 0x1000;

/** What a request has beside its message: data to be sent, or room for data behind so many bytes of the reply. */
type Kind = 'plain' | 'sent' | {readonly room: number};

export type FolderDriver = Pick<TestDriver, 'describe' | 'publish' | 'place' | 'begin'> & {
	readonly machine: Pick<VirtioMachine, 'memory' | 'registers'>;
};

/** Requests in one queue, each of which is waited for. */
class Requests {
	readonly #driver: FolderDriver;
	readonly #queue: number;
	readonly #wait: () => void;
	readonly #used: GuestWindow;
	readonly #reply = Buffer.alloc(replyBytes);
	#done = 0;

	/** @param wait - called until there is a reply */
	constructor(driver: FolderDriver, queue: number, wait: () => void) {
		this.#driver = driver;
		this.#queue = queue;
		this.#wait = wait;
		driver.begin([ringIndirect], queue + 1);
		this.#used = driver.machine.memory.mapped(driver.place(queue).device, 4, 4) as GuestWindow;
	}

	/** The reply, as far as it is no data; it is there until the next one. */
	ask(message: Uint8Array, kind: Kind = 'plain'): Buffer {
		const {machine, place} = this.#driver;
		const {memory, registers} = machine;
		memory.copyIn(requestAt, message);
		const buffers = [{at: requestAt, length: message.length, flags: 0}];
		if (kind === 'sent') buffers.push(...dataPages(0));
		const head = typeof kind === 'object' ? kind.room : replyBytes;
		buffers.push({at: replyAt, length: head, flags: WRITE});
		if (typeof kind === 'object') buffers.push(...dataPages(WRITE));
		for (const [index, {at, length, flags}] of buffers.entries()) {
			const isLast = index === buffers.length - 1;
			this.#driver.describe(tableAt, index, at, length, flags | (isLast ? 0 : NEXT), isLast ? 0 : index + 1);
		}
		const {descriptors} = place(this.#queue);
		this.#driver.describe(descriptors, 0, tableAt, 16 * buffers.length, INDIRECT);
		this.#driver.publish(0, this.#queue);
		registers.notify(this.#queue);
		this.#done = (this.#done + 1) & 0xffff;
		while (unchecked(this.#used.acquireU16(2)) !== this.#done) this.#wait();
		memory.copyOut(replyAt, this.#reply, 0, head);
		return this.#reply;
	}
}

const dataPages = (flags: number) =>
	Array.from({length: pages}, (_, index) => ({at: dataAt + pageBytes * index, length: pageBytes, flags}));

/** What is measured of a folder, by whichever protocol. */
export interface FolderClient {
	/** Requests of the protocol that each of these makes. */
	readonly requests: Readonly<Record<'make' | 'look' | 'remove', number>>;
	/** Looks for a name that is not there, makes a file of it, and closes it. */
	make(name: string): void;
	/** Looks at a file: by its name, and for its attributes. */
	look(name: string): void;
	/** Looks for a file, and removes it. */
	remove(name: string): void;
	/** Opens a file whose data are read and written by {@link dataBytes} from then on. */
	open(name: string): void;
	read(offset: number): void;
	write(offset: number): void;
}

/** Somebody's driver of a folder. */
export type MakeClient = (driver: FolderDriver, wait: () => void) => FolderClient;

/** Queue of requests of virtio-fs, behind the urgent one. */
const fuseQueue = 1;
const rootNode = 1;
const [access, flags] = [2, 0o302];

/** Asks as Linux's fs/fuse does, which keeps nothing. */
export const fuseClient: MakeClient = (driver, wait) => {
	const requests = new Requests(driver, fuseQueue, wait);
	const ask = (opcode: number, nodeid: number, words: Uint8Array, kind: Kind = 'plain', sent = 0) => {
		const len = InHeader.size + words.length + sent;
		const reply = requests.ask(Buffer.concat([InHeader.encode({len, opcode, unique: 1n, nodeid}), words]), kind);
		return {error: OutHeader.read(reply).error, payload: reply.subarray(OutHeader.size)};
	};
	const does = (...asked: Parameters<typeof ask>): Buffer => {
		const {error, payload} = ask(...asked);
		if (error !== 0) throw new Error(`request ${asked[0]}: ${error}`);
		return payload;
	};
	const look = (name: string) => Number(EntryOut.read(does(Opcode.LOOKUP, rootNode, named(name))).nodeid);
	let [node, fh] = [0, 0];
	does(Opcode.INIT, 0, InitIn.encode({...fuseVersion, max_readahead: dataBytes, flags: 2 ** 32 - 1}));
	return {
		requests: {make: 3, look: 2, remove: 2},
		make(name) {
			ask(Opcode.LOOKUP, rootNode, named(name));
			const words = Buffer.concat([CreateIn.encode({flags, mode: 0o644}), named(name)]);
			const made = does(Opcode.CREATE, rootNode, words);
			const handle = Number(OpenOut.read(made, EntryOut.size).fh);
			does(Opcode.RELEASE, Number(EntryOut.read(made).nodeid), releaseOf(handle));
		},
		look(name) {
			does(Opcode.GETATTR, look(name), new Uint8Array(16));
		},
		remove(name) {
			look(name);
			does(Opcode.UNLINK, rootNode, named(name));
		},
		open(name) {
			node = look(name);
			fh = Number(OpenOut.read(does(Opcode.OPEN, node, OpenIn.encode({flags: access}))).fh);
		},
		read(offset) {
			const words = ReadIn.encode({fh, offset: BigInt(offset), size: dataBytes});
			does(Opcode.READ, node, words, {room: OutHeader.size});
		},
		write(offset) {
			const words = WriteIn.encode({fh, offset: BigInt(offset), size: dataBytes});
			does(Opcode.WRITE, node, words, 'sent', dataBytes);
		},
	};
};

const [rootFid, fid, madeFid, openFid, noFid] = [0, 1, 2, 3, 0xffff_ffff];
/** Bytes of a message of 9P before the data that follow. */
const [readHeader, writeHeader] = [11, 23];
/** As much as the server takes, so that a read or a write has all of {@link dataBytes} but for what is before the data. */
const messageBytes = dataBytes;

/** Asks as Linux's fs/9p does, which keeps nothing. */
export const p9Client: MakeClient = (driver, wait) => {
	const requests = new Requests(driver, 0, wait);
	const bytes = Buffer.alloc(pageBytes);
	const ask = (length: number | undefined, kind: Kind = 'plain', sent = 0) => {
		bytes.writeUInt32LE((length ?? 0) + sent, 0);
		return requests.ask(bytes.subarray(0, length), kind);
	};
	const does = (...asked: Parameters<typeof ask>): Buffer => {
		const reply = ask(...asked);
		if (reply[4] === Reply.error.type) throw new Error(`request ${bytes[4]}: errno ${reply.readUInt32LE(7)}`);
		return reply;
	};
	const walk = (newFid: number, ...names: string[]) =>
		Request.walk.write(bytes, 0, {fid: rootFid, newFid, names: names as never});
	const clunk = (number: number) => does(Request.clunk.write(bytes, 0, {fid: number}));
	const attributes = (number: number) => does(Request.getattr.write(bytes, 0, {fid: number, mask: 0x7ffn}));
	does(Request.version.write(bytes, 0, {mostBytes: messageBytes, version: '9P2000.L'}));
	does(Request.attach.write(bytes, 0, {fid: rootFid, authFid: noFid, user: 'root', tree: '', userId: 0}));
	return {
		requests: {make: 7, look: 3, remove: 3},
		make(name) {
			ask(walk(fid, name));
			does(walk(fid));
			const how = {fid, name: name as never, flags, mode: 0o644, group: 0};
			does(Request.lcreate.write(bytes, 0, how));
			does(walk(madeFid, name));
			attributes(madeFid);
			clunk(fid);
			clunk(madeFid);
		},
		look(name) {
			does(walk(fid, name));
			attributes(fid);
			clunk(fid);
		},
		remove(name) {
			does(walk(fid, name));
			does(Request.unlinkat.write(bytes, 0, {fid: rootFid, name: name as never, flags: 0}));
			clunk(fid);
		},
		open(name) {
			does(walk(openFid, name));
			does(Request.lopen.write(bytes, 0, {fid: openFid, flags: access}));
		},
		read(offset) {
			const length = Request.read.write(bytes, 0, {fid: openFid, offset, count: dataBytes - readHeader});
			does(length, {room: readHeader});
		},
		write(offset) {
			const count = dataBytes - writeHeader;
			does(Request.write.write(bytes, 0, {fid: openFid, offset, count}), 'sent', count);
		},
	};
};
