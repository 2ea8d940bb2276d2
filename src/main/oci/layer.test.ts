import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {gzipSync, zstdCompressSync} from 'node:zlib';
import test, {type ExecutionContext} from 'ava';
import {FileTree, Spool, type TreeNode} from '#main/file-tree';
import {gather} from '#main/tar';
import {type MadeMember, makeTar} from '#main/tar/testing';
import {unpackLayer} from './root-disk.ts';
import {digestOf} from './testing/index.ts';

type Layer = readonly MadeMember[] | Buffer;

async function unpacked(
	t: ExecutionContext,
	layers: readonly Layer[],
	compression?: 'gzip' | 'zstd',
	limit = 2 ** 24,
	tree = new FileTree(0),
): Promise<FileTree> {
	const folder = await mkdtemp(join(tmpdir(), 'layers-'));
	t.teardown(() => rm(folder, {recursive: true, force: true}));
	const spool = await Spool.open(folder, limit);
	t.teardown(() => spool[Symbol.asyncDispose]());
	for (const [index, layer] of layers.entries()) {
		const bytes = Buffer.isBuffer(layer) ? layer : makeTar(layer);
		const path = join(folder, `${index}.tar`);
		await writeFile(path, bytes);
		await unpackLayer(
			tree,
			spool,
			{path, digest: digestOf(bytes), size: bytes.length, compression, diffId: undefined},
			() => {},
		);
	}
	return tree;
}

const paths = (tree: FileTree): string[] =>
	[...tree.walk()].map(([path, node]) => (node.kind === 'directory' ? `${path}/` : path));

async function textOf(node: TreeNode | undefined): Promise<string> {
	return node?.kind === 'file' ? Buffer.from(await gather(node.content.pieces())).toString() : `no file: ${node?.kind}`;
}

