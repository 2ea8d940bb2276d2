import {createHash, randomBytes} from 'node:crypto';
import {
	chmodSync,
	existsSync,
	linkSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import type {FolderOptions} from '#devices/folder';
import {Errno} from '#support/ffi';
import {virtioFsPciType} from './device-types.ts';
import {
	AttrOut,
	CopyFileRangeIn,
	EntryOut,
	FallocateIn,
	FlushIn,
	InHeader,
	InitIn,
	InitOut,
	LinkIn,
	LseekIn,
	MkdirIn,
	MknodIn,
	Opcode,
	OpenIn,
	OpenOut,
	Rename2In,
	SetattrIn,
	SetattrValid,
	StatfsOut,
	StatxOut,
	WriteOut,
} from './layout.ts';
import {FsDriver, named, releaseOf} from './testing/fs-driver.ts';
import {urgentRoom} from './urgent-ring.ts';

function folderOf(t: ExecutionContext): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-fs-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	return folder;
}

async function mounted(t: ExecutionContext, path: string, options: Partial<FolderOptions> = {}): Promise<FsDriver> {
	const guest = await FsDriver.mounted(path, options);
	t.teardown(() => guest.machine.dispose());
	return guest;
}

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const [read, write] = [0, 1];

test('client and device agree on what both can do; a later client begins again, an older one is refused', async (t) => {
	const guest = await FsDriver.start(folderOf(t));
	t.teardown(() => guest.machine.dispose());
	t.is((await guest.ask(Opcode.LOOKUP, 1, named('x'))).error, -Errno.EIO, 'not before INIT');
	const init = (major: number, minor: number, flags = 0) =>
		guest.ask(Opcode.INIT, 0, InitIn.encode({major, minor, flags, max_readahead: 4096}));
	const later = InitOut.read((await init(8, 0)).payload);
	t.deepEqual([later.major, later.minor], [7, 39]);
	t.is((await init(7, 30)).error, -Errno.EPROTO);
	t.is((await init(6, 50)).error, -Errno.EPROTO);
	const own = InitOut.read((await init(7, 38, 0x21)).payload);
	t.is(own.flags, 0x21, 'no more than the client has');
	t.deepEqual([own.max_write, own.max_pages, own.max_readahead], [2 ** 20, 256, 4096]);
	const all = await guest.init();
	t.is(all.flags & 0x402, 0, 'locks are the guest\u2019s own where the host has none of them');
});

test('files of the host are looked up, read and written, and what the host changes is seen', async (t) => {
	const folder = folderOf(t);
	const content = randomBytes(100_000);
	mkdirSync(join(folder, 'sub'));
	writeFileSync(join(folder, 'sub', 'file'), content, {mode: 0o640});
	const guest = await mounted(t, folder);
	const node = await guest.find('sub/file');
	const attributes = await guest.attributes(node);
	const status = statSync(join(folder, 'sub', 'file'), {bigint: true});
	if (typeof attributes === 'number') return t.fail(`${attributes}`);
	t.like(attributes, {size: 100_000n, ino: status.ino, mode: 0o100640, nlink: 1, uid: Number(status.uid)});
	t.is(attributes.mtime, status.mtimeNs / 1_000_000_000n);
	t.is(attributes.mtimensec, Number(status.mtimeNs % 1_000_000_000n));
	const handle = await guest.open(node);
	const pieces: Buffer[] = [];
	for (let at = 0; at < 100_000; at += 40_000) pieces.push((await guest.read(handle, at, 40_000)) as Buffer);
	t.is(digest(Buffer.concat(pieces)), digest(content));
	const own = randomBytes(50_001);
	t.is(await guest.write(handle, 99_000, own), own.length);
	t.deepEqual(readFileSync(join(folder, 'sub', 'file')).subarray(99_000), own);
	writeFileSync(join(folder, 'sub', 'file'), 'shorter');
	t.deepEqual(await guest.read(handle, 2, 100), Buffer.from('orter'));
	t.like(await guest.attributes(node), {size: 7n});
	t.is((await guest.ask(Opcode.RELEASE, node, releaseOf(handle))).error, 0);
	t.is(await guest.read(handle, 0, 1), -Errno.EBADF);
	t.is(await guest.lookup(1, 'missing'), -Errno.ENOENT);
	t.is(await guest.lookup(99, 'missing'), -Errno.ESTALE);
	return undefined;
});

