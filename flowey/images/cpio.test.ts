import test from 'ava';
import {packCpio} from './cpio.ts';

interface Member {
	readonly path: string;
	readonly mode: number;
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
			mode: field(1),
			device: [field(9), field(10)],
			data: bytes.toString('latin1', dataStart, dataEnd),
		});
		at = (dataEnd + 3) & ~3;
	}
	return members;
}

test('a file keeps its name, permissions and bytes', (t) => {
	const archive = packCpio([{kind: 'file', path: 'init', data: Buffer.from('hello'), permissions: 0o755}]);

	t.deepEqual(unpack(archive)[0], {path: 'init', mode: 0o100755, device: [0, 0], data: 'hello'});
});

test('an archive ends with the trailer and is a multiple of four bytes', (t) => {
	const archive = packCpio([{kind: 'file', path: 'abc', data: Buffer.from('x')}]);

	t.is(unpack(archive).at(-1)?.path, 'TRAILER!!!');
	t.is(archive.length % 4, 0);
});

test('folders come before what is in them, each once', (t) => {
	const archive = packCpio([
		{kind: 'file', path: 'a/b/one', data: new Uint8Array()},
		{kind: 'file', path: 'a/b/two', data: new Uint8Array()},
		{kind: 'directory', path: 'a'},
	]);

	t.deepEqual(
		unpack(archive).map(({path}) => path),
		['a', 'a/b', 'a/b/one', 'a/b/two', 'TRAILER!!!'],
	);
});

test('a link stores its target and a device its numbers', (t) => {
	const archive = packCpio([
		{kind: 'link', path: 'sh', target: 'busybox'},
		{kind: 'characterDevice', path: 'console', major: 5, minor: 1},
	]);

	const [link, device] = unpack(archive);
	t.deepEqual(link, {path: 'sh', mode: 0o120777, device: [0, 0], data: 'busybox'});
	t.deepEqual(device, {path: 'console', mode: 0o020600, device: [5, 1], data: ''});
});
