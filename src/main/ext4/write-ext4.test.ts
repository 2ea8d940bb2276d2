import {createHash} from 'node:crypto';
import {mkdtemp, open, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {bytesContent, FileTree} from '#main/file-tree';
import {checkExt4, debugfs, hasExt4Tools} from './testing/index.ts';
import {type Ext4Options, writeExt4} from './write-ext4.ts';

const mebibyte = 2 ** 20;
const identity = {uuid: '6f70656e-766d-4d00-8000-000000000001', label: 'made', time: 1_700_000_000};

const toolTest = hasExt4Tools ? test : test.skip;

async function written(t: ExecutionContext, tree: FileTree, options: Partial<Ext4Options> = {}): Promise<string> {
	const folder = await mkdtemp(join(tmpdir(), 'ext4-'));
	t.teardown(() => rm(folder, {recursive: true}));
	const path = join(folder, 'image');
	await using file = await open(path, 'w');
	const all = {...identity, sizeBytes: 16 * mebibyte, ...options};
	await file.truncate(all.sizeBytes);
	const write = async (bytes: Uint8Array, at: number) => void (await file.write(bytes, 0, bytes.length, at));
	await writeExt4({write}, tree, all);
	return path;
}

function smallTree(): FileTree {
	const tree = new FileTree(identity.time);
	tree.addDirectory('etc');
	tree.addDirectory('tmp', {...tree.attributes(0o1777), user: 7, group: 70_000});
	tree.addFile('etc/empty', bytesContent(''));
	tree.addFile('etc/text', bytesContent('a text\n'), 0o640);
	tree.addFile('big', bytesContent(Buffer.alloc(3 * mebibyte + 5, 'blocks ')), 0o4755);
	tree.add('etc/other', tree.find('etc/text') as never);
	tree.addLink('short', 'etc/text');
	tree.addLink('long', 'x/'.repeat(40));
	tree.addLink('longest', 'y'.repeat(4095));
	tree.add('null', {...tree.attributes(0o666), kind: 'character', major: 1, minor: 3});
	tree.add('disk', {...tree.attributes(0o660), kind: 'block', major: 259, minor: 300});
	tree.add('pipe', {...tree.attributes(0o600), kind: 'fifo'});
	return tree;
}

toolTest('files of every kind are what they were, and the checker of ext4 finds no fault', async (t) => {
	const image = await written(t, smallTree());
	checkExt4(t, image);
	t.is(debugfs(image, 'cat /etc/text'), 'a text\n');
	t.is(debugfs(image, 'cat /etc/other'), 'a text\n');
	t.true(debugfs(image, 'cat /big') === Buffer.alloc(3 * mebibyte + 5, 'blocks ').toString());
	const facts = (path: string) => debugfs(image, `stat ${path}`);
	t.regex(facts('/etc/text'), /Type: regular +Mode: +0640[\s\S]*Links: 2 [\s\S]*mtime: 0x6553f100:0+ /);
	t.regex(facts('/big'), /Mode: +04755/);
	t.regex(facts('/tmp'), /Type: directory +Mode: +01777[\s\S]*User: +7 +Group: 70000 /);
	t.regex(facts('/short'), /Type: symlink[\s\S]*Fast link dest: "etc\/text"/);
	t.is(debugfs(image, 'cat /long'), 'x/'.repeat(40));
	t.is(debugfs(image, 'cat /longest'), 'y'.repeat(4095));
	t.regex(facts('/null'), /character special[\s\S]*Device major\/minor number: 01:03/);
	t.regex(facts('/disk'), /block special[\s\S]*Device major\/minor number: 259:300/);
	t.regex(facts('/pipe'), /FIFO/i);
	t.regex(debugfs(image, 'stats'), /volume name: +made\n[\s\S]*UUID: +6f70656e-766d-4d00-8000-000000000001\n/);
});

toolTest('files and folders keep their extended attributes, in the inode or in a block', async (t) => {
	const tree = new FileTree(identity.time);
	// VFS_CAP_REVISION_2, effective: CAP_NET_RAW (13) is permitted.
	const capability = Uint8Array.of(1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	const put = (name: string, xattrs: Readonly<Record<string, Uint8Array>>) =>
		tree.add(name, {
			...tree.attributes(0o755),
			kind: 'file',
			content: bytesContent(name),
			xattrs: new Map(Object.entries(xattrs)),
		});
	put('ping', {'security.capability': capability});
	const long = Buffer.from('value '.repeat(500));
	put('many', {
		'user.b': Buffer.from('of b'),
		'user.long': long,
		'security.capability': capability,
		'user.a': new Uint8Array(),
	});
	const origin = new Map([['user.origin', Buffer.from('layer')]]);
	tree.addDirectory('folder', {...tree.attributes(0o755), xattrs: origin});
	tree.addDirectory('', {...tree.attributes(0o755), xattrs: origin});
	tree.addDirectory('plain', {...tree.attributes(0o755), xattrs: origin});
	tree.addDirectory('plain', tree.attributes(0o700));
	const image = await written(t, tree);
	checkExt4(t, image);
	t.regex(debugfs(image, 'ea_get -x /ping security.capability'), /01 00 00 02 00 20 00 00 00 00/);
	t.regex(debugfs(image, 'ea_get -x /many security.capability'), /01 00 00 02 00 20 00 00 00 00/);
	t.regex(debugfs(image, 'ea_get /many user.long'), new RegExp(`${long}`));
	t.regex(debugfs(image, 'ea_list /many'), /user\.a \(0\)[\s\S]*user\.b \(4\)/);
	for (const folder of ['/', '/folder']) t.regex(debugfs(image, `ea_get ${folder} user.origin`), /layer/);
	t.notRegex(debugfs(image, 'ea_list /plain'), /origin/);
	put('many', {'user.long': new Uint8Array(4096)});
	await t.throwsAsync(written(t, tree), {code: 'EXT4_FILE_INVALID'});
});

toolTest('a file of many extents, and a folder of many blocks, go over any number of groups', async (t) => {
	const tree = new FileTree(identity.time);
	for (let index = 0; index < 3000; index++) tree.addFile(`many/${index}-${'n'.repeat(60)}`, bytesContent(`${index}`));
	const piece = Buffer.alloc(mebibyte, 'p');
	// Most of its bytes are never written: what they were would be no other test.
	const length = 900 * mebibyte;
	const first = {
		length,
		async *pieces() {
			yield piece;
		},
	};
	tree.addFile('large', first);
	const image = await written(t, tree, {sizeBytes: 1000 * mebibyte});
	checkExt4(t, image);
	t.is(debugfs(image, 'ls -p /many').trim().split('\n').length, 3002);
	t.is(debugfs(image, `cat /many/1234-${'n'.repeat(60)}`), '1234');
	t.regex(debugfs(image, 'stat /large'), new RegExp(`Size: ${length}\\n[^~]*\\(ETB0\\)`));
});

toolTest('a rest of the size that is too short for a group is left over', async (t) => {
	const tree = smallTree();
	const group = 128 * mebibyte;
	for (const sizeBytes of [group, group + 4096, group + 2 * mebibyte, 2 * group + 32 * mebibyte, 8 * mebibyte])
		checkExt4(t, await written(t, tree, {sizeBytes}));
});

test('the same files give the same bytes, whatever the order in which they came', async (t) => {
	const make = async (names: readonly string[]) => {
		const tree = new FileTree(identity.time);
		for (const name of names) tree.addFile(name, bytesContent(name));
		return createHash('sha256')
			.update(await readFile(await written(t, tree, {sizeBytes: 2 * mebibyte})))
			.digest('hex');
	};
	t.is(await make(['a/b', 'c', 'a/d']), await make(['a/d', 'a/b', 'c']));
	t.not(await make(['a']), await make(['b']));
});

test('a file system that is too small, and one of no possible size, are refused', async (t) => {
	const tree = smallTree();
	await t.throwsAsync(written(t, tree, {sizeBytes: 2 * mebibyte}), {code: 'EXT4_TOO_SMALL'});
	await t.throwsAsync(written(t, tree, {sizeBytes: mebibyte + 1}), {code: 'EXT4_SIZE_INVALID'});
	await t.throwsAsync(written(t, tree, {sizeBytes: 4096}), {code: 'EXT4_SIZE_INVALID'});
	const many = new FileTree(0);
	for (let index = 0; index < 5000; index++) many.addFile(`${index}`, bytesContent(''));
	await t.throwsAsync(written(t, many, {sizeBytes: mebibyte}), {code: 'EXT4_TOO_SMALL'});
	tree.addDirectory('lost+found');
	await t.throwsAsync(written(t, tree), {code: 'EXT4_FILE_INVALID'});
});
