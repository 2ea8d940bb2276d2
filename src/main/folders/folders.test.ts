import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import * as nodeFiles from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {gzipSync, zstdCompressSync} from 'node:zlib';
import test, {type ExecutionContext} from 'ava';
import {Volume} from 'memfs';
import {
	type BytesFromGuest,
	type BytesToGuest,
	type Folder,
	isRefused,
	type Name,
	OpenFlag,
	rootNode,
} from '#devices/folder';
import type {FolderObject} from '#devices/folder/object';
import {calledObject} from '#devices/folder/object/testing';
import {type MadeMember, makeTar} from '#main/tar/testing';
import {Errno} from '#support/ffi';
import {archiveFolder} from './archive-folder.ts';
import {folderAt} from './folder-at.ts';
import {functionFolder} from './function-folder.ts';
import {MemoryFolder, memoryFolder} from './memory-folder.ts';
import {overlayFolder} from './overlay-folder.ts';

const root = {uid: 0, gid: 0};

function folderFor(t: ExecutionContext, object: FolderObject, ...rest: [object?, number?]): Folder {
	const {folder, close} = calledObject(object, ...rest);
	t.teardown(close);
	return folder;
}

/** What is not refused. */
async function given<T>(answer: Promise<T | number> | T | number): Promise<T> {
	const value = await answer;
	if (isRefused(value)) throw new Error(errnoOf(value as number));
	return value as T;
}

const errnoOf = (refused: number) =>
	Object.entries(Errno).find(([, number]) => number === -refused)?.[0] ?? `${refused}`;

/** The name of what is refused. */
async function refused(answer: unknown): Promise<string> {
	const value = await answer;
	return isRefused(value) ? errnoOf(value) : 'done';
}

async function nodeAt(folder: Folder, path: string): Promise<number> {
	let node = rootNode;
	for (const name of path.split('/').filter((each) => each !== ''))
		node = (await given(folder.lookup(node, Buffer.from(name).toString('latin1') as Name))).node;
	return node;
}

const sent = (bytes: Uint8Array): BytesFromGuest => ({
	length: bytes.length,
	read(offset, target, at = 0, length = target.length - at) {
		target.set(bytes.subarray(offset, offset + length), at);
		return true;
	},
	pin: () => false,
});

const room = (length: number): BytesToGuest & {readonly bytes: Buffer} => {
	const bytes = Buffer.alloc(length);
	return {
		bytes,
		length,
		write(offset, source, at = 0, count = source.length - at) {
			bytes.set(source.subarray(at, at + count), offset);
			return true;
		},
		pin: () => false,
	};
};

async function contentOf(folder: Folder, path: string, length = 100_000): Promise<string> {
	const handle = await given(folder.open(await nodeAt(folder, path), OpenFlag.READ));
	const target = room(length);
	const count = await given(folder.read(handle, 0, target));
	await given(folder.release(handle));
	return target.bytes.toString('utf8', 0, count);
}

async function write(folder: Folder, directory: string, name: string, text: string): Promise<void> {
	const parent = await nodeAt(folder, directory);
	const {handle} = await given(folder.create(parent, name as Name, OpenFlag.BOTH, 0o644, root));
	const written = await given(folder.write(handle, 0, sent(Buffer.from(text))));
	if (written !== Buffer.byteLength(text)) throw new Error(`${written} bytes are written`);
	await given(folder.sync(handle, false));
	await given(folder.release(handle));
}

async function namesOf(folder: Folder, path: string): Promise<string[]> {
	const handle = await given(folder.openDirectory(await nodeAt(folder, path)));
	const found: string[] = [];
	for (let cookie = 0n; ; ) {
		const entries = await given(folder.readDirectory(handle, cookie, 3));
		if (entries.length === 0) break;
		found.push(...entries.map(({name}) => Buffer.from(name, 'latin1').toString()));
		cookie = entries.at(-1)?.cookie ?? 0n;
	}
	await given(folder.releaseDirectory(handle));
	return found.filter((name) => name !== '.' && name !== '..').sort();
}