const results: readonly (readonly [what: string, layers: readonly Layer[], paths: readonly string[]])[] = [
	['a whiteout takes a file away', [[{path: 'a/b'}, {path: 'a/c'}], [{path: 'a/.wh.b'}]], ['a/', 'a/c']],
	['a whiteout takes a folder away', [[{path: 'a/b/c/d'}, {path: 'e'}], [{path: '.wh.a'}]], ['e']],
	['a whiteout of nothing is nothing', [[{path: 'a'}], [{path: '.wh.b'}, {path: 'x/y/.wh.z'}]], ['a']],
	[
		'a whiteout concerns lower layers alone, before it and behind it',
		[[{path: 'a/old'}], [{path: 'a/'}, {path: 'a/new'}, {path: '.wh.a'}]],
		['a/', 'a/new'],
	],
	['a whiteout before its name', [[{path: 'a', data: 'old'}], [{path: '.wh.a'}, {path: 'a', data: 'new'}]], ['a']],
	['a whiteout behind its name', [[{path: 'a', data: 'old'}], [{path: 'a', data: 'new'}, {path: '.wh.a'}]], ['a']],
	[
		'an opaque folder has nothing of lower layers, at any depth',
		[
			[{path: 'a/b/c'}, {path: 'a/d'}, {path: 'e'}],
			[{path: 'a/b/new'}, {path: 'a/.wh..wh..opq'}],
		],
		['a/', 'a/b/', 'a/b/new', 'e'],
	],
	[
		'an opaque folder that is a link',
		[[{path: 'l', type: '2', target: 'a'}, {path: 'a/b'}], [{path: 'l/.wh..wh..opq'}]],
		['a/', 'l'],
	],
	[
		'an opaque folder has what is of its own layer, however often it is said, and wherever',
		[
			[{path: 'a/b/old'}],
			[{path: 'a/.wh..wh..opq'}, {path: 'a/b/new'}, {path: 'a/.wh..wh..opq'}, {path: '.wh.a'}, {path: 'a/c'}],
			[{path: 'a/.wh..wh..opq'}, {path: 'a/d'}],
		],
		['a/', 'a/d'],
	],
	[
		'an opaque root',
		[
			[{path: 'a/b'}, {path: 'c'}],
			[{path: '.wh..wh..opq'}, {path: 'd'}],
		],
		['d'],
	],
	['a file in place of a folder', [[{path: 'a/b'}], [{path: 'a'}]], ['a']],
	['a folder in place of a file', [[{path: 'a'}], [{path: 'a/'}, {path: 'a/b'}]], ['a/', 'a/b']],
	[
		'a folder in place of a link',
		[[{path: 'a', type: '2', target: 'b'}, {path: 'b/x'}], [{path: 'a/'}]],
		['a/', 'b/', 'b/x'],
	],
	[
		'folders on the way may be links',
		[[{path: 'lib', type: '2', target: 'usr/lib'}, {path: 'usr/lib/'}], [{path: 'lib/x'}]],
		['lib', 'usr/', 'usr/lib/', 'usr/lib/x'],
	],
	[
		'a link that climbs stays within',
		[[{path: 'up', type: '2', target: '../../../etc'}, {path: 'etc/'}, {path: 'up/x'}]],
		['etc/', 'etc/x', 'up'],
	],
	[
		'a link from the root is from the tree’s own',
		[[{path: 'up', type: '2', target: '/etc'}, {path: 'up/passwd'}]],
		['etc/', 'etc/passwd', 'up'],
	],
	['paths from the root are within', [[{path: '/a/b'}, {path: './/c'}, {path: './'}]], ['a/', 'a/b', 'c']],
	[
		'what is there twice is there once',
		[[{path: 'a', data: '1'}, {path: 'a', data: '2'}, {path: 'a/'}, {path: 'a/'}]],
		['a/'],
	],
	[
		'folders of AUFS are left out',
		[[{path: '.wh..wh.plnk/'}, {path: '.wh..wh.plnk/1.2'}, {path: '.wh..wh.aufs'}, {path: 'a'}]],
		['a'],
	],
	[
		'devices and pipes',
		[
			[
				{path: 'd', type: '3', device: [1, 3]},
				{path: 'b', type: '4', device: [4095, 1048575]},
				{path: 'p', type: '6'},
			],
		],
		['b', 'd', 'p'],
	],
	['an archive without an end', [makeTar([{path: 'a', data: 'x'}]).subarray(0, 1024)], ['a']],
	['an archive with something behind it', [Buffer.concat([makeTar([{path: 'a'}]), Buffer.alloc(3000, 'x')])], ['a']],
];
for (const [what, layers, expected] of results)
	test(what, async (t) => {
		t.deepEqual(paths(await unpacked(t, layers)), expected);
	});

test('the highest layer has its way, with owners, modes and times', async (t) => {
	const file = {path: 'a', data: 'new', mode: 0o4711, user: 7, group: 8, modified: 9};
	const tree = await unpacked(t, [[{path: 'a', data: 'old'}], [file]]);
	t.is(await textOf(tree.find('a')), 'new');
	t.like(tree.find('a'), {permissions: 0o4711, user: 7, group: 8, modified: 9});
});

test('hard links are one file, to lower layers and to what they replace, and never lead out', async (t) => {
	const first = [{path: 'a', data: 'x'}, {path: 'l', type: '2', target: 'a'}, {path: 'd/'}];
	const links = [
		{path: 'b', type: '1', target: 'a'},
		{path: 'd/c', type: '1', target: '/l'},
		{path: 'a', type: '1', target: './a'},
	];
	const tree = await unpacked(t, [first, links]);
	t.is(tree.find('a'), tree.find('b'));
	t.is(tree.find('l'), tree.find('d/c'));
	t.is(await textOf(tree.find('a')), 'x');
});

for (const compression of ['gzip', 'zstd'] as const)
	test(`a layer may be ${compression}, in several parts`, async (t) => {
		const archive = makeTar([{path: 'a', data: 'x'.repeat(100_000)}]);
		const pack = compression === 'gzip' ? gzipSync : zstdCompressSync;
		const bytes = Buffer.concat([pack(archive.subarray(0, 700)), pack(archive.subarray(700))]);
		const tree = await unpacked(t, [bytes], compression);
		t.is((await textOf(tree.find('a'))).length, 100_000);
	});