test('a tree is made, renamed, linked and removed', async (t) => {
	const folder = folderOf(t);
	const guest = await mounted(t, folder);
	const ask = async (opcode: number, node: number, ...words: Uint8Array[]) => {
		const {error, payload} = await guest.ask(opcode, node, Buffer.concat(words));
		return error === 0 ? payload : error;
	};
	const made = await ask(Opcode.MKDIR, 1, MkdirIn.encode({mode: 0o777}), named('dir'));
	const directory = Number(EntryOut.read(made as Buffer).nodeid);
	t.is(statSync(join(folder, 'dir')).mode & 0o7777, 0o777, 'no umask of the process');
	const file = await guest.create(directory, 'file', 0o102, 0o666);
	if (typeof file === 'number') return t.fail(`${file}`);
	t.is(statSync(join(folder, 'dir', 'file')).mode, 0o100666);
	t.is(await guest.write(file.handle, 0, Buffer.from('text')), 4);
	t.is(await guest.create(directory, 'file', 0o302), -Errno.EEXIST, 'exclusively');
	const again = await guest.create(directory, 'file');
	t.is(typeof again === 'object' ? again.node : again, file.node);
	const link = await ask(Opcode.SYMLINK, directory, named('link'), named('/etc/passwd'));
	t.is(readlinkSync(join(folder, 'dir', 'link')), '/etc/passwd');
	const linkNode = Number(EntryOut.read(link as Buffer).nodeid);
	t.deepEqual(await ask(Opcode.READLINK, linkNode), Buffer.from('/etc/passwd'));
	t.is(await guest.open(linkNode), -Errno.ENXIO);
	const second = await ask(Opcode.LINK, 1, LinkIn.encode({oldnodeid: file.node}), named('second'));
	t.is(Number(EntryOut.read(second as Buffer).nodeid), file.node, 'one file has one node');
	t.is(lstatSync(join(folder, 'second')).nlink, 2);
	t.is((await ask(Opcode.LINK, 1, LinkIn.encode({oldnodeid: linkNode}), named('other'))) instanceof Buffer, true);
	t.true(lstatSync(join(folder, 'other')).isSymbolicLink());
	t.is(await ask(Opcode.LINK, 1, LinkIn.encode({oldnodeid: directory}), named('no')), -Errno.EPERM);
	const rename = (from: number, name: string, newdir: number, newName: string, flags = 0) =>
		ask(Opcode.RENAME2, from, Rename2In.encode({newdir, flags}), named(name), named(newName));
	t.is(await rename(directory, 'file', 1, 'second', 1), -Errno.EEXIST);
	t.deepEqual(await rename(1, 'dir', 1, 'moved'), Buffer.alloc(0));
	t.like(await guest.attributes(directory), {mode: 0o40777}, 'the node is where it has gone');
	t.like(await guest.attributes(file.node), {size: 4n});
	t.deepEqual(await rename(directory, 'file', 1, 'other', 2), Buffer.alloc(0), 'exchanged');
	t.is(readFileSync(join(folder, 'other'), 'utf8'), 'text');
	t.is(await rename(1, 'other', 1, 'white', 4), -Errno.EINVAL);
	t.is(await ask(Opcode.RMDIR, 1, named('moved')), -Errno.ENOTEMPTY);
	t.is(await ask(Opcode.UNLINK, 1, named('moved')), -Errno.EISDIR);
	for (const name of ['file', 'link']) t.deepEqual(await ask(Opcode.UNLINK, directory, named(name)), Buffer.alloc(0));
	t.deepEqual(await ask(Opcode.RMDIR, 1, named('moved')), Buffer.alloc(0));
	for (const name of ['second', 'other']) t.deepEqual(await ask(Opcode.UNLINK, 1, named(name)), Buffer.alloc(0));
	t.like(await guest.attributes(file.node), {nlink: 0}, 'an open file goes on without a name');
	t.deepEqual(await guest.read(file.handle, 0, 10), Buffer.from('text'));
	t.deepEqual(readdirSync(folder), []);
	return undefined;
});