/** What every folder that can be written to does. */
async function worksAsFolder(t: ExecutionContext, object: FolderObject): Promise<Folder> {
	const folder = folderFor(t, object);
	const name = (text: string) => Buffer.from(text).toString('latin1') as Name;
	await given(folder.makeDirectory(rootNode, name('ordner'), 0o755, root));
	await write(folder, 'ordner', 'file', 'content of a file');
	t.is(await contentOf(folder, 'ordner/file'), 'content of a file');
	await write(folder, '', name('größe'), 'x'.repeat(70_000));
	t.is((await contentOf(folder, 'größe')).length, 70_000);
	t.deepEqual(await namesOf(folder, ''), ['größe', 'ordner']);
	const directory = await nodeAt(folder, 'ordner');
	const before = await given(folder.getAttributes(await nodeAt(folder, 'größe')));
	await given(folder.rename(rootNode, name('größe'), directory, name('moved'), 0));
	const moved = await nodeAt(folder, 'ordner/moved');
	const after = await given(folder.getAttributes(moved));
	t.deepEqual([after.inode, after.size], [before.inode, 70_000]);
	t.is(await refused(folder.lookup(rootNode, name('größe'))), 'ENOENT');
	await given(folder.setAttributes(moved, {size: 5, mode: 0o600, modified: {seconds: 1_000_000, nanoseconds: 0}}));
	const changed = await given(folder.getAttributes(moved));
	t.like(changed, {size: 5, mode: 0o100600, modified: {seconds: 1_000_000, nanoseconds: 0}});
	await given(folder.makeLink(rootNode, name('link'), Buffer.from('ordner/moved'), root));
	const target = Buffer.from(await given(folder.readLink(await nodeAt(folder, 'link'))));
	t.is(`${target}`, 'ordner/moved');
	await given(folder.link(moved, rootNode, name('again')));
	t.is(await contentOf(folder, 'again'), 'xxxxx');
	t.is(await refused(folder.removeDirectory(rootNode, name('ordner'))), 'ENOTEMPTY');
	t.is(await refused(folder.makeDirectory(rootNode, name('ordner'), 0o755, root)), 'EEXIST');
	t.is(await refused(folder.rename(rootNode, name('again'), directory, name('file'), 1)), 'EEXIST');
	for (const each of ['file', 'moved']) await given(folder.unlink(directory, name(each)));
	await given(folder.removeDirectory(rootNode, name('ordner')));
	t.deepEqual(await namesOf(folder, ''), ['again', 'link']);
	return folder;
}

test('files in memory', async (t) => {
	const object = memoryFolder();
	await worksAsFolder(t, object);
	t.is(`${Buffer.from(object.readFile('/again'))}`, 'xxxxx');
});

test('files of memfs', async (t) => {
	const volume = new Volume();
	volume.mkdirSync('/data', {recursive: true});
	await worksAsFolder(t, folderAt(volume.promises, '/data'));
	t.is(volume.readFileSync('/data/again', 'utf8'), 'xxxxx');
});

test('files of node:fs/promises', async (t) => {
	const path = mkdtempSync(join(tmpdir(), 'openvmm-folder-'));
	t.teardown(() => rmSync(path, {recursive: true, force: true}));
	await worksAsFolder(t, folderAt(nodeFiles, path));
	t.is(readFileSync(join(path, 'again'), 'utf8'), 'xxxxx');
});

test('an overlay over nothing', async (t) => {
	await worksAsFolder(t, overlayFolder(memoryFolder()));
});

