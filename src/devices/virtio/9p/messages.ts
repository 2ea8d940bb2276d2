import {i64, packed, u8, u16, u32, u64} from '#support/wire';
import {type InputsOf, type Items, Message, name, names, text, type ValuesOf} from './message.ts';

/** Linux's limit of a symbolic link's target (PATH_MAX); longer ones are malformed. */
const mostTargetBytes = 4095;
/** Names in one walk (MAXWELEM of 9P2000). */
const mostWalkedNames = 16;

/** What names users, trees to attach, and locks' owners. */
const label = text(1024);
/** Names the version: a client may know some with extensions behind. */
const version = text(64);

/** What the server knows a file by: its kind, a number that changes with its content, and one that no other file has. */
export const Qid = packed('qid', {type: u8, version: u32, path: u64}).sized(13, 'intro(5) of 9P2000');

/** {@link Qid}'s kinds. */
export const QidType = {DIRECTORY: 0x80, LINK: 0x02, FILE: 0x00} as const;

/** Numbers of the requests, as Linux has them (include/net/9p/9p.h); the reply's is one more. */
export const Type = {
	STATFS: 8,
	LOPEN: 12,
	LCREATE: 14,
	SYMLINK: 16,
	MKNOD: 18,
	RENAME: 20,
	READLINK: 22,
	GETATTR: 24,
	SETATTR: 26,
	XATTRWALK: 30,
	XATTRCREATE: 32,
	READDIR: 40,
	FSYNC: 50,
	LOCK: 52,
	GETLOCK: 54,
	LINK: 70,
	MKDIR: 72,
	RENAMEAT: 74,
	UNLINKAT: 76,
	VERSION: 100,
	AUTH: 102,
	ATTACH: 104,
	FLUSH: 108,
	WALK: 110,
	READ: 116,
	WRITE: 118,
	CLUNK: 120,
	REMOVE: 122,
} as const;

const message = <const T extends Items>(type: number, title: string, items: T) => new Message<T>(type, title, items);

const lock = {type: u8, start: u64, length: u64, process: u32, client: label} as const;

/** Requests (diod's protocol.md; 9P2000's own in intro(5)). Data of a write follow its fields. */
export const Request = {
	statfs: message(Type.STATFS, 'Tstatfs', {fid: u32}),
	lopen: message(Type.LOPEN, 'Tlopen', {fid: u32, flags: u32}),
	lcreate: message(Type.LCREATE, 'Tlcreate', {fid: u32, name, flags: u32, mode: u32, group: u32}),
	symlink: message(Type.SYMLINK, 'Tsymlink', {fid: u32, name, target: text(mostTargetBytes), group: u32}),
	mknod: message(Type.MKNOD, 'Tmknod', {fid: u32, name, mode: u32, major: u32, minor: u32, group: u32}),
	rename: message(Type.RENAME, 'Trename', {fid: u32, directory: u32, name}),
	readlink: message(Type.READLINK, 'Treadlink', {fid: u32}),
	getattr: message(Type.GETATTR, 'Tgetattr', {fid: u32, mask: u64}),
	setattr: message(Type.SETATTR, 'Tsetattr', {
		fid: u32,
		valid: u32,
		mode: u32,
		user: u32,
		group: u32,
		size: u64.asNumber,
		accessed: i64,
		accessedNs: u64.asNumber,
		modified: i64,
		modifiedNs: u64.asNumber,
	}),
	xattrwalk: message(Type.XATTRWALK, 'Txattrwalk', {fid: u32, newFid: u32, name: label}),
	xattrcreate: message(Type.XATTRCREATE, 'Txattrcreate', {fid: u32, name: label, size: u64, flags: u32}),
	readdir: message(Type.READDIR, 'Treaddir', {fid: u32, offset: u64, count: u32}),
	fsync: message(Type.FSYNC, 'Tfsync', {fid: u32, dataOnly: u32}),
	lock: message(Type.LOCK, 'Tlock', {
		fid: u32,
		type: u8,
		flags: u32,
		start: u64,
		length: u64,
		process: u32,
		client: label,
	}),
	getlock: message(Type.GETLOCK, 'Tgetlock', {fid: u32, ...lock}),
	link: message(Type.LINK, 'Tlink', {directory: u32, fid: u32, name}),
	mkdir: message(Type.MKDIR, 'Tmkdir', {fid: u32, name, mode: u32, group: u32}),
	renameat: message(Type.RENAMEAT, 'Trenameat', {oldDirectory: u32, oldName: name, newDirectory: u32, newName: name}),
	unlinkat: message(Type.UNLINKAT, 'Tunlinkat', {fid: u32, name, flags: u32}),
	version: message(Type.VERSION, 'Tversion', {mostBytes: u32, version}),
	auth: message(Type.AUTH, 'Tauth', {fid: u32, user: label, tree: label, userId: u32}),
	attach: message(Type.ATTACH, 'Tattach', {fid: u32, authFid: u32, user: label, tree: label, userId: u32}),
	flush: message(Type.FLUSH, 'Tflush', {tag: u16}),
	walk: message(Type.WALK, 'Twalk', {fid: u32, newFid: u32, names: names(mostWalkedNames)}),
	read: message(Type.READ, 'Tread', {fid: u32, offset: u64.asNumber, count: u32}),
	write: message(Type.WRITE, 'Twrite', {fid: u32, offset: u64.asNumber, count: u32}),
	clunk: message(Type.CLUNK, 'Tclunk', {fid: u32}),
	remove: message(Type.REMOVE, 'Tremove', {fid: u32}),
} as const;

