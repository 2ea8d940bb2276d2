import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {bytesContent, FileTree, Spool} from '#main/file-tree';
import {gather} from '#main/tar';
import {type MadeMember, makeTar} from '#main/tar/testing';
import {readConfigured} from './read-configured.ts';

const time = 1000;

/** @param names - of files that are as they were @param before - what the guest got */
async function read(
	t: ExecutionContext,
	members: readonly MadeMember[],
	{
		names = [],
		before = new FileTree(3),
		signal,
	}: {names?: readonly string[]; before?: FileTree; signal?: AbortSignal} = {},
): Promise<FileTree> {
	const folder = await mkdtemp(join(tmpdir(), 'configured-'));
	const spool = await Spool.open(folder, 2 ** 20);
	t.teardown(async () => {
		await spool[Symbol.asyncDispose]();
		await rm(folder, {recursive: true});
	});
	const fault = (what: string) => new RangeError(what);
	const found = {
		names: Buffer.from(names.map((name) => `${name}\0`).join('')),
		archive: bytesContent(makeTar(members)).pieces(),
	};
	return readConfigured(before, found, spool, {time, fault, signal});
}

const usual: readonly MadeMember[] = [
	{path: './', mode: 0o755, modified: 1005},
	{path: './etc/', modified: 7},
	{path: './etc/passwd', data: 'root', modified: 1001, user: 1, group: 2},
	{path: './etc/again', type: '1', target: './etc/passwd'},
	{path: './bin', type: '2', target: 'usr/bin'},
];

test('files of a configured system are what they are, and none is younger than the image', async (t) => {
	const tree = await read(t, usual);
	t.is(tree.root.modified, time);
	t.like(tree.find('etc'), {kind: 'directory', modified: 7});
	const found = tree.find('etc/passwd');
	if (found?.kind !== 'file') return t.fail();
	t.like(found, {user: 1, group: 2, modified: time});
	t.is(Buffer.from(await gather(found.content.pieces())).toString(), 'root');
	t.is(tree.find('etc/again'), found);
	t.like(tree.find('bin'), {kind: 'link', target: 'usr/bin'});
});

test('what is as it was is taken from before, and what is gone is gone', async (t) => {
	const before = new FileTree(3);
	for (const path of ['etc/same', 'etc/gone', 'etc/passwd', 'old/deep/file', 'turned/file', 'tmp/x'])
		before.addFile(path, bytesContent(`before: ${path}`));
	before.addLink('turns', 'etc');
	before.add('etc/other', before.find('etc/same') as never);
	const etc = {permissions: 0o700, user: 4, group: 5, modified: 6};
	before.addDirectory('etc', etc);
	const members = [
		{path: './etc/passwd', data: 'after', modified: 1001},
		{path: './turned', data: 'no folder any more'},
		{path: './turns/', modified: 8},
		{path: './turns/new', data: ''},
	];
	const here = ['', 'etc', 'etc/same', 'etc/other', 'etc/passwd', 'tmp', 'tmp/x', 'turned', 'turns', 'turns/new'];
	const tree = await read(t, members, {names: here, before});
	t.deepEqual(
		[...tree.walk()].map(([path]) => path),
		['etc', 'etc/other', 'etc/passwd', 'etc/same', 'tmp', 'turned', 'turns', 'turns/new'],
	);
	t.like(tree.find('etc'), etc);
	t.is(tree.find('etc/same'), before.find('etc/same'));
	t.is(tree.find('etc/same'), tree.find('etc/other'));
	t.like(tree.find('etc/passwd'), {modified: time});
	t.like(tree.find('turned'), {kind: 'file'});
	t.is(before.find('turns')?.kind, 'link');
	t.is(tree.root.modified, 3);
	await t.throwsAsync(read(t, members, {names: [...here, 'etc/never'], before}), {
		message: /"etc\/never" is not there/,
	});
});

test('what tells of one time that it was configured is left out, and nothing beside it', async (t) => {
	const transient = [
		...['var/log/dpkg.log', 'var/log/alternatives.log', 'var/cache/ldconfig/aux-cache', 'var/lib/dpkg/status-old'],
		...['etc/passwd-', 'etc/gshadow-', 'var/lib/systemd/random-seed', 'tmp/x', 'var/tmp/deep/y', 'etc/.pwd.lock'],
		...['var/cache/debconf/config.dat-old', 'var/lib/dpkg/lock'],
	];
	const kept = [
		'var/log/other.log',
		'var/lib/dpkg/status',
		'etc/group',
		'home/tmp/x',
		'opt/etc/passwd-',
		'tmp',
		'var/tmp',
	];
	const files = [...transient, ...kept.filter((path) => !path.endsWith('tmp'))].map((path) => ({
		path: `./${path}`,
		data: '',
	}));
	const tree = await read(t, [{path: './tmp/'}, {path: './var/'}, {path: './var/tmp/'}, ...files]);
	t.deepEqual(
		transient.filter((path) => tree.find(path) !== undefined),
		[],
	);
	t.deepEqual(
		kept.filter((path) => tree.find(path) === undefined),
		[],
	);
});

test('an archive that contradicts itself is told, and who gives up is not waited for', async (t) => {
	await t.throwsAsync(read(t, [{path: 'a', type: '1', target: 'gone'}]), {instanceOf: RangeError});
	await t.throwsAsync(read(t, [{path: 'a', size: 2 ** 30}]), {instanceOf: RangeError});
	await t.throwsAsync(read(t, [{path: '../a', data: ''}]), {code: 'TREE_PATH_INVALID'});
	const signal = AbortSignal.abort(new Error('enough'));
	await t.throwsAsync(read(t, usual, {signal}), {message: 'enough'});
});