test('an overlay leaves what it is over as it is', async (t) => {
	const lower = memoryFolder({'etc/motd': 'lower', 'etc/keep': 'kept', 'bin/sh': 'shell'});
	const upper = memoryFolder();
	const folder = folderFor(t, overlayFolder(lower, upper));
	const name = (text: string) => text as Name;
	const etc = await nodeAt(folder, 'etc');
	const handle = await given(folder.open(await nodeAt(folder, 'etc/motd'), OpenFlag.BOTH));
	await given(folder.write(handle, 2, sent(Buffer.from('NG'))));
	await given(folder.release(handle));
	t.is(await contentOf(folder, 'etc/motd'), 'loNGr');
	t.is(`${Buffer.from(lower.readFile('/etc/motd'))}`, 'lower');
	await given(folder.unlink(etc, name('keep')));
	t.deepEqual(await namesOf(folder, 'etc'), ['motd']);
	t.is(await refused(folder.lookup(etc, name('keep'))), 'ENOENT');
	await write(folder, 'etc', 'keep', 'new');
	t.is(await contentOf(folder, 'etc/keep'), 'new');
	await given(folder.unlink(etc, name('keep')));
	t.deepEqual(await namesOf(folder, 'etc'), ['motd'], 'the one below does not come back');
	await given(folder.unlink(await nodeAt(folder, 'bin'), name('sh')));
	await given(folder.removeDirectory(rootNode, name('bin')));
	await given(folder.makeDirectory(rootNode, name('bin'), 0o755, root));
	t.deepEqual(await namesOf(folder, 'bin'), [], 'nor does what was in a folder');
	t.is(await refused(folder.rename(rootNode, name('etc'), rootNode, name('other'), 0)), 'EXDEV');
	t.deepEqual(
		lower
			.readdir('/')
			.map((entry) => entry.name)
			.sort(),
		['bin', 'etc'],
	);
});

test('a function makes up what is read', async (t) => {
	const asked: string[] = [];
	const folder = folderFor(
		t,
		functionFolder(async (path) => {
			asked.push(path);
			if (path === '/') return ['time', 'numbers/'];
			if (path === '/numbers') return ['1', '2'];
			const [, number] = /^\/numbers\/(\d)$/.exec(path) ?? [];
			return number === undefined ? undefined : `number ${number}`;
		}),
	);
	t.deepEqual(await namesOf(folder, 'numbers'), ['1', '2']);
	t.is(await contentOf(folder, 'numbers/2'), 'number 2');
	t.is(await refused(folder.lookup(rootNode, 'time' as Name)), 'ENOENT');
	t.is(await refused(folder.makeDirectory(rootNode, 'x' as Name, 0o755, root)), 'EROFS');
	t.is(await refused(folder.open(await nodeAt(folder, 'numbers/1'), OpenFlag.WRITE)), 'EROFS');
	t.true(asked.every((path) => path.startsWith('/') && !path.includes('..')));
});

test('a folder in memory has bounds', async (t) => {
	const object = new MemoryFolder({mostBytes: 1000, mostFiles: 4});
	const folder = folderFor(t, object);
	await write(folder, '', 'a', 'x'.repeat(600));
	const handle = await given(folder.open(await nodeAt(folder, 'a'), OpenFlag.BOTH));
	t.is(await refused(folder.write(handle, 2 ** 40, sent(Buffer.alloc(1)))), 'ENOSPC');
	t.is(await refused(folder.setAttributes(await nodeAt(folder, 'a'), {size: 2 ** 45}, handle)), 'ENOSPC');
	t.is((await given(folder.space(rootNode))).files, 4);
	await write(folder, '', 'b', '');
	await write(folder, '', 'c', '');
	t.is(await refused(folder.makeDirectory(rootNode, 'd' as Name, 0o755, root)), 'ENOSPC');
	await given(folder.unlink(rootNode, 'a' as Name));
	t.is((await given(folder.getAttributes(0, handle)).catch((error: Error) => error.message)) as unknown, 'ESTALE');
	t.is(await given(folder.read(handle, 0, room(1000))), 600, 'an open file stays');
	await given(folder.release(handle));
	await write(folder, '', 'd', 'y'.repeat(1000));
});