const reply = <const T extends Items>(type: number, title: string, items: T) => message(type + 1, title, items);
const made = {qid: Qid} as const;

/** Replies. Data of a read, entries of a folder and ids of a walk follow their count. */
export const Reply = {
	error: message(7, 'Rlerror', {errno: u32}),
	statfs: reply(Type.STATFS, 'Rstatfs', {
		type: u32,
		blockBytes: u32,
		blocks: u64,
		free: u64,
		available: u64,
		files: u64,
		freeFiles: u64,
		id: u64,
		mostNameBytes: u32,
	}),
	lopen: reply(Type.LOPEN, 'Rlopen', {...made, unit: u32}),
	lcreate: reply(Type.LCREATE, 'Rlcreate', {...made, unit: u32}),
	symlink: reply(Type.SYMLINK, 'Rsymlink', made),
	mknod: reply(Type.MKNOD, 'Rmknod', made),
	rename: reply(Type.RENAME, 'Rrename', {}),
	readlink: reply(Type.READLINK, 'Rreadlink', {target: text(mostTargetBytes)}),
	getattr: reply(Type.GETATTR, 'Rgetattr', {
		valid: u64,
		...made,
		mode: u32,
		user: u32,
		group: u32,
		links: u64,
		device: u64,
		size: u64,
		blockBytes: u64,
		blocks: u64,
		accessed: i64,
		accessedNs: u64,
		modified: i64,
		modifiedNs: u64,
		changed: i64,
		changedNs: u64,
		born: i64,
		bornNs: u64,
		generation: u64,
		dataVersion: u64,
	}),
	setattr: reply(Type.SETATTR, 'Rsetattr', {}),
	readdir: reply(Type.READDIR, 'Rreaddir', {count: u32}),
	fsync: reply(Type.FSYNC, 'Rfsync', {}),
	lock: reply(Type.LOCK, 'Rlock', {status: u8}),
	getlock: reply(Type.GETLOCK, 'Rgetlock', lock),
	link: reply(Type.LINK, 'Rlink', {}),
	mkdir: reply(Type.MKDIR, 'Rmkdir', made),
	renameat: reply(Type.RENAMEAT, 'Rrenameat', {}),
	unlinkat: reply(Type.UNLINKAT, 'Runlinkat', {}),
	version: reply(Type.VERSION, 'Rversion', {mostBytes: u32, version}),
	attach: reply(Type.ATTACH, 'Rattach', made),
	flush: reply(Type.FLUSH, 'Rflush', {}),
	walk: reply(Type.WALK, 'Rwalk', {count: u16}),
	read: reply(Type.READ, 'Rread', {count: u32}),
	write: reply(Type.WRITE, 'Rwrite', {count: u32}),
	clunk: reply(Type.CLUNK, 'Rclunk', {}),
	remove: reply(Type.REMOVE, 'Rremove', {}),
} as const;

/** Fields of a message that has been read, and those that one is made of. */
export type FieldsOf<M extends {readonly items: Items}> = ValuesOf<M['items']>;
export type GivenTo<M extends {readonly items: Items}> = InputsOf<M['items']>;