test('a directory is listed in pieces of any size, with attributes and without', async (t) => {
	const folder = folderOf(t);
	const names = Array.from({length: 300}, (_, index) => `name-${index}-${'x'.repeat(index % 60)}`);
	for (const name of names) writeFileSync(join(folder, name), '');
	const guest = await mounted(t, folder);
	for (const opcode of [Opcode.READDIR, Opcode.READDIRPLUS])
		for (const size of [512, 4096, 65_000]) {
			const listed = await guest.list(1, opcode, size);
			t.deepEqual([...(listed as string[])].sort(), ['.', '..', ...names].sort(), `${opcode} ${size}`);
		}
	const handle = await guest.open(1, 0, Opcode.OPENDIR);
	const words = Buffer.alloc(40);
	words.writeUInt32LE(4096, 16);
	t.is((await guest.ask(Opcode.READDIR, 1, words)).error, -Errno.EBADF);
	t.is((await guest.ask(Opcode.READDIR, 1, words, {room: 30})).error, -Errno.EINVAL);
	words.writeUInt32LE(handle, 0);
	words.writeUInt32LE(8, 16);
	t.is((await guest.ask(Opcode.READDIR, 1, words)).error, -Errno.EINVAL, 'no room for one name');
	words.writeUInt32LE(4096, 16);
	for (const opcode of [Opcode.READDIR, Opcode.READDIRPLUS])
		for (const room of [0, 1, 15])
			t.is((await guest.ask(opcode, 1, words, {room})).error, Number.NaN, 'no room to be told of it');
	t.deepEqual(guest.machine.failures, []);
	t.is(await guest.open(await guest.lookup(1, names[0] as string), 0, Opcode.OPENDIR), -Errno.ENOTDIR);
	t.is(await guest.read(handle, 0, 5), -Errno.EBADF, 'a directory is no file');
});

test('attributes are changed, and what the process may not do is refused', async (t) => {
	const folder = folderOf(t);
	writeFileSync(join(folder, 'file'), 'content', {mode: 0o600});
	const guest = await mounted(t, folder, {owner: {uid: 7, gid: 8}});
	const node = await guest.lookup(1, 'file');
	const change = async (valid: number, values: object) => {
		const {error, payload} = await guest.ask(Opcode.SETATTR, node, SetattrIn.encode({valid, ...values}));
		return error === 0 ? AttrOut.read(payload).attr : error;
	};
	const {MODE, UID, SIZE, ATIME, MTIME, MTIME_NOW} = SetattrValid;
	t.like(await change(MODE | SIZE, {mode: 0o444, size: 3}), {mode: 0o100444, size: 3n, uid: 7, gid: 8});
	t.is(readFileSync(join(folder, 'file'), 'utf8'), 'con');
	t.like(await change(ATIME | MTIME, {atime: 100n, atimensec: 5, mtime: -5n, mtimensec: 6}), {
		atime: 100n,
		atimensec: 5,
		mtime: -5n,
		mtimensec: 6,
	});
	const now = await change(MTIME | MTIME_NOW, {});
	t.true(typeof now !== 'number' && now.mtime > 1_600_000_000n);
	t.is(await change(UID, {uid: 0}), -Errno.EPERM);
	t.like(await change(UID, {uid: 7}), {uid: 7});
	t.is(await change(MODE, {mode: 0o4755}), -Errno.EPERM, 'no program with rights of its owner');
	t.is(await change(SIZE, {size: 2n ** 60n}), -Errno.EINVAL);
	t.is(await change(MTIME, {mtimensec: 2e9}), -Errno.EINVAL);
	const statx = await guest.ask(Opcode.STATX, node, new Uint8Array(24));
	t.like(StatxOut.read(statx.payload), {mode: 0o100444, size: 3n, uid: 7, mask: 0xfff});
	t.true(StatfsOut.read((await guest.ask(Opcode.STATFS, 1)).payload).blocks > 0n);
});

