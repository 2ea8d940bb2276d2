// A guest that wants out of its folder, alone and with a program of the host's that changes the folder meanwhile.
import {execFileSync, spawn} from 'node:child_process';
import {once} from 'node:events';
import {
	chmodSync,
	linkSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	unlinkSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {
	type Created,
	type DirectoryEntry,
	type Entry,
	type FolderOptions,
	folderDefaults,
	isRefused,
	type Name,
	nameOf,
} from '#devices/folder';
import {plainBytes} from '#devices/folder/testing';
import {Errno} from '#support/ffi';
import {type HostFolder, openHostFolder} from './index.ts';

const owner = {uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0};
const [READ, BOTH] = [0, 2];
const name = (text: string) => nameOf(Buffer.from(text)) as Name;

/** A folder to share, and beside it what its guest must not reach. */
interface Places {
	readonly inside: string;
	readonly outside: string;
}

function placesOf(t: ExecutionContext): Places {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-climb-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const [inside, outside] = [join(folder, 'inside'), join(folder, 'outside')];
	mkdirSync(inside);
	mkdirSync(outside);
	writeFileSync(join(outside, 'file'), 'secret');
	return {inside, outside};
}

function shared(t: ExecutionContext, path: string, options: Partial<FolderOptions> = {}): HostFolder {
	const folder = openHostFolder(path, {...folderDefaults, ...options});
	t.teardown(() => folder.close());
	return folder;
}

/** The node of a name, or what it is refused with. */
const look = (folder: HostFolder, parent: number, text: string): number => {
	const entry = folder.lookup(parent, name(text)) as Entry | number;
	return typeof entry === 'number' ? entry : entry.node;
};

function textOf(folder: HostFolder, handle: number): string | number {
	const target = plainBytes(100);
	const count = folder.read(handle, 0, target) as number;
	return count < 0 ? count : Buffer.from(target.bytes.subarray(0, count)).toString();
}

test('names that are paths, too long or cut by NUL are none', (t) => {
	for (const [text, errno] of [
		['', Errno.ENOENT],
		['.', Errno.EINVAL],
		['..', Errno.EINVAL],
		['/', Errno.EINVAL],
		['../outside', Errno.EINVAL],
		['a/b', Errno.EINVAL],
		['/etc/passwd', Errno.EINVAL],
		['file\0', Errno.EINVAL],
		['x'.repeat(256), Errno.ENAMETOOLONG],
		['x'.repeat(65_536), Errno.ENAMETOOLONG],
	] as const)
		t.is(nameOf(Buffer.from(text)), -errno, text.slice(0, 20));
	for (const text of ['...', '..a', ' ', '\u{1f600}', 'x'.repeat(255)])
		t.is(typeof nameOf(Buffer.from(text)), 'string');
});

test('no link is followed: absolute ones, those that climb, and those of /proc', (t) => {
	const {inside, outside} = placesOf(t);
	for (const [link, target] of [
		['absolute', outside],
		['climbing', '../outside'],
		['proc', '/proc/self/root'],
		['cwd', '/proc/self/cwd'],
		['file', join(outside, 'file')],
	] as const)
		symlinkSync(target, join(inside, link));
	const folder = shared(t, inside);
	for (const link of ['absolute', 'climbing', 'proc', 'cwd', 'file']) {
		const node = look(folder, 1, link);
		t.is(look(folder, node, 'file'), -Errno.ENOTDIR, link);
		t.is(folder.open(node, READ), -Errno.ENXIO);
		t.is(folder.openDirectory(node), -Errno.ENOTDIR);
		t.is(folder.makeDirectory(node, name('made'), 0o777, owner), -Errno.ENOTDIR);
		t.is(folder.create(1, name(link), BOTH, 0o644, owner), -Errno.ENXIO);
		t.is(folder.setAttributes(node, {size: 0}), -Errno.EINVAL);
		t.is(folder.setAttributes(node, {mode: 0o700}), -Errno.EOPNOTSUPP);
	}
	t.is(folder.rename(1, name('absolute'), 1, name('moved'), 0), 0);
	t.is(folder.unlink(1, name('file')), 0);
	t.deepEqual([readdirSync(outside), readFileSync(join(outside, 'file'), 'utf8')], [['file'], 'secret']);
});

test('links that lie in /proc lead nowhere, when that is what is shared', (t) => {
	const folder = shared(t, '/proc/self', {submounts: true});
	for (const magic of ['root', 'cwd', 'exe']) {
		const node = look(folder, 1, magic);
		t.true(node > 0, magic);
		t.is(look(folder, node, 'etc'), -Errno.ENOTDIR);
		t.is(folder.open(node, READ), -Errno.ENXIO);
	}
	const fds = look(folder, 1, 'fd');
	t.is(folder.open(look(folder, fds, '0'), READ), -Errno.ENXIO);
});

test('a link a guest makes leads nowhere', (t) => {
	const {inside, outside} = placesOf(t);
	const folder = shared(t, inside);
	const link = folder.makeLink(1, name('link'), Buffer.from(outside), owner) as Entry;
	t.is(look(folder, link.node, 'file'), -Errno.ENOTDIR);
	t.is(folder.makeLink(1, name('nul'), Buffer.from('a\0b'), owner), -Errno.EINVAL);
	t.is(folder.makeLink(1, name('empty'), new Uint8Array(), owner), -Errno.EINVAL);
	t.is(folder.makeLink(1, name('long'), new Uint8Array(5000).fill(120), owner), -Errno.EINVAL);
	t.deepEqual(readdirSync(inside), ['link']);
});

test('above the folder there is the folder', (t) => {
	const {inside} = placesOf(t);
	const folder = shared(t, inside);
	const handle = folder.openDirectory(1) as number;
	const entries = folder.readDirectory(handle, 0n, 100) as readonly DirectoryEntry[];
	const inode = statSync(inside, {bigint: true}).ino;
	t.deepEqual(entries.map((entry) => [entry.name, entry.inode]).sort(), [
		['.', inode],
		['..', inode],
	]);
});

test('a directory that leaves the folder is not in it, whoever has it open', (t) => {
	const {inside, outside} = placesOf(t);
	mkdirSync(join(inside, 'a', 'b'), {recursive: true});
	writeFileSync(join(inside, 'a', 'b', 'file'), 'mine');
	const folder = shared(t, inside);
	const [parent, directory] = [look(folder, 1, 'a'), look(folder, look(folder, 1, 'a'), 'b')];
	const file = look(folder, directory, 'file');
	const reading = folder.open(file, READ) as number;
	t.true((folder.openDirectory(directory) as number) > 0);
	renameSync(join(inside, 'a', 'b'), join(outside, 'b'));
	for (const answer of [
		look(folder, directory, 'file'),
		folder.open(file, READ),
		folder.openDirectory(directory),
		folder.makeDirectory(directory, name('made'), 0o777, owner),
		folder.create(directory, name('made'), BOTH, 0o644, owner),
		folder.makeLink(directory, name('made'), Buffer.from('x'), owner),
		folder.makeNode(directory, name('made'), 0o100644, 0, owner),
		folder.createUnnamed(directory, BOTH, 0o644, owner),
		folder.unlink(directory, name('file')),
		folder.rename(directory, name('file'), 1, name('back'), 0),
		folder.rename(parent, name('x'), directory, name('y'), 0),
		folder.link(file, 1, name('linked')),
		folder.setAttributes(directory, {mode: 0o777}, undefined),
	])
		t.true([-Errno.ESTALE, -Errno.EINVAL].includes(answer as number), String(answer));
	t.is(textOf(folder, reading), 'mine', 'an open file is open');
	t.true(isRefused(folder.setAttributes(file, {size: 0}, reading)), 'and to be read alone as before');
	t.is(folder.setAttributes(file, {mode: 0o600}, reading), -Errno.ESTALE, 'and nothing else of it is the guest\u2019s');
	t.is(readFileSync(join(outside, 'b', 'file'), 'utf8'), 'mine');
	t.deepEqual(readdirSync(join(outside, 'b')), ['file']);
	renameSync(join(outside, 'b'), join(inside, 'a', 'b'));
	t.is(look(folder, directory, 'file'), file, 'it has come back');
});

test('a file that takes the place of another one is not that one', (t) => {
	const {inside} = placesOf(t);
	writeFileSync(join(inside, 'file'), 'first');
	const folder = shared(t, inside);
	const node = look(folder, 1, 'file');
	writeFileSync(join(inside, 'second'), 'second');
	renameSync(join(inside, 'second'), join(inside, 'file'));
	t.is(folder.open(node, READ), -Errno.ESTALE);
	t.is(folder.getAttributes(node), -Errno.ESTALE);
	t.not(look(folder, 1, 'file'), node);
	unlinkSync(join(inside, 'file'));
	t.is(look(folder, 1, 'file'), -Errno.ENOENT);
});

test('pipes, sockets and devices of the host are never opened', (t) => {
	const {inside} = placesOf(t);
	execFileSync('mkfifo', [join(inside, 'pipe')]);
	const kinds = ['pipe'];
	if (owner.uid === 0) {
		// A reader of this one would have the kernel's random numbers; in a container it may not be made.
		try {
			execFileSync('mknod', [join(inside, 'device'), 'c', '1', '9'], {stdio: 'ignore'});
			kinds.push('device');
		} catch {
			t.log('no devices here');
		}
	}
	const folder = shared(t, inside);
	for (const kind of kinds) {
		const node = look(folder, 1, kind);
		for (const flags of [READ, BOTH]) t.is(folder.open(node, flags), -Errno.ENXIO, kind);
		t.is(folder.create(1, name(kind), BOTH, 0o644, owner), -Errno.ENXIO);
		t.is(folder.setAttributes(node, {size: 0}), -Errno.EINVAL);
		t.is(folder.openDirectory(node), -Errno.ENOTDIR);
	}
	// A writer of the pipe would wait for ever; nobody is one.
	t.is(folder.unlink(1, name('pipe')), 0);
});

test('hard links do not lead out: a link is one of a file in the folder', (t) => {
	const {inside, outside} = placesOf(t);
	mkdirSync(join(inside, 'sub'));
	linkSync(join(outside, 'file'), join(inside, 'given'));
	symlinkSync(join(outside, 'file'), join(inside, 'soft'));
	const folder = shared(t, inside);
	const soft = look(folder, 1, 'soft');
	t.false(isRefused(folder.link(soft, 1, name('softer'))));
	t.is(look(folder, look(folder, 1, 'softer'), 'x'), -Errno.ENOTDIR, 'of the link, not of what it names');
	t.is(folder.link(look(folder, 1, 'sub'), 1, name('again')), -Errno.EPERM);
	const given = look(folder, 1, 'given');
	unlinkSync(join(inside, 'given'));
	t.is(folder.link(given, 1, name('kept')), -Errno.ESTALE, 'what has gone from the folder cannot be had back');
	t.is(folder.open(given, READ), -Errno.ESTALE);
});

test('a file without a name is opened again by who has it open, and by nobody else', (t) => {
	const {inside, outside} = placesOf(t);
	writeFileSync(join(inside, 'file'), 'text');
	const folder = shared(t, inside);
	const node = look(folder, 1, 'file');
	const handle = folder.open(node, READ) as number;
	renameSync(join(inside, 'file'), join(outside, 'moved'));
	t.is(folder.open(node, READ), -Errno.ESTALE, 'it has a name, elsewhere');
	unlinkSync(join(outside, 'moved'));
	const again = folder.open(node, BOTH) as number;
	t.true(again > 0, String(again));
	t.is(folder.openDirectory(node), -Errno.ESTALE);
	for (const each of [handle, again]) t.is(folder.release(each), 0);
	t.is(folder.open(node, READ), -Errno.ESTALE);

	writeFileSync(join(inside, 'file'), 'text');
	const toRead = shared(t, inside, {readOnly: true});
	const kept = look(toRead, 1, 'file');
	t.true((toRead.open(kept, READ) as number) > 0);
	unlinkSync(join(inside, 'file'));
	t.is(toRead.open(kept, BOTH), -Errno.EROFS);
});

test('a path is as deep as the host\u2019s can be, and no deeper', (t) => {
	const {inside} = placesOf(t);
	const folder = shared(t, inside);
	const long = 'd'.repeat(250);
	let [node, depth] = [1, 0];
	for (; depth < 100; depth++) {
		const made = folder.makeDirectory(node, name(long), 0o755, owner) as Entry | number;
		if (typeof made === 'number') {
			t.is(made, -Errno.ENAMETOOLONG);
			break;
		}
		({node} = made);
	}
	t.is(depth, Math.floor(4095 / 251));
	t.false(isRefused(folder.getAttributes(node)));
});

test('a directory that becomes a link again and again shows nothing of what the link names', async (t) => {
	t.timeout(240_000);
	const {inside, outside} = placesOf(t);
	mkdirSync(join(inside, 'x'));
	writeFileSync(join(inside, 'x', 'file'), 'mine');
	symlinkSync(outside, join(inside, 'link'));
	const swapper = fileURLToPath(new URL('testing/swapper.mjs', import.meta.url));
	const child = spawn(process.execPath, [swapper, 'x', 'parked', 'link'], {
		cwd: inside,
		stdio: ['pipe', 'pipe', 'inherit'],
	});
	const gone = once(child, 'exit');
	await once(child.stdout, 'data');
	const folder = shared(t, inside);
	const seen = {directory: 0, link: 0, missing: 0, texts: new Set<string | number>()};
	for (let round = 0; round < 3000 || seen.directory === 0 || seen.link === 0; round++) {
		const entry = folder.lookup(1, name('x')) as Entry | number;
		if (typeof entry === 'number') {
			seen.missing++;
			continue;
		}
		if ((entry.attributes.mode & 0o170000) === 0o120000) seen.link++;
		else seen.directory++;
		const file = folder.lookup(entry.node, name('file')) as Entry | number;
		const handle = typeof file === 'number' ? file : (folder.open(file.node, BOTH) as number);
		if (handle > 0) {
			seen.texts.add(textOf(folder, handle));
			folder.release(handle);
		}
		const made = folder.create(entry.node, name(`made-${round}`), BOTH, 0o644, owner) as Created | number;
		if (typeof made !== 'number') folder.release(made.handle);
		folder.unlink(entry.node, name('file-that-is-not'));
		folder.forget(entry.node, 1);
	}
	child.stdin.end();
	await gone;
	t.log(seen);
	t.deepEqual([...seen.texts], ['mine']);
	t.deepEqual(readdirSync(outside), ['file']);
	t.is(readFileSync(join(outside, 'file'), 'utf8'), 'secret');
});

test('other file systems inside are there when they are to be', (t) => {
	const without = shared(t, '/');
	t.is(look(without, 1, 'proc'), -Errno.EXDEV);
	const folder = shared(t, '/', {submounts: true, readOnly: true});
	const proc = look(folder, 1, 'proc');
	const entry = folder.lookup(proc, name('version')) as Entry;
	const handle = folder.open(entry.node, READ) as number;
	t.regex(`${textOf(folder, handle)}`, /^Linux version/);
	t.true(entry.attributes.inode >> 56n !== 0n, 'its inodes are none of the first file system');
});

test('what the user of the process may not do, a guest may not either', (t) => {
	const {inside} = placesOf(t);
	writeFileSync(join(inside, 'file'), 'text');
	chmodSync(join(inside, 'file'), 0o444);
	const folder = shared(t, inside);
	const result = folder.open(look(folder, 1, 'file'), BOTH) as number;
	if (owner.uid === 0) t.true(result > 0);
	else t.is(result, -Errno.EACCES);
});
