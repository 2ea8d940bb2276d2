import test from 'ava';
import {bytesContent} from './content.ts';
import {FileTree} from './file-tree.ts';
import {addHostFolder} from './host-folder.ts';

const paths = (tree: FileTree): string[] => [...tree.walk()].map(([path]) => path);

test('folders come before what is in them, by name, and those on the way come by themselves', (t) => {
	const tree = new FileTree(0);
	tree.addFile('b/two/file', bytesContent(''));
	tree.addFile('/b/one', bytesContent(''));
	tree.addFile('./a', bytesContent(''));
	t.deepEqual(paths(tree), ['a', 'b', 'b/one', 'b/two', 'b/two/file']);
});

test('a folder that is a link leads to where the link does, from the tree’s own root', (t) => {
	const tree = new FileTree(0);
	tree.addLink('bin', 'usr/bin');
	tree.addLink('usr/lib64', '/usr/lib');
	tree.addLink('usr/share/up', '../../../..');
	tree.addDirectory('bin');
	tree.addFile('bin/sh', bytesContent('sh'));
	tree.addFile('usr/lib64/ld.so', bytesContent('ld'));
	tree.addFile('usr/share/up/etc/passwd', bytesContent('guest'));
	t.is(tree.find('bin')?.kind, 'link');
	t.deepEqual(paths(tree), [
		...['bin', 'etc', 'etc/passwd', 'usr', 'usr/bin', 'usr/bin/sh', 'usr/lib', 'usr/lib/ld.so', 'usr/lib64'],
		...['usr/share', 'usr/share/up'],
	]);
});

test('a folder that is there already gets the attributes of the one that comes', (t) => {
	const tree = new FileTree(7);
	tree.addFile('tmp/x', bytesContent(''));
	tree.addDirectory('tmp', {permissions: 0o1777, user: 1, group: 2, modified: 3});
	t.like(tree.find('tmp'), {permissions: 0o1777, user: 1, group: 2, modified: 3});
	t.like(tree.find('tmp/x'), {permissions: 0o644, user: 0, group: 0, modified: 7});
});

test('paths that lead out, around in circles or through files are refused', (t) => {
	const tree = new FileTree(0);
	tree.addLink('loop', 'loop');
	tree.addLink('a', 'b');
	tree.addLink('b', '/a/x');
	tree.addFile('file', bytesContent(''));
	tree.addDirectory('folder');
	const names = [
		'../x',
		'x/../../y',
		'loop/x',
		'a/x',
		'file/x',
		'x\0y',
		'n'.repeat(256),
		'x/'.repeat(2100),
		'',
		'folder',
	];
	for (const path of [...names, '\u{FFFD}'])
		t.throws(() => tree.addFile(path, bytesContent('')), {code: 'TREE_PATH_INVALID'}, path.slice(0, 20));
	t.throws(() => tree.addDirectory('file'), {code: 'TREE_PATH_INVALID'});
	for (const target of ['', 'x'.repeat(4096)]) t.throws(() => tree.addLink('l', target), {code: 'TREE_PATH_INVALID'});
	t.deepEqual(paths(tree), ['a', 'b', 'file', 'folder', 'loop']);
});

test('a folder of the host that cannot be read is told by its own name', async (t) => {
	const tree = new FileTree(0);
	await t.throwsAsync(addHostFolder(tree, '/proc/self/mem'), {
		code: 'TREE_FOLDER_UNUSABLE',
		message: /"\/proc\/self\/mem".*ENOTDIR/,
	});
	await t.throwsAsync(addHostFolder(tree, '/proc/self/none'), {code: 'TREE_FOLDER_CHANGED'});
});