const deep = `${'d/'.repeat(600)}x`;
const hostile: readonly (readonly [what: string, layer: Layer, error: {code: string; message?: RegExp}])[] = [
	['climbs', [{path: '../x'}], {code: 'OCI_LAYER_DAMAGED', message: /'\.\.' in it/}],
	['climbs from within', [{path: 'a/../../x'}], {code: 'OCI_LAYER_DAMAGED'}],
	['takes away what is above', [{path: 'a/.wh...'}], {code: 'OCI_LAYER_DAMAGED', message: /no name/}],
	['takes away nothing', [{path: 'a/.wh.'}], {code: 'OCI_LAYER_DAMAGED', message: /no name/}],
	[
		'links in circles',
		[{path: 'a', type: '2', target: 'b'}, {path: 'b', type: '2', target: 'a'}, {path: 'a/x'}],
		{code: 'OCI_LAYER_DAMAGED', message: /on and on/},
	],
	['links to nothing', [{path: 'a', type: '1', target: 'b'}], {code: 'OCI_LAYER_DAMAGED', message: /no file of it/}],
	['links to a folder', [{path: 'd/'}, {path: 'a', type: '1', target: 'd'}], {code: 'OCI_LAYER_DAMAGED'}],
	[
		'links by a hard link that climbs',
		[{path: 'a', type: '1', target: '../../etc/passwd'}],
		{code: 'OCI_LAYER_DAMAGED'},
	],
	['is deep', [{path: deep}], {code: 'OCI_LAYER_DAMAGED', message: /deep/}],
	[
		'is deep by way of links',
		[
			{path: `${'d/'.repeat(400)}x`},
			{path: 'l', type: '2', target: 'd/'.repeat(400)},
			{path: `l/${'e/'.repeat(200)}x`},
		],
		{code: 'OCI_LAYER_DAMAGED', message: /deep/},
	],
	['has a name that is too long', [{path: 'n'.repeat(256)}], {code: 'OCI_LAYER_DAMAGED', message: /255 bytes/}],
	['has a path without end', [{path: `a${'/'.repeat(5000)}b`}], {code: 'OCI_LAYER_DAMAGED', message: /4096 char/}],
	['has a path that begins without end', [{path: `${'/'.repeat(5000)}b`}], {code: 'OCI_LAYER_DAMAGED'}],
	[
		'has a link to a zero',
		[
			{path: 'x', type: 'x', data: '16 linkpath=a\0b\n'},
			{path: 'l', type: '2'},
		],
		{code: 'OCI_LAYER_DAMAGED', message: /target has a zero/},
	],
	[
		'has a link to what is no text',
		[{path: 'l', type: '2', target: 'a\u{FFFD}b'}],
		{code: 'OCI_LAYER_DAMAGED', message: /target is not UTF-8/},
	],
	['has a name that is no text', [{path: 'a\u{FFFD}b'}], {code: 'OCI_LAYER_DAMAGED', message: /UTF-8/}],
	[
		'has a device that cannot be',
		[{path: 'd', type: '3', device: [4096, 0]}],
		{code: 'OCI_LAYER_DAMAGED', message: /device 4096/},
	],
	['has a file of no type', [{path: 'd', type: 'Q'}], {code: 'OCI_LAYER_DAMAGED', message: /type 'Q'/}],
	[
		'says that a file is longer than it is',
		[{path: 'a', data: 'x', size: 2 ** 30}],
		{code: 'OCI_LAYER_DAMAGED', message: /cut off/},
	],
	[
		'has headers without end',
		Buffer.concat(
			Array.from({length: 20}, () => makeTar([{path: 'h', type: 'x', data: '8 a=bcd\n'}]).subarray(0, 1024)),
		),
		{code: 'OCI_LAYER_DAMAGED', message: /16 headers/},
	],
	['is not compressed, or cut off', makeTar([{path: 'a', data: 'x'}]).subarray(0, 700), {code: 'OCI_LAYER_DAMAGED'}],
	['has a file in a file', [{path: 'a'}, {path: 'a/b'}], {code: 'OCI_LAYER_DAMAGED', message: /no folder/}],
];
for (const [what, layer, error] of hostile)
	test(`a layer is refused that ${what}`, async (t) => {
		await t.throwsAsync(unpacked(t, [layer]), error);
	});