test('nothing changes in a folder that is only read', async (t) => {
	const folder = folderOf(t);
	writeFileSync(join(folder, 'file'), 'content');
	mkdirSync(join(folder, 'dir'));
	const guest = await mounted(t, folder, {readOnly: true, xattrs: true});
	const node = await guest.lookup(1, 'file');
	const errors: number[] = [];
	const ask = async (opcode: number, at: number, ...words: Uint8Array[]) =>
		errors.push((await guest.ask(opcode, at, Buffer.concat(words))).error);
	await ask(Opcode.MKDIR, 1, MkdirIn.encode({mode: 0o777}), named('x'));
	await ask(Opcode.MKNOD, 1, MknodIn.encode({mode: 0o100644}), named('x'));
	await ask(Opcode.SYMLINK, 1, named('x'), named('y'));
	await ask(Opcode.UNLINK, 1, named('file'));
	await ask(Opcode.RMDIR, 1, named('dir'));
	await ask(Opcode.RENAME2, 1, Rename2In.encode({newdir: 1}), named('file'), named('x'));
	await ask(Opcode.LINK, 1, LinkIn.encode({oldnodeid: node}), named('x'));
	await ask(Opcode.SETATTR, node, SetattrIn.encode({valid: 1, mode: 0o777}));
	await ask(Opcode.SETXATTR, node, Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]), named('user.x'), Buffer.from('x'));
	await ask(Opcode.REMOVEXATTR, node, named('user.x'));
	await ask(Opcode.TMPFILE, 1, new Uint8Array(16));
	for (const flags of [1, 2, 0o1000]) errors.push(await guest.open(node, flags));
	errors.push((await guest.create(1, 'x')) as number, (await guest.create(1, 'file')) as number);
	t.deepEqual(
		errors,
		errors.map(() => -Errno.EROFS),
	);
	t.deepEqual(readdirSync(folder).sort(), ['dir', 'file']);
	const handle = await guest.open(node, read);
	t.deepEqual(await guest.read(handle, 0, 100), Buffer.from('content'));
	t.is(await guest.write(handle, 0, Buffer.from('x')), -Errno.EBADF);
});

test('special files are names alone, and devices are not made', async (t) => {
	const folder = folderOf(t);
	const guest = await mounted(t, folder);
	const make = async (mode: number, name: string) =>
		(await guest.ask(Opcode.MKNOD, 1, Buffer.concat([MknodIn.encode({mode, rdev: 0x103}), named(name)]))).error;
	t.is(await make(0o20666, 'char'), -Errno.EPERM);
	t.is(await make(0o60666, 'block'), -Errno.EPERM);
	t.is(await make(0o40777, 'directory'), -Errno.EINVAL);
	t.is(await make(0o10666, 'pipe'), 0);
	t.is(await make(0o140666, 'socket'), 0);
	t.is(await make(0o104755, 'program'), -Errno.EPERM);
	t.true(lstatSync(join(folder, 'pipe')).isFIFO());
	for (const name of ['pipe', 'socket']) {
		t.is(await guest.open(await guest.lookup(1, name)), -Errno.ENXIO);
		t.is(await guest.create(1, name), -Errno.ENXIO, 'not through O_CREAT either');
	}
});