const nonsense: Readonly<Record<string, [Partial<FolderObject>, (folder: Folder) => unknown, string]>> = {
	'no stat': [{lstat: undefined as never}, (folder) => folder.lookup(rootNode, 'f' as Name), 'ENOTSUP'],
	'a stat that is none': [{lstat: () => 'big' as never}, (folder) => folder.lookup(rootNode, 'f' as Name), 'EIO'],
	'a mode of no type': [
		{lstat: () => ({mode: 0o644, size: 1})},
		(folder) => folder.lookup(rootNode, 'f' as Name),
		'EIO',
	],
	'a negative size': [
		{lstat: () => ({mode: 0o100644, size: -1})},
		(folder) => folder.lookup(rootNode, 'f' as Name),
		'EIO',
	],
	'a size beyond numbers': [
		{lstat: () => ({mode: 0o100644, size: 2 ** 60})},
		(folder) => folder.lookup(rootNode, 'f' as Name),
		'EIO',
	],
	'a stat that throws': [
		{
			lstat() {
				throw new Error('no');
			},
		},
		(folder) => folder.lookup(rootNode, 'f' as Name),
		'EIO',
	],
	'a stat that throws a code': [
		{
			lstat() {
				throw Object.assign(new Error('no'), {code: 'EACCES'});
			},
		},
		(folder) => folder.lookup(rootNode, 'f' as Name),
		'EACCES',
	],
	'a stat that throws nothing': [
		{
			lstat() {
				throw undefined;
			},
		},
		(folder) => folder.lookup(rootNode, 'f' as Name),
		'EIO',
	],
	'a stat that never comes': [
		{lstat: () => new Promise(() => {})},
		(folder) => folder.lookup(rootNode, 'f' as Name),
		'ETIMEDOUT',
	],
	'names that are none': [{readdir: () => ['a/b']}, listRoot, 'EIO'],
	'the name of what is above': [{readdir: () => ['..']}, listRoot, 'EIO'],
	'a name that is too long': [{readdir: () => ['x'.repeat(256)]}, listRoot, 'EIO'],
	'names that are no list': [{readdir: () => 5 as never}, listRoot, 'EIO'],
	'a function for a name': [{readdir: () => [{name: () => 'x'} as never]}, listRoot, 'EIO'],
	'more bytes than were asked for': [
		{open: () => ({read: () => ({bytesRead: 2 ** 40})})},
		async (folder) => folder.read(await openFile(folder), 0, room(10)),
		'EIO',
	],
	'less than no bytes': [
		{open: () => ({read: () => ({bytesRead: -5})})},
		async (folder) => folder.read(await openFile(folder), 0, room(10)),
		'EIO',
	],
	'no file': [{open: () => undefined as never}, async (folder) => folder.open(await nodeAt(folder, 'f'), 0), 'EIO'],
	'a link to nothing': [{readlink: () => ''}, (folder) => folder.readLink(rootNode), 'EIO'],
	'a link that is a number': [{readlink: () => 5 as never}, (folder) => folder.readLink(rootNode), 'EIO'],
	'room that is none': [{statfs: () => ({bsize: -1}) as never}, (folder) => folder.space(rootNode), 'EIO'],
};

async function listRoot(folder: Folder) {
	return folder.readDirectory((await folder.openDirectory(rootNode)) as number, 0n, 10);
}

async function openFile(folder: Folder): Promise<number> {
	return given(folder.open(await nodeAt(folder, 'f'), OpenFlag.BOTH));
}

for (const [what, [methods, act, error]] of Object.entries(nonsense))
	test(`an object gives nonsense: ${what}`, async (t) => {
		const usual: FolderObject = {
			lstat: (path) => ({mode: path === '/' ? 0o040755 : 0o100644, size: 3}),
			readdir: () => ['f'],
			open: () => ({read: () => ({bytesRead: 0})}),
		};
		const folder = folderFor(t, {...usual, ...methods}, {}, error === 'ETIMEDOUT' ? 200 : 60_000);
		t.is(await refused(act(folder)), error);
	});

test('files of an object that gives them whole', async (t) => {
	const files = new Map<string, Uint8Array>([['/f', Buffer.from('whole')]]);
	const find = (path: string) => {
		const found = files.get(path);
		if (found === undefined) throw Object.assign(new Error(path), {code: 'ENOENT'});
		return found;
	};
	const folder = folderFor(t, {
		lstat: (path) => (path === '/' ? {mode: 0o040755, size: 0} : {mode: 0o100644, size: find(path).length}),
		readdir: () => [...files.keys()].map((path) => path.slice(1)),
		readFile: find,
		writeFile: (path, bytes) => void files.set(path, bytes.slice()),
	});
	t.is(await contentOf(folder, 'f'), 'whole');
	await write(folder, '', 'g', 'new file');
	t.is(`${Buffer.from(find('/g'))}`, 'new file');
	t.deepEqual(await namesOf(folder, ''), ['f', 'g']);
	t.is(await refused(folder.unlink(rootNode, 'f' as Name)), 'EROFS');
});

