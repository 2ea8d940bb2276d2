import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {DebFile} from '#main/debian';
import {type MadeDeb, makeDeb} from '#main/debian/testing';
import {FileTree, Spool} from '#main/file-tree';
import {gather} from '#main/tar';
import {addMergedUsr} from './system-files.ts';
import {Unpacker} from './unpack.ts';

/** Unpacks packages into a tree whose /usr is merged. */
async function unpacked(t: ExecutionContext, debs: readonly MadeDeb[], limit = 2 ** 20) {
	const folder = await mkdtemp(join(tmpdir(), 'unpack-'));
	const spool = await Spool.open(folder, limit);
	t.teardown(async () => {
		await spool[Symbol.asyncDispose]();
		await rm(folder, {recursive: true});
	});
	const tree = new FileTree(9);
	addMergedUsr(tree);
	const unpacker = new Unpacker(tree, spool);
	for (const deb of debs) await unpacker.unpack(await DebFile.open(deb.name, makeDeb(deb)));
	const text = async (path: string) => {
		const found = tree.find(path);
		return found?.kind === 'file' ? Buffer.from(await gather(found.content.pieces())).toString() : found?.kind;
	};
	return {tree, unpacker, text};
}

test('files lie below the folders that links lead to, with their owners, modes and times', async (t) => {
	const {tree, unpacker, text} = await unpacked(t, [
		{
			name: 'a',
			files: [
				{path: './'},
				{path: './bin/'},
				{path: './bin/sh', data: 'shell', mode: 0o4755, user: 1, group: 42, modified: 77},
				{path: './bin/rsh', type: '1', target: './bin/sh'},
				{path: './usr/bin/ash', type: '2', target: 'sh'},
				{path: './var/tmp/', mode: 0o1777},
			],
		},
	]);
	t.is(tree.find('bin')?.kind, 'link');
	t.is(await text('usr/bin/sh'), 'shell');
	t.like(tree.find('usr/bin/sh'), {permissions: 0o4755, user: 1, group: 42, modified: 77});
	t.is(tree.find('usr/bin/rsh'), tree.find('usr/bin/sh'));
	t.like(tree.find('usr/bin/ash'), {kind: 'link', target: 'sh'});
	t.like(tree.find('var/tmp'), {kind: 'directory', permissions: 0o1777});
	t.deepEqual(unpacker.packages[0]?.paths, ['/.', '/bin', '/bin/sh', '/bin/rsh', '/usr/bin/ash', '/var/tmp']);
});

test('a file that two packages have is of the one that replaces the other, in any order', async (t) => {
	const old = {name: 'old', files: [{path: './usr/bin/tool', data: 'old'}]};
	const moved = {name: 'moved', fields: ['Replaces: old (<< 2)'], files: [{path: './bin/tool', data: 'moved'}]};
	const other = {name: 'other', fields: ['Replaces: old (>> 2)'], files: [{path: './usr/bin/tool', data: 'other'}]};
	t.is(await (await unpacked(t, [old, moved])).text('usr/bin/tool'), 'moved');
	t.is(await (await unpacked(t, [moved, old])).text('usr/bin/tool'), 'moved');
	await t.throwsAsync(unpacked(t, [old, other]), {
		code: 'IMAGE_FILE_CLAIMED_TWICE',
		message: '/usr/bin/tool is in package old and in package other, and neither replaces the other',
	});
});

test('a link that a package has for folders that are one does not take the place of what it leads to', async (t) => {
	const {text} = await unpacked(t, [
		{
			name: 'a',
			files: [
				{path: './bin/x', data: 'program'},
				{path: './usr/bin/x', type: '2', target: '/bin/x'},
			],
		},
	]);
	t.is(await text('bin/x'), 'program');
});

const hostile: Readonly<Record<string, [deb: MadeDeb['files'], code: string]>> = {
	'a name that leads out': [[{path: './../etc/passwd', data: 'x'}], 'TREE_PATH_INVALID'],
	'a name that leads out of a folder': [[{path: './usr/../../x', data: 'x'}], 'TREE_PATH_INVALID'],
	'links in a circle': [
		[
			{path: './l', type: '2', target: 'l'},
			{path: './l/x', data: 'x'},
		],
		'TREE_PATH_INVALID',
	],
	'a name that is no UTF-8': [[{path: './\u{FFFD}', data: 'x'}], 'TREE_PATH_INVALID'],
	'a file where a folder is': [[{path: './usr', data: 'x'}], 'TREE_PATH_INVALID'],
	'another name of a file that it does not have': [[{path: './x', type: '1', target: './bin'}], 'PACKAGE_DAMAGED'],
	'another name of a file that leads out': [[{path: './x', type: '1', target: '../x'}], 'TREE_PATH_INVALID'],
	'more than may be': [[{path: './x', data: 'x'.repeat(2 ** 20 + 1)}], 'TREE_TOO_LARGE'],
};

for (const [title, [files = [], code]] of Object.entries(hostile)) {
	test(`a package is refused that has ${title}`, async (t) => {
		await t.throwsAsync(unpacked(t, [{name: 'a', files}]), {code});
	});
}

test('links lead to the guest’s files and to nothing else', async (t) => {
	const {tree, text} = await unpacked(t, [
		{
			name: 'a',
			files: [
				{path: './out', type: '2', target: '/../../tmp'},
				{path: './out/file', data: 'x'},
			],
		},
	]);
	t.is(await text('tmp/file'), 'x');
	t.like(tree.find('out'), {kind: 'link', target: '/../../tmp'});
});