test('owners, permissions and devices of a mapped folder are the guest\u2019s', async (t) => {
	const folder = folderOf(t);
	const guest = await mounted(t, folder, {owner: 'mapped', xattrs: true});
	const header = {uid: 1234, gid: 77};
	const file = await guest.create(1, 'file', 0o102, 0o4755, header);
	if (typeof file === 'number') return t.fail(`${file}`);
	t.like(await guest.attributes(file.node), {mode: 0o104755, uid: 1234, gid: 77});
	t.is(statSync(join(folder, 'file')).mode, 0o100600);
	const words = Buffer.concat([MknodIn.encode({mode: 0o20640, rdev: 0x103}), named('null')]);
	const {payload} = await guest.ask(Opcode.MKNOD, 1, words, header);
	t.like(EntryOut.read(payload).attr, {mode: 0o20640, rdev: 0x103, uid: 1234});
	t.true(lstatSync(join(folder, 'null')).isFile());
	t.is(await guest.open(Number(EntryOut.read(payload).nodeid)), -Errno.ENXIO);
	const chown = SetattrIn.encode({valid: 2 | 4 | 1, uid: 5, gid: 6, mode: 0o640});
	t.like(AttrOut.read((await guest.ask(Opcode.SETATTR, file.node, chown)).payload).attr, {
		uid: 5,
		gid: 6,
		mode: 0o100640,
	});
	const list = await guest.ask(Opcode.LISTXATTR, file.node, Buffer.from([0, 16, 0, 0, 0, 0, 0, 0]));
	t.deepEqual([list.error, list.payload.length], [0, 0], 'the guest does not see where they are kept');
	const get = Buffer.concat([Buffer.from([0, 16, 0, 0, 0, 0, 0, 0]), named('user.virtfs.uid')]);
	t.is((await guest.ask(Opcode.GETXATTR, file.node, get)).error, -Errno.EOPNOTSUPP);
	return undefined;
});

test('extended attributes of users pass, and no others', async (t) => {
	const folder = folderOf(t);
	writeFileSync(join(folder, 'file'), '');
	const guest = await mounted(t, folder, {xattrs: true});
	const node = await guest.lookup(1, 'file');
	const sized = (length: number) => Uint8Array.of(length & 0xff, length >> 8, length >> 16, 0, 0, 0, 0, 0);
	const set = async (name: string, value: string) =>
		(await guest.ask(Opcode.SETXATTR, node, Buffer.concat([sized(value.length), named(name), Buffer.from(value)])))
			.error;
	const get = async (name: string, room: number) => {
		const {error, payload} = await guest.ask(Opcode.GETXATTR, node, Buffer.concat([sized(room), named(name)]));
		return error === 0 ? payload : error;
	};
	t.is(await set('user.colour', 'blue'), 0);
	t.deepEqual(await get('user.colour', 0), Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]));
	t.deepEqual(await get('user.colour', 10), Buffer.from('blue'));
	t.is(await get('user.colour', 3), -Errno.ERANGE);
	t.is(await get('user.none', 10), -Errno.ENODATA);
	for (const name of ['security.capability', 'trusted.overlay.opaque', 'system.posix_acl_access', 'user.virtfs.uid'])
		t.is(await set(name, 'x'), -Errno.EOPNOTSUPP, name);
	const list = await guest.ask(Opcode.LISTXATTR, node, sized(100));
	t.deepEqual(list.payload, named('user.colour'));
	t.is((await guest.ask(Opcode.REMOVEXATTR, node, named('user.colour'))).error, 0);
	t.is(await get('user.colour', 10), -Errno.ENODATA);
	const without = await mounted(t, folder);
	const file = await without.lookup(1, 'file');
	const asked = Buffer.concat([sized(100), named('security.capability')]);
	const errors: number[] = [];
	for (const opcode of [Opcode.LISTXATTR, Opcode.GETXATTR, Opcode.SETXATTR, Opcode.REMOVEXATTR])
		errors.push((await without.ask(opcode, file, asked)).error);
	t.deepEqual(errors, Array(4).fill(-Errno.ENOSYS), 'Linux does not ask again, which it would do at each write');
	const flush = await without.ask(Opcode.FLUSH, file, FlushIn.encode({fh: await without.open(file)}));
	t.is(flush.error, -Errno.ENOSYS, 'nor at each close, where there are no locks to let go of');
});