test('a folder that is only read calls nothing that writes', async (t) => {
	const folder = folderFor(t, memoryFolder({f: 'x', 'd/': ''}), {readOnly: true});
	const node = await nodeAt(folder, 'f');
	t.is(await refused(folder.open(node, OpenFlag.WRITE)), 'EROFS');
	t.is(await refused(folder.open(node, OpenFlag.TRUNCATE)), 'EROFS');
	t.is(await refused(folder.setAttributes(node, {size: 0})), 'EROFS');
	t.is(await refused(folder.rename(rootNode, 'f' as Name, rootNode, 'g' as Name, 0)), 'EROFS');
	t.is(await refused(folder.create(rootNode, 'g' as Name, 0, 0o644, root)), 'EROFS');
	t.is(await refused(folder.removeDirectory(rootNode, 'd' as Name)), 'EROFS');
	t.is(await contentOf(folder, 'f'), 'x');
});

test('an archive is read, and climbs nowhere', async (t) => {
	async function* tar(...members: readonly MadeMember[]) {
		yield makeTar(members.map((member) => ({user: 5, group: 6, modified: 1_000_000, ...member})));
	}
	const folder = folderFor(
		t,
		await archiveFolder(
			tar(
				{path: './etc/', mode: 0o750},
				{path: './etc/motd', mode: 0o640, data: 'from an archive'},
				{path: './deep/er/l', type: '2', target: '../../etc/motd'},
				{path: './again', type: '1', target: './etc/motd'},
			),
		),
	);
	t.deepEqual(await namesOf(folder, ''), ['again', 'deep', 'etc']);
	t.is(await contentOf(folder, 'again'), 'from an archive');
	const told = await given(folder.getAttributes(await nodeAt(folder, 'etc/motd')));
	t.like(told, {mode: 0o100640, uid: 5, gid: 6, links: 2, modified: {seconds: 1_000_000, nanoseconds: 0}});
	t.is(await refused(folder.open(await nodeAt(folder, 'again'), OpenFlag.WRITE)), 'EROFS');
	t.is(await refused(folder.unlink(rootNode, 'again' as Name)), 'EROFS');
	t.is(await refused(folder.makeDirectory(rootNode, 'x' as Name, 0o755, root)), 'EROFS');
	const wrong: readonly (readonly [string, MadeMember[], object?])[] = [
		["'..' in it", [{path: '../out', data: 'x'}]],
		[
			"'..' in it",
			[
				{path: 'a', data: 'x'},
				{path: 'b', type: '1', target: '../a'},
			],
		],
		[
			'ENOTDIR',
			[
				{path: 'l', type: '2', target: '/etc'},
				{path: 'l/passwd', data: 'x'},
			],
		],
		['ENOENT', [{path: 'l', type: '1', target: 'nothing'}]],
		['no room', [{path: 'a', data: 'x'.repeat(100_000)}], {mostBytes: 8192}],
		['no room', [{path: 'a', data: 'x', size: 8 ** 10}]],
		['cut off', [{path: 'a', data: 'x', size: 5000}]],
	];
	for (const [cause, members, options] of wrong)
		await t.throwsAsync(archiveFolder(tar(...members), options), {
			code: 'FOLDER_ARCHIVE_INVALID',
			message: new RegExp(cause.replaceAll('.', '\\.')),
		});
});

