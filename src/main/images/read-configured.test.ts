import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {gather} from '#main/debian';
import {type MadeMember, makeTar} from '#main/debian/testing';
import {bytesContent, type FileTree, Spool} from '#main/file-tree';
import {readConfigured} from './read-configured.ts';

const time = 1000;

async function read(t: ExecutionContext, members: readonly MadeMember[], signal?: AbortSignal): Promise<FileTree> {
	const folder = await mkdtemp(join(tmpdir(), 'configured-'));
	const spool = await Spool.open(folder, 2 ** 20);
	t.teardown(async () => {
		await spool[Symbol.asyncDispose]();
		await rm(folder, {recursive: true});
	});
	const fault = (what: string) => new RangeError(what);
	return readConfigured(bytesContent(makeTar(members)).pieces(), spool, {time, fault, signal});
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
	await t.throwsAsync(read(t, usual, AbortSignal.abort(new Error('enough'))), {message: 'enough'});
});