test('a layer that has more than is allowed is refused before it is written', async (t) => {
	const half = {path: 'a', data: 'x'.repeat(2 ** 19)};
	const layer = [half, {...half, path: 'b'}, {...half, path: 'c'}];
	await t.throwsAsync(unpacked(t, [layer], undefined, 2 ** 20), {code: 'TREE_TOO_LARGE'});
});

test('a bomb ends long before all of it has come', async (t) => {
	const zeros = Buffer.alloc(2 ** 24);
	const parts = Array.from({length: 6}, () => zstdCompressSync(zeros));
	const header = makeTar([{path: 'bomb', size: 2 ** 33}]).subarray(0, 512);
	const bytes = Buffer.concat([zstdCompressSync(header), ...parts]);
	t.true(bytes.length < 2 ** 16);
	await t.throwsAsync(unpacked(t, [bytes], 'zstd', 2 ** 34), {code: 'OCI_LAYER_BOMB'});
});

test('holes that take all the room there is are a bomb, too', async (t) => {
	const field = (text: string) => `${text.length + 4} ${text}\n`;
	const fields = ['GNU.sparse.major=1', 'GNU.sparse.minor=0', `GNU.sparse.realsize=${2 ** 40}`].map(field).join('');
	const layer = [
		{path: 'x', type: 'x', data: fields},
		{path: 'a', data: Buffer.concat([Buffer.from('0\n'), Buffer.alloc(510)])},
	];
	await t.throwsAsync(unpacked(t, [layer], undefined, 2 ** 41), {code: 'OCI_LAYER_BOMB'});
});

test('an archive of as many names as there may be is refused with the next one', async (t) => {
	const limited = () => new FileTree(0, {names: 100, textBytes: 2 ** 20});
	const names = Array.from({length: 101}, (_, index) => ({path: `${index}`}));
	t.is(paths(await unpacked(t, [names.slice(1)], undefined, undefined, limited())).length, 100);
	const error = {code: 'OCI_LAYER_DAMAGED', message: /more than 100/};
	await t.throwsAsync(unpacked(t, [names], undefined, undefined, limited()), error);
	// What replaces another one has been made, too.
	const again = [...names.slice(1), {path: '1/'}];
	await t.throwsAsync(unpacked(t, [again], undefined, undefined, limited()), error);
});

const xattr = 'SCHILY.xattr.security.capability=';
const heavy: readonly (readonly [what: string, member: (index: number) => readonly MadeMember[]])[] = [
	['names', (index) => [{path: `${index}`.padEnd(200, 'n')}]],
	['targets of links', (index) => [{path: `${index}`, type: '2', target: 't'.repeat(200)}]],
	[
		'extended attributes',
		// Each counts 128 bytes more than its name and value have.
		(index) => [{path: 'x', type: 'x', data: `${xattr.length + 59} ${xattr}${'c'.repeat(55)}\n`}, {path: `${index}`}],
	],
];
for (const [what, member] of heavy)
	test(`a layer that fills the memory with ${what} is refused`, async (t) => {
		const limited = () => new FileTree(0, {names: 2 ** 20, textBytes: 2000});
		const members = Array.from({length: 11}, (_, index) => member(index));
		await t.notThrowsAsync(unpacked(t, [members.slice(0, 9).flat()], undefined, undefined, limited()));
		await t.throwsAsync(unpacked(t, [members.flat()], undefined, undefined, limited()), {
			code: 'OCI_LAYER_DAMAGED',
			message: /have 2000 bytes/,
		});
	});