test('an archive may be compressed, and is refused where that is damaged or makes too much of it', async (t) => {
	async function* pieces(...bytes: readonly Uint8Array[]) {
		yield* bytes;
	}
	const plain = makeTar([{path: 'etc/motd', data: 'compressed'}]);
	for (const compressed of [gzipSync(plain), zstdCompressSync(plain)]) {
		const folder = folderFor(t, await archiveFolder(pieces(...Array.from(compressed, (byte) => Uint8Array.of(byte)))));
		t.is(await contentOf(folder, 'etc/motd'), 'compressed');
	}
	const wrong: readonly (readonly [string, Uint8Array])[] = [
		['cut off', gzipSync(plain).subarray(0, -9)],
		['an xz archive', Buffer.from('\xfd7zXZ\0\0\0', 'latin1')],
		// A header about all members, which nobody reads.
		['decompressed', zstdCompressSync(makeTar([{path: 'g', type: 'g', data: new Uint8Array(2 ** 26 + 2 ** 20)}]))],
	];
	for (const [cause, bytes] of wrong)
		await t.throwsAsync(archiveFolder(pieces(bytes)), {code: 'FOLDER_ARCHIVE_INVALID', message: new RegExp(cause)});
});

test('a file that has become another one in the program is not written to under the number of the first', async (t) => {
	const object = memoryFolder({file: 'first'});
	const folder = folderFor(t, object);
	const node = await nodeAt(folder, 'file');
	const handle = await given(folder.open(node, OpenFlag.BOTH));
	object.put('file', 'second');
	t.is((await given(folder.getAttributes(node))).links, 0, 'it is the one that is open');
	await given(folder.release(handle));
	for (const answer of [
		folder.open(node, OpenFlag.BOTH),
		folder.open(node, OpenFlag.READ | OpenFlag.TRUNCATE),
		folder.getAttributes(node),
		folder.setAttributes(node, {size: 0}),
		folder.setAttributes(node, {mode: 0o600}),
		folder.setAttributes(node, {uid: 5}),
		folder.setAttributes(node, {modified: {seconds: 5, nanoseconds: 0}}),
	])
		t.is(await refused(answer), 'ESTALE');
	t.is(Buffer.from(object.readFile('/file')).toString(), 'second');
	t.like(object.lstat('/file'), {mode: 0o100644, uid: 0});
	t.not(await nodeAt(folder, 'file'), node);
	t.is(await contentOf(folder, 'file'), 'second');
});

test('an open file is to be read or written as it was opened', async (t) => {
	const folder = folderFor(t, memoryFolder({file: 'content'}));
	const node = await nodeAt(folder, 'file');
	const [reading, writing] = [
		await given(folder.open(node, OpenFlag.READ)),
		await given(folder.open(node, OpenFlag.WRITE)),
	];
	t.is(await refused(folder.write(reading, 0, sent(Buffer.from('x')))), 'EBADF');
	t.is(await refused(folder.read(writing, 0, room(5))), 'EBADF');
});

test('names of a few open directories are kept, and the others are listed again where they went on', async (t) => {
	const names = Array.from({length: 30_000}, (_, index) => `name-${index}`);
	let lists = 0;
	const folder = folderFor(t, {
		lstat: () => ({mode: 0o040755, size: 0}),
		readdir() {
			lists++;
			return names;
		},
	});
	const handles: number[] = [];
	for (let count = 0; count < 10; count++) handles.push(await given(folder.openDirectory(rootNode)));
	for (const handle of handles) t.is((await given(folder.readDirectory(handle, 0n, 5))).length, 5);
	t.is(lists, 10);
	for (const handle of handles.slice(-4)) await given(folder.readDirectory(handle, 5n, 5));
	t.is(lists, 10);
	const [entry] = await given(folder.readDirectory(handles[0] as number, 5n, 1));
	t.deepEqual([lists, entry?.name, entry?.cookie], [11, 'name-3', 6n]);
	for (const handle of handles) await given(folder.releaseDirectory(handle));
});

test('a guest that goes on from a snapshot has its files by their numbers, and another file gets another one', async (t) => {
	const files = memoryFolder({one: '1', two: '22'});
	const before = folderFor(t, files);
	const one = await given(before.lookup(rootNode, 'one' as Name));
	const two = await given(before.lookup(rootNode, 'two' as Name));
	before.forget(two.node, 1);
	const folder = folderFor(t, files);
	await folder.restore(before.save());
	t.is((await given(folder.getAttributes(one.node))).size, 1);
	t.true((await given(folder.lookup(rootNode, 'two' as Name))).node > two.node);
});