test('holes are found, room is made, and ranges are copied on the host', async (t) => {
	const folder = folderOf(t);
	const guest = await mounted(t, folder);
	const file = await guest.create(1, 'file');
	const copy = await guest.create(1, 'copy');
	if (typeof file === 'number' || typeof copy === 'number') return t.fail();
	const allocate = FallocateIn.encode({fh: file.handle, offset: 0, length: 2 ** 20});
	t.is((await guest.ask(Opcode.FALLOCATE, 0, allocate)).error, 0);
	t.is(statSync(join(folder, 'file')).size, 2 ** 20);
	const punch = FallocateIn.encode({fh: file.handle, offset: 0, length: 2 ** 19, mode: 3});
	t.is((await guest.ask(Opcode.FALLOCATE, 0, punch)).error, 0);
	const foreign = FallocateIn.encode({fh: file.handle, offset: 0, length: 1, mode: 0x100});
	t.is((await guest.ask(Opcode.FALLOCATE, 0, foreign)).error, -Errno.EOPNOTSUPP);
	await guest.write(file.handle, 2 ** 19, Buffer.from('data'));
	const seek = async (offset: number, whence: number) => {
		const {error, payload} = await guest.ask(Opcode.LSEEK, 0, LseekIn.encode({fh: file.handle, offset, whence}));
		return error === 0 ? Number(payload.readBigUInt64LE()) : error;
	};
	t.is(await seek(0, 3), 2 ** 19);
	t.is(await seek(0, 4), 0);
	t.is(await seek(2 ** 21, 3), -Errno.ENXIO);
	t.is(await seek(0, 0), -Errno.EINVAL);
	const words = CopyFileRangeIn.encode({fh_in: file.handle, off_in: 2 ** 19, fh_out: copy.handle, off_out: 1, len: 4});
	t.is(WriteOut.read((await guest.ask(Opcode.COPY_FILE_RANGE, 0, words)).payload).size, 4);
	t.is(readFileSync(join(folder, 'copy'), 'utf8'), '\0data');
	t.is((await guest.ask(Opcode.SYNCFS, 1, new Uint8Array(8))).error, 0);
	t.is((await guest.ask(Opcode.IOCTL, 1, new Uint8Array(32))).error, -Errno.ENOTTY);
	t.is((await guest.ask(999, 1)).error, -Errno.ENOSYS);
	return undefined;
});

