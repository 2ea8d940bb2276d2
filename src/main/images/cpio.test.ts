import test from 'ava';
import {bytesContent, FileTree} from '#main/file-tree';
import {gather} from '#main/tar';
import {packCpio} from './cpio.ts';

interface Member {
	readonly path: string;
	readonly inode: number;
	readonly mode: number;
	readonly owner: readonly [number, number];
	readonly links: number;
	readonly time: number;
	readonly device: readonly [number, number];
	readonly data: string;
}

/** Reads an archive by the letter of the format, independently of the writer. */
function unpack(archive: Uint8Array): Member[] {
	const bytes = Buffer.from(archive);
	const members: Member[] = [];
	for (let at = 0; at < bytes.length; ) {
		const field = (index: number) =>
			Number.parseInt(bytes.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
		const nameEnd = at + 110 + field(11);
		const path = bytes.toString('latin1', at + 110, nameEnd - 1);
		const dataStart = (nameEnd + 3) & ~3;
		const dataEnd = dataStart + field(6);
		members.push({
			path,
			inode: field(0),
			mode: field(1),
			owner: [field(2), field(3)],
			links: field(4),
			time: field(5),
			device: [field(9), field(10)],
			data: bytes.toString('latin1', dataStart, dataEnd),
		});
		at = (dataEnd + 3) & ~3;
	}
	return members;
}

const packed = async (tree: FileTree): Promise<Uint8Array> => gather(packCpio(tree));

test('files keep their names, permissions, owners, times and bytes, and folders come before what is in them', async (t) => {
	const tree = new FileTree(5);
	tree.addFile('sub/init', bytesContent('hello'), 0o755);
	tree.add('sub/null', {permissions: 0o666, user: 1, group: 2, modified: 3, kind: 'character', major: 1, minor: 3});
	tree.addLink('bin', 'usr/bin');

	const one = {owner: [0, 0], links: 1, time: 5, device: [0, 0], data: ''} as const;
	t.deepEqual(unpack(await packed(tree)), [
		{...one, path: 'bin', inode: 1, mode: 0o120777, data: 'usr/bin'},
		{...one, path: 'sub', inode: 2, mode: 0o040755},
		{...one, path: 'sub/init', inode: 3, mode: 0o100755, data: 'hello'},
		{...one, path: 'sub/null', inode: 4, mode: 0o020666, owner: [1, 2], time: 3, device: [1, 3]},
		{...one, path: 'TRAILER!!!', inode: 0, mode: 0, time: 0},
	]);
});

test('a file of several names has its bytes once', async (t) => {
	const tree = new FileTree(0);
	tree.addFile('b', bytesContent('text'));
	tree.add('a', tree.find('b') as never);
	t.deepEqual(
		unpack(await packed(tree)).map(({path, inode, links, data}) => [path, inode, links, data]),
		[
			['a', 1, 2, 'text'],
			['b', 1, 2, ''],
			['TRAILER!!!', 0, 1, ''],
		],
	);
});

test('a file that is too large for the format is refused', async (t) => {
	const tree = new FileTree(0);
	tree.addFile('large', {length: 2 ** 32, pieces: () => bytesContent('').pieces()});
	await t.throwsAsync(packed(tree), {code: 'IMAGE_FILE_TOO_LARGE'});
});
