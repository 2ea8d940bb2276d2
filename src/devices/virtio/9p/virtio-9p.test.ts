import {existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {folderDefaults, rootNode} from '#devices/folder';
import {openHostFolder} from '#devices/folder/host';
import {seeded} from '#devices/virtio/testing';
import {Errno} from '#support/ffi';
import {viewOf} from '#support/wire';
import {FidTable, mostFids, noFid} from './fid-table.ts';
import {headerBytes} from './message.ts';
import {Reply, Request} from './messages.ts';
import {noTag, P9Client, rootFid} from './testing/client.ts';

/** A folder of the host's with a few files, gone with the test. */
function folderFor(t: ExecutionContext): string {
	const top = mkdtempSync(join(tmpdir(), 'openvmm-9p-'));
	t.teardown(() => rmSync(top, {recursive: true, force: true}));
	const path = join(top, 'shared');
	mkdirSync(join(path, 'a/b'), {recursive: true});
	writeFileSync(join(path, 'a/b/file'), 'content');
	writeFileSync(join(path, 'hello'), 'hello, guest');
	writeFileSync(join(top, 'secret'), 'secret');
	symlinkSync('../secret', join(path, 'out'));
	return path;
}

async function clientFor(t: ExecutionContext, transport: 'pci' | 'mmio' = 'pci', options = {}) {
	const path = folderFor(t);
	const folder = openHostFolder(path, {...folderDefaults, ...options});
	const client = await P9Client.start(folder, transport);
	t.teardown(() => client.dispose());
	await client.begin();
	return {client, path, folder};
}

for (const transport of ['pci', 'mmio'] as const)
	test(`${transport}: a guest finds the tag, walks, reads, makes and writes files`, async (t) => {
		const {client, path} = await clientFor(t, transport);
		const {registers} = client.machine;
		t.is(registers.readConfig(0, 2), 4);
		t.is(String.fromCharCode(...[2, 3, 4, 5].map((at) => registers.readConfig(at, 1))), 'host');
		await client.open(1, 0, 'hello');
		t.is(`${await client.content(1)}`, 'hello, guest');
		t.is(`${await client.content(1, 7)}`, 'guest');
		t.is((await client.content(1, 100)).length, 0);
		const {size, mode, valid} = await client.does(Request.getattr, Reply.getattr, {fid: 1, mask: 0x7ffn});
		t.like({size, type: mode & 0o170000, valid: valid & 0x7ffn}, {size: 12n, type: 0o100000, valid: 0x7ffn});
		await client.walk(rootFid, 2);
		await client.does(Request.lcreate, Reply.lcreate, {fid: 2, name: 'new' as never, flags: 2, mode: 0o640, group: 0});
		const {count} = await client.does(
			Request.write,
			Reply.write,
			{fid: 2, offset: 3, count: 5},
			{data: 'bytes', split: 9},
		);
		t.is(count, 5);
		t.is(readFileSync(join(path, 'new'), 'latin1'), '\0\0\0bytes');
		t.is(`${await client.content(2, 3)}`, 'bytes');
		await client.does(Request.fsync, Reply.fsync, {fid: 2, dataOnly: 0});
		for (const fid of [1, 2]) await client.does(Request.clunk, Reply.clunk, {fid});
		t.is(client.state('fids'), 1);
		t.deepEqual(client.machine.failures, []);
		t.is(client.machine.pins, 0);
	});

test('names are made, moved, linked and removed', async (t) => {
	const {client, path} = await clientFor(t);
	const name = (text: string) => text as never;
	await client.does(Request.mkdir, Reply.mkdir, {fid: rootFid, name: name('d'), mode: 0o755, group: 0});
	await client.does(Request.symlink, Reply.symlink, {fid: rootFid, name: name('l'), target: 'd/x', group: 0});
	await client.walk(rootFid, 1, 'l');
	t.is((await client.does(Request.readlink, Reply.readlink, {fid: 1})).target, 'd/x');
	await client.walk(rootFid, 2, 'd');
	await client.walk(rootFid, 3, 'hello');
	await client.does(Request.link, Reply.link, {directory: 2, fid: 3, name: name('again')});
	t.is(readFileSync(join(path, 'd/again'), 'latin1'), 'hello, guest');
	const moved = {oldDirectory: 2, oldName: name('again'), newDirectory: rootFid, newName: name('moved')};
	await client.does(Request.renameat, Reply.renameat, moved);
	await client.walk(rootFid, 4, 'moved');
	await client.does(Request.rename, Reply.rename, {fid: 4, directory: 2, name: name('last')});
	await client.does(Request.setattr, Reply.setattr, {...noChange, fid: 4, valid: 8, size: 5});
	t.is(readFileSync(join(path, 'd/last'), 'latin1'), 'hello');
	t.is(await client.refusal(Request.unlinkat, {fid: rootFid, name: name('d'), flags: 0x200}), 'ENOTEMPTY');
	await client.does(Request.remove, Reply.remove, {fid: 4});
	t.is(await client.refusal(Request.getattr, {fid: 4, mask: 0n}), 'EBADF');
	await client.does(Request.unlinkat, Reply.unlinkat, {fid: rootFid, name: name('d'), flags: 0x200});
	const {mostNameBytes, type} = await client.does(Request.statfs, Reply.statfs, {fid: rootFid});
	t.deepEqual([mostNameBytes, type], [255, 0x0102_1997]);
	await client.open(5, 0);
	t.deepEqual((await client.names(5)).sort(), ['.', '..', 'a', 'hello', 'l', 'out']);
	t.deepEqual((await client.names(5, 40)).length, 6, 'in pieces');
});

const noChange = {
	valid: 0,
	mode: 0,
	user: 0,
	group: 0,
	size: 0,
	accessed: 0,
	accessedNs: 0,
	modified: 0,
	modifiedNs: 0,
};

test('times and modes are set', async (t) => {
	const {client} = await clientFor(t);
	await client.walk(rootFid, 1, 'hello');
	const asked = {...noChange, fid: 1, valid: 0x1 | 0x20 | 0x100, mode: 0o600, modified: -5n, modifiedNs: 250};
	await client.does(Request.setattr, Reply.setattr, asked);
	const told = await client.does(Request.getattr, Reply.getattr, {fid: 1, mask: 0x7ffn});
	t.like(told, {mode: 0o100600, modified: -5n, modifiedNs: 250n});
	t.is(await client.refusal(Request.setattr, {...asked, modifiedNs: 1_000_000_000}), 'EINVAL');
	t.is(await client.refusal(Request.setattr, {...asked, valid: 0x8000}), 'EINVAL');
	t.is(await client.refusal(Request.setattr, {...asked, valid: 8, size: 2 ** 60}), 'EFBIG');
});

test('no walk leads out of the folder', async (t) => {
	const {client} = await clientFor(t);
	t.is((await client.walk(rootFid, 1, '..')).error, 'EINVAL');
	t.is((await client.walk(rootFid, 1, '.')).error, 'EINVAL');
	t.is((await client.walk(rootFid, 1, '')).error, 'ENOENT');
	t.is((await client.walk(rootFid, 1, 'a/b')).error, 'EINVAL');
	t.is((await client.walk(rootFid, 1, '../secret')).error, 'EINVAL');
	t.is((await client.walk(rootFid, 1, 'a\0b')).error, 'EINVAL');
	t.is((await client.walk(rootFid, 1, 'x'.repeat(256))).error, 'ENAMETOOLONG');
	const seventeen = Array.from({length: 17}, () => 'a');
	t.is((await client.walk(rootFid, 1, ...seventeen)).error, 'EINVAL');
	t.is(
		(await client.walk(rootFid, 1, 'hello', 'x')).bytes.readUInt16LE(headerBytes),
		1,
		'what is no directory ends the walk',
	);
	await client.walk(rootFid, 1, 'out');
	t.is((await client.walk(1, 2, 'secret')).error, 'ENOTDIR');
	t.is(await client.refusal(Request.lopen, {fid: 1, flags: 0}), 'ENXIO', 'links are read, and not opened');
	for (const name of ['..', 'a/b', '.'] as never[]) {
		t.is(await client.refusal(Request.mkdir, {fid: rootFid, name, mode: 0o755, group: 0}), 'EINVAL');
		t.is(await client.refusal(Request.unlinkat, {fid: rootFid, name, flags: 0}), 'EINVAL');
		const made = {fid: rootFid, name, flags: 2, mode: 0o644, group: 0};
		t.is(await client.refusal(Request.lcreate, made), 'EINVAL');
	}
	t.is(client.state('fids'), 2);
});

test('a walk that gets some of its way says how far, and makes no fid', async (t) => {
	const {client} = await clientFor(t);
	const got = await client.walk(rootFid, 1, 'a', 'nothing', 'file');
	t.is(got.bytes.readUInt16LE(headerBytes), 1);
	t.is(await client.refusal(Request.getattr, {fid: 1, mask: 0n}), 'EBADF');
	t.is((await client.walk(rootFid, 1, 'nothing')).error, 'ENOENT');
	t.is((await client.walk(rootFid, 1, 'a', 'b', 'file')).bytes.readUInt16LE(headerBytes), 3);
});

test('fids are what they are: each once, open once, files or directories', async (t) => {
	const {client} = await clientFor(t);
	t.is(await client.refusal(Request.walk, {fid: 9, newFid: 10, names: []}), 'EBADF');
	await client.open(1, 2, 'hello');
	t.is((await client.walk(rootFid, 1)).error, 'EINVAL', 'it is taken');
	t.is((await client.walk(1, 1, 'x')).error, 'EINVAL', 'it is open');
	t.is(await client.refusal(Request.lopen, {fid: 1, flags: 0}), 'EINVAL');
	t.is(await client.refusal(Request.lcreate, {fid: 1, name: 'x' as never, flags: 2, mode: 0, group: 0}), 'EINVAL');
	t.is((await client.attach(1)).error, 'EINVAL');
	t.is((await client.attach(noFid)).error, 'EINVAL');
	t.is(await client.refusal(Request.attach, {fid: 5, authFid: 1, user: '', tree: '', userId: 0}), 'EINVAL');
	t.is(await client.refusal(Request.attach, {fid: 5, authFid: noFid, user: '', tree: '/etc', userId: 0}), 'ENOENT');
	t.is(await client.refusal(Request.readdir, {fid: 1, offset: 0n, count: 100}), 'ENOTDIR');
	await client.open(2, 0, 'a');
	t.is(await client.refusal(Request.read, {fid: 2, offset: 0, count: 100}), 'EISDIR');
	t.is(await client.refusal(Request.read, {fid: rootFid, offset: 0, count: 100}), 'EBADF', 'it is not open');
	await client.walk(rootFid, 3, 'a');
	t.is(await client.refusal(Request.lopen, {fid: 3, flags: 1}), 'EISDIR');
	t.is(await client.refusal(Request.lopen, {fid: 3, flags: 3}), 'EINVAL');
	t.is(await client.refusal(Request.clunk, {fid: 77}), 'EBADF');
	t.is(await client.refusal(Request.remove, {fid: rootFid}), 'EBUSY');
	t.is((await client.walk(1, 4)).error, undefined, 'the copy of an open fid is not open');
	t.is(await client.refusal(Request.read, {fid: 4, offset: 0, count: 1}), 'EBADF');
});

test('a client has so many fids, and no more', (t) => {
	const folder = openHostFolder(folderFor(t), folderDefaults);
	t.teardown(() => folder.close());
	const fids = new FidTable(folder);
	for (let number = 0; number < mostFids; number++) if (fids.reserve(number) !== 0) t.fail();
	t.is(fids.reserve(mostFids), -Errno.EMFILE);
	fids.giveUp(5);
	t.is(fids.reserve(mostFids), 0);
});

test('counts and offsets are no larger than the buffers and files', async (t) => {
	const {client} = await clientFor(t);
	await client.open(1, 2, 'hello');
	const read = async (offset: number, count: number, room?: number) =>
		(await client.ask(Request.read, {fid: 1, offset, count}, room === undefined ? {} : {room})).bytes.subarray(11);
	t.is(`${await read(0, 2 ** 32 - 1)}`, 'hello, guest');
	t.is(`${await read(0, 2 ** 32 - 1, 16)}`, 'hello');
	t.is((await read(0, 100, 11)).length, 0);
	t.is(await client.refusal(Request.read, {fid: 1, offset: 2 ** 53, count: 1}), 'EINVAL');
	t.is(await client.refusal(Request.write, {fid: 1, offset: 2 ** 53, count: 1}, {data: 'x'}), 'EFBIG');
	t.is(await client.refusal(Request.write, {fid: 1, offset: 0, count: 2 ** 32 - 1}, {data: 'x'}), 'EINVAL');
	t.is(await client.refusal(Request.write, {fid: 1, offset: 0, count: 2}, {data: 'x'}), 'EINVAL');
	await client.open(2, 0);
	t.is(await client.refusal(Request.readdir, {fid: 2, offset: 0n, count: 5}), 'EINVAL');
	const lost = await client.ask(Request.readdir, {fid: 2, offset: 2n ** 64n - 1n, count: 1000});
	t.true(lost.error === 'EINVAL' || lost.bytes.length === 11, `${lost.error} ${lost.bytes.length}`);
	t.is(await client.refusal(Request.getattr, {fid: 1, mask: 0n}, {room: 20}), 'EMSGSIZE');
	t.deepEqual(client.machine.failures, []);
});

test('what is no message is answered as far as it can be', async (t) => {
	const {client} = await clientFor(t);
	const sent = async (bytes: Uint8Array, room?: number) =>
		(await client.reply(client.sendBytes(bytes, room === undefined ? {} : {room}))).error;
	t.is(await sent(Buffer.alloc(3)), 'nothing');
	t.is(await sent(Buffer.from([7, 0, 0, 0, 120, 1, 0]), 10), 'nothing');
	t.is(await sent(Buffer.from([7, 0, 0, 0, 120, 1, 0]), 0), 'nothing');
	t.is(await sent(Buffer.from([7, 0, 0, 0, 120, 1, 0])), 'EINVAL');
	t.is(await sent(Buffer.from([7, 0, 0, 0, 255, 1, 0])), 'ENOTSUP');
	t.is(await sent(Buffer.from([6, 0, 0, 0, 120, 1, 0])), 'EINVAL');
	t.is(await sent(Buffer.from([255, 255, 255, 255, 120, 1, 0])), 'EINVAL');
	t.is(await client.refusal(Request.clunk, {fid: rootFid}, {data: 'more'}), 'EINVAL');
	const long = Buffer.alloc(0x6000);
	viewOf(long).setUint32(0, long.length, true);
	long[4] = Request.symlink.type;
	t.is(await sent(long), 'EMSGSIZE');
	for (const message of [Request.xattrwalk, Request.xattrcreate, Request.auth]) {
		const fields = {fid: rootFid, newFid: 3, name: 'user.x', size: 0n, flags: 0, user: '', tree: '', userId: 0};
		t.is(await client.refusal(message as never, fields as never), 'ENOTSUP');
	}
	await client.open(1, 0, 'hello');
	const {status} = await client.does(Request.lock, Reply.lock, {
		fid: 1,
		type: 1,
		flags: 0,
		start: 0n,
		length: 0n,
		process: 5,
		client: 'guest',
	});
	t.is(status, 0);
	const free = {fid: 1, type: 1, start: 1n, length: 2n, process: 5, client: 'guest'};
	t.like(await client.does(Request.getlock, Reply.getlock, free), {type: 2, start: 1n, length: 2n, client: 'guest'});
	t.deepEqual(client.machine.failures, []);
});

test('a session begins with a version, and a new one has no fid of the last', async (t) => {
	const {client, folder} = await clientFor(t);
	await client.open(1, 2, 'hello');
	const version = async (mostBytes: number, text: string) =>
		client.ask(Request.version, {mostBytes, version: text}, {tag: noTag});
	t.is((await version(4095, '9P2000.L')).error, 'EMSGSIZE');
	t.is((await version(2 ** 32 - 1, '9P2000.L')).bytes.readUInt32LE(headerBytes), 2 ** 19);
	t.is(client.state('fids'), 0);
	t.is(folder.save().handles.length, 0, 'its files are closed');
	t.is(await client.refusal(Request.read, {fid: 1, offset: 0, count: 1}), 'EBADF');
	t.is((await version(8192, '9P2000.u')).bytes.toString('latin1', headerBytes + 6), 'unknown');
	t.is((await client.attach(rootFid)).error, 'EPROTO');
	await version(8192, '9P2000.L');
	t.is((await client.attach(rootFid)).error, undefined);
	t.is(client.state('mostBytes'), 8192);
	t.is(folder.save().nodes.length, 0, `${rootNode} alone is known`);
});

test('a read-only folder stays as it is', async (t) => {
	const {client} = await clientFor(t, 'pci', {readOnly: true});
	const name = 'x' as never;
	await client.walk(rootFid, 1, 'hello');
	t.is(await client.refusal(Request.lopen, {fid: 1, flags: 1}), 'EROFS');
	t.is(await client.refusal(Request.mkdir, {fid: rootFid, name, mode: 0o755, group: 0}), 'EROFS');
	t.is(await client.refusal(Request.unlinkat, {fid: rootFid, name: 'hello' as never, flags: 0}), 'EROFS');
	t.is(await client.refusal(Request.setattr, {...noChange, fid: 1, valid: 1}), 'EROFS');
	await client.does(Request.lopen, Reply.lopen, {fid: 1, flags: 0});
	t.is(`${await client.content(1)}`, 'hello, guest');
});

test("a driver's reset closes what it had open", async (t) => {
	const {client, folder} = await clientFor(t);
	await client.open(1, 0, 'hello');
	client.machine.registers.write('device_status', 0);
	await client.until(() => client.machine.registers.read('device_status') === 0);
	t.deepEqual([client.state('fids'), client.state('mostBytes')], [0, 0]);
	t.deepEqual(folder.save(), {...folder.save(), nodes: [], handles: []});
	await client.begin();
	await client.open(1, 0, 'hello');
	t.is(`${await client.content(1)}`, 'hello, guest');
});

test('a guest goes on from a snapshot with its fids and open files, and what is not there any more is stale', async (t) => {
	const {client, path} = await clientFor(t);
	await client.open(1, 2, 'hello');
	await client.walk(rootFid, 2, 'a', 'b');
	await client.open(3, 0, 'a');
	await client.walk(rootFid, 4, 'a', 'b', 'file');
	await client.machine.stop();
	const saved = client.machine.machine.save();
	const memory = new Uint8Array(0x10_0000);
	client.machine.memory.copyOut(0, memory);
	const kept = new Uint8Array(hostMemoryOf(client)).slice();
	const positions = new Map([...client.driver.positions].map(([queue, at]) => [queue, {...at}]));
	await client.dispose();
	rmSync(join(path, 'a/b/file'));
	const restored = async (change: (bytes: Uint8Array) => void) => {
		const other = await P9Client.start(openHostFolder(path, folderDefaults), 'pci', (machine) => {
			machine.memory.copyIn(0, memory);
			const bytes = new Uint8Array(machine.machine.layout.devices.at(-1)?.hostMemory as SharedArrayBuffer);
			bytes.set(kept);
			change(bytes);
			machine.machine.restore(saved);
		});
		t.teardown(() => other.dispose());
		other.driver.resume({positions});
		other.skip(client.sent);
		return other;
	};
	const other = await restored(() => {});
	t.is(`${await other.content(1)}`, 'hello, guest');
	await other.does(Request.write, Reply.write, {fid: 1, offset: 0, count: 5}, {data: 'HELLO'});
	t.is(readFileSync(join(path, 'hello'), 'latin1'), 'HELLO, guest');
	t.deepEqual((await other.names(3)).sort(), ['.', '..', 'b']);
	t.is(await other.refusal(Request.getattr, {fid: 4, mask: 0n}), 'ESTALE');
	await other.does(Request.mkdir, Reply.mkdir, {fid: 2, name: 'made' as never, mode: 0o755, group: 0});
	for (const fid of [1, 2, 3, 4]) await other.does(Request.clunk, Reply.clunk, {fid});
	t.is(other.state('fids'), 1);
	t.deepEqual(other.machine.failures, []);
	// A snapshot may be anybody's.
	const below = seeded(9);
	for (let round = 0; round < 40; round++) {
		const damaged = await restored((bytes) => {
			for (let byte = 0; byte < 5; byte++) bytes[(below(2) === 0 ? 0 : 2 ** 24) + below(200)] = below(256);
		});
		const {error, type} = await damaged.ask(Request.getattr, {fid: 1, mask: 0n});
		t.true(error !== undefined || type === Reply.getattr.type);
		await damaged.ask(Request.clunk, {fid: 1});
		t.deepEqual(damaged.machine.failures, []);
	}
});

const hostMemoryOf = ({machine}: P9Client): SharedArrayBuffer =>
	machine.machine.layout.devices.at(-1)?.hostMemory as SharedArrayBuffer;

test('the thread of all devices serves none of its requests: a host that is slow keeps nobody else waiting', async (t) => {
	const {client} = await clientFor(t);
	const slot = client.send(Request.statfs, {fid: rootFid});
	for (let turn = 0; turn < 20; turn++) client.machine.turn(0);
	t.is(client.got(slot), undefined);
	client.machine.turn(1);
	t.is(client.got(slot)?.type, Reply.statfs.type);
	t.is(client.machine.workers.length, 2);
});

test('a fid is of the name that it was found by, whatever becomes of the file\u2019s others', async (t) => {
	const {client, path} = await clientFor(t);
	const name = (text: string) => text as never;
	await client.open(1, 0, 'hello');
	await client.walk(rootFid, 2, 'hello');
	await client.does(Request.link, Reply.link, {directory: rootFid, fid: 2, name: name('other')});
	await client.walk(rootFid, 3, 'other');
	await client.does(Request.unlinkat, Reply.unlinkat, {fid: rootFid, name: name('other'), flags: 0});
	await client.does(Request.setattr, Reply.setattr, {...noChange, fid: 1, valid: 1, mode: 0o600});
	await client.does(Request.walk, Reply.walk, {fid: 2, newFid: 4, names: []});
	await client.does(Request.lopen, Reply.lopen, {fid: 4, flags: 1});
	t.is(statSync(join(path, 'hello')).mode, 0o100600);
	t.is(await client.refusal(Request.lopen, {fid: 3, flags: 0}), `done: ${Reply.lopen.type}`, 'it is one file');
	await client.does(Request.remove, Reply.remove, {fid: 2});
	t.is(await client.refusal(Request.clunk, {fid: 2}), 'EBADF');
	t.false(existsSync(join(path, 'hello')));
});