test('a file without a name is made, used, and given one', async (t) => {
	const folder = folderOf(t);
	const guest = await mounted(t, folder);
	const {error, payload} = await guest.ask(
		Opcode.TMPFILE,
		1,
		Buffer.from([2, 0, 0, 0, 0xa4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
	);
	t.is(error, 0);
	const node = Number(EntryOut.read(payload).nodeid);
	const handle = Number(OpenOut.read(payload, EntryOut.size).fh);
	t.is(await guest.write(handle, 0, Buffer.from('text')), 4);
	t.deepEqual(readdirSync(folder), []);
	t.like(await guest.attributes(node), {size: 4n, nlink: 0});
	const link = await guest.ask(Opcode.LINK, 1, Buffer.concat([LinkIn.encode({oldnodeid: node}), named('named')]));
	t.is(link.error, 0);
	t.is(readFileSync(join(folder, 'named'), 'utf8'), 'text');
	t.is(statSync(join(folder, 'named')).mode, 0o100644);
});

test('a program with its owner\u2019s rights loses them when a guest opens it to write', async (t) => {
	const folder = folderOf(t);
	writeFileSync(join(folder, 'program'), 'x');
	chmodSync(join(folder, 'program'), 0o4755);
	const guest = await mounted(t, folder);
	const node = await guest.lookup(1, 'program');
	t.true((await guest.open(node, read)) > 0);
	t.is(statSync(join(folder, 'program')).mode, 0o104755);
	t.true((await guest.open(node, write)) > 0);
	t.is(statSync(join(folder, 'program')).mode, 0o100755);
});

test('nodes are forgotten, and those that are left have bounds, as open files have', async (t) => {
	const folder = folderOf(t);
	for (let file = 0; file < 10; file++) writeFileSync(join(folder, `${file}`), '');
	const guest = await mounted(t, folder, {mostNodes: 5, mostHandles: 3});
	const all: number[] = [];
	for (let file = 0; file < 10; file++) all.push(await guest.lookup(1, `${file}`));
	for (const node of all.slice(0, -4))
		t.is(await guest.attributes(node), -Errno.ESTALE, 'who knows too many looks again for those of long ago');
	const nodes = all.slice(-4);
	for (const node of nodes) t.like(await guest.attributes(node), {size: 0n});
	const forget = Buffer.alloc(24 + 8);
	forget.writeUInt32LE(2, 0);
	for (const [index, node] of nodes.slice(0, 2).entries()) {
		forget.writeBigUInt64LE(BigInt(node), 8 + 16 * index);
		if (16 + 16 * index + 8 <= forget.length) forget.writeBigUInt64LE(1n, 16 + 16 * index);
	}
	const list = Buffer.concat([forget, Buffer.from([1, 0, 0, 0, 0, 0, 0, 0])]);
	await guest.say(Opcode.BATCH_FORGET, 0, list);
	t.is(await guest.attributes(nodes[0] as number), -Errno.ESTALE);
	await guest.say(Opcode.FORGET, nodes[2] as number, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
	t.is(await guest.attributes(nodes[2] as number), -Errno.ESTALE);
	t.true((await guest.lookup(1, '8')) > (nodes[3] as number), 'a number is nobody else\u2019s later');
	const handles: number[] = [];
	for (let file = 0; file < 5; file++) handles.push(await guest.open(nodes[3] as number));
	t.deepEqual(handles, [1, 2, 3, -Errno.ENFILE, -Errno.ENFILE]);
	await guest.ask(Opcode.RELEASE, 0, releaseOf(2));
	t.is(await guest.open(nodes[3] as number), 2);
	t.is((await guest.ask(Opcode.DESTROY, 0)).error, 0);
	t.is(await guest.attributes(1), -Errno.EIO, 'the client has left');
	await guest.init();
	t.is(await guest.attributes(nodes[3] as number), -Errno.ESTALE);
	t.is(await guest.read(1, 0, 1), -Errno.EBADF);
});

test('what is forgotten while there is no room for it waits in its queue', async (t) => {
	const folder = folderOf(t);
	writeFileSync(join(folder, 'file'), '');
	const guest = await mounted(t, folder);
	const {driver, machine} = guest;
	const node = await guest.lookup(1, 'file');
	const list = Buffer.alloc(8 + 16 * urgentRoom);
	list.writeUInt32LE(urgentRoom, 0);
	for (let at = 8; at < list.length; at += 16) list.writeBigUInt64LE(1n, at + 8);
	const [many, one] = [
		InHeader.encode({len: InHeader.size + list.length, opcode: Opcode.BATCH_FORGET}),
		InHeader.encode({len: InHeader.size + 8, opcode: Opcode.FORGET, nodeid: node}),
	];
	machine.memory.copyIn(0x4_0000, Buffer.concat([many, list]));
	machine.memory.copyIn(0x8_0000, Buffer.concat([one, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)]));
	driver.offer([{at: 0x4_0000, length: many.length + list.length}], {queue: 0, head: 0});
	driver.offer([{at: 0x8_0000, length: one.length + 8}], {queue: 0, head: 2});
	machine.registers.notify(0);
	for (let turn = 0; turn < 10; turn++) machine.turn(0);
	t.deepEqual(
		driver.used(0).map(([head]) => head),
		[0],
	);
	await machine.run();
	t.deepEqual(
		driver.used(0).map(([head]) => head),
		[2],
	);
	t.is(await guest.attributes(node), -Errno.ESTALE);
});

test('the one thread of a machine has both queues', async (t) => {
	const folder = folderOf(t);
	writeFileSync(join(folder, 'file'), 'content');
	const guest = await FsDriver.start(folder, {}, 'pci', 0, 1);
	t.teardown(() => guest.machine.dispose());
	t.is(guest.machine.workers.length, 1);
	await guest.init();
	const node = await guest.lookup(1, 'file');
	t.deepEqual(await guest.read(await guest.open(node, 0), 0, 100), Buffer.from('content'));
	t.is((await guest.ask(Opcode.RELEASE, 0, releaseOf(1))).error, 0);
	await guest.say(Opcode.FORGET, node, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
	t.is(await guest.attributes(node), -Errno.ESTALE);
	t.deepEqual(guest.machine.failures, []);
});

test('flags say what OpenVMM\u2019s do', (t) => {
	const devices = (texts: string[], bus: string[] = []) =>
		virtioFsPciType.flags?.devices((name) => (name === 'virtio-fs' ? texts : bus));
	t.deepEqual(devices(['pcie_port=rp0:tag,/data,with,commas,ro,owner=1000:100,cache=never,locks']), [
		{
			port: 'rp0',
			options: {
				tag: 'tag',
				folder: '/data,with,commas',
				readOnly: true,
				owner: {uid: 1000, gid: 100},
				cache: 'never',
				locks: true,
			},
		},
	]);
	t.deepEqual(devices(['a,/b'])?.[0], {
		kind: 'virtio-fs-mmio',
		options: {tag: 'a', folder: '/b', base: 0xf81a_0000},
	});
	t.deepEqual(devices(['pcie_port=rp0:a,/b,dax=1G'])?.[0]?.options, {tag: 'a', folder: '/b', dax: 2 ** 30});
	t.throws(() => devices(['a,/b,dax=1G']), {code: 'CONFIG_REQUIRES'});
	t.throws(() => devices(['a,/b'], ['pci']), {code: 'CONFIG_REQUIRES'});
	for (const text of ['a', 'a,', ',/b', 'a,/b,cache=some', 'a,/b,owner=me', 'a,/b,ro,ro', 'a,/b,dax=3M'])
		t.throws(() => devices([text]), {code: 'CONFIG_VALUE_INVALID'}, text);
	t.throws(() => devices(['a,/b'], ['vpci']), {code: 'CONFIG_VALUE_INVALID'});
});

test('a folder that is none is refused', async (t) => {
	const folder = folderOf(t);
	writeFileSync(join(folder, 'file'), '');
	await t.throwsAsync(FsDriver.start(join(folder, 'missing')), {code: 'FOLDER_UNUSABLE'});
	await t.throwsAsync(FsDriver.start(join(folder, 'file')), {code: 'FOLDER_UNUSABLE'});
	symlinkSync(folder, join(folder, 'self'));
	const guest = await mounted(t, join(folder, 'self'));
	t.true((await guest.lookup(1, 'file')) > 1, 'links in the user\u2019s own path are followed');
	renameSync(join(folder, 'file'), join(folder, 'renamed'));
	t.false(existsSync(join(folder, 'file')));
	linkSync(join(folder, 'renamed'), join(folder, 'linked'));
	t.is(await guest.lookup(1, 'renamed'), await guest.lookup(1, 'linked'));
});

for (const [cache, seconds, flags] of [
	['never', 0n, 1],
	['auto', 1n, 0],
	['always', 86_400n, 2],
] as const)
	test(`a client takes names, attributes and content for true as long as is said: ${cache}`, async (t) => {
		const folder = folderOf(t);
		writeFileSync(join(folder, 'file'), 'text');
		const guest = await mounted(t, folder, {cache});
		const {payload} = await guest.ask(Opcode.LOOKUP, 1, named('file'));
		const {nodeid, entry_valid, attr_valid} = EntryOut.read(payload);
		t.deepEqual([entry_valid, attr_valid].map(BigInt), [seconds, seconds]);
		const none = await guest.ask(Opcode.LOOKUP, 1, named('none'));
		const remembered = none.error === 0 ? EntryOut.read(none.payload) : undefined;
		t.is(none.error, cache === 'never' ? -Errno.ENOENT : 0);
		t.deepEqual(
			[remembered?.nodeid, remembered?.entry_valid].map(Number),
			cache === 'never' ? [Number.NaN, Number.NaN] : [0, Number(seconds)],
		);
		writeFileSync(join(folder, 'none'), 'made');
		t.true((await guest.lookup(1, 'none')) > 0);
		const told = AttrOut.read((await guest.ask(Opcode.GETATTR, Number(nodeid), new Uint8Array(16))).payload);
		t.is(BigInt(told.attr_valid), seconds);
		const opened = await guest.ask(Opcode.OPEN, Number(nodeid), OpenIn.encode({flags: 0}));
		// FOPEN_DIRECT_IO and FOPEN_KEEP_CACHE.
		t.is(OpenOut.read(opened.payload).open_flags, flags);
		t.is(await guest.lookup(1, 'missing'), -Errno.ENOENT, 'what is not there is never taken for so');
	});
