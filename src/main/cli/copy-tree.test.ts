import {execFileSync} from 'node:child_process';
import {
	existsSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import test from 'ava';
import {nameOf, parsePlace} from './copy.ts';
import {hostSide} from './copy-sides.ts';
import {bytesIn, copyTree, destination, type FileSide} from './copy-tree.ts';

const directory = mkdtempSync(join(tmpdir(), 'openvmm-copy-'));
test.after.always(() => rmSync(directory, {recursive: true}));

/** Copies between folders of the host, and gives what was left out. */
async function copied(from: string, to: string, side: FileSide = hostSide): Promise<string[]> {
	const left: string[] = [];
	await copyTree(
		{side, path: from},
		{side: hostSide, path: to},
		{progress() {}, skipped: (path) => void left.push(path)},
	);
	return left;
}

test('a folder comes with what is in it, its modes and its links, which nobody follows', async (t) => {
	const from = join(directory, 'from');
	mkdirSync(join(from, 'inner'), {recursive: true});
	writeFileSync(join(from, 'inner/file'), 'content', {mode: 0o751});
	symlinkSync('/etc', join(from, 'link'));
	execFileSync('mkfifo', [join(from, 'fifo')]);
	execFileSync('chmod', ['500', join(from, 'inner')]);
	const to = join(directory, 'to');
	t.deepEqual(await copied(from, to), [join(from, 'fifo')]);
	t.is(readFileSync(join(to, 'inner/file'), 'utf8'), 'content');
	t.is(lstatSync(join(to, 'inner/file')).mode & 0o777, 0o751);
	t.is(lstatSync(join(to, 'inner')).mode & 0o777, 0o500);
	t.is(readlinkSync(join(to, 'link')), '/etc');
	execFileSync('chmod', ['700', join(from, 'inner'), join(to, 'inner')]);
});

test('a copy goes into a folder that is there, and is called as it is said where there is none', async (t) => {
	t.is(await destination(hostSide, directory, 'x'), `${directory}/x`);
	t.is(await destination(hostSide, `${directory}/`, 'x'), `${directory}/x`);
	t.is(await destination(hostSide, join(directory, 'new'), 'x'), join(directory, 'new'));
	await t.throwsAsync(destination(hostSide, join(directory, 'none/'), 'x'), {message: /no folder/});
	await t.throwsAsync(copied(join(directory, 'none'), join(directory, 'y')), {message: /there is no/});
});

/** A guest that says what it likes. */
const hostile = (names: readonly string[], kind: 'file' | 'directory' = 'directory'): FileSide => ({
	...hostSide,
	look: async (path) => ({kind: path.endsWith('root') ? 'directory' : kind, mode: 0o777, size: 1}),
	list: async () => names,
});

test('names that climb out of the folder end the copy', async (t) => {
	for (const name of ['..', '.', '', '../x', 'a/b', '/etc', 'a\0b']) {
		const to = mkdtempSync(join(directory, 'h-'));
		await t.throwsAsync(copied('root', join(to, 'in'), hostile([name])), {message: /cannot be/});
		t.false(existsSync(join(to, 'x')));
	}
});

test('a tree without end ends', async (t) => {
	const to = mkdtempSync(join('/tmp', 'd-'));
	t.teardown(() => rmSync(to, {recursive: true}));
	await t.throwsAsync(copied('root', join(to, 'd'), hostile(['d'])), {message: /deeper than/});
});

test('a file is not written through a link that came before it', async (t) => {
	const victim = join(directory, 'victim');
	writeFileSync(victim, 'mine');
	const to = mkdtempSync(join(directory, 'l-'));
	symlinkSync(victim, join(to, 'file'));
	const side: FileSide = {...hostile(['file'], 'file'), read: () => hostSide.read(victim)};
	await t.throwsAsync(copied('root', to, side), {code: 'ELOOP'});
	t.is(readFileSync(victim, 'utf8'), 'mine');
	rmSync(join(to, 'file'));
	symlinkSync('/tmp', join(to, 'file'));
	await t.throwsAsync(copied('root', to, hostile(['file'])), {message: /no folder/});
});

test('what is no file is neither written to nor replaced, and alone it is no copy', async (t) => {
	const to = mkdtempSync(join(directory, 'o-'));
	const fifo = join(to, 'file');
	execFileSync('mkfifo', ['-m', '600', fifo]);
	await t.throwsAsync(copied('root', to, hostile(['file'], 'file')), {message: /is no file/});
	t.is(lstatSync(fifo).mode & 0o777, 0o600);
	await t.throwsAsync(copied(fifo, join(to, 'copy')), {message: /neither a file/});
});

test('a mode is not set behind a link', async (t) => {
	const victim = join(directory, 'kept');
	writeFileSync(victim, '', {mode: 0o600});
	symlinkSync(victim, join(directory, 'to-kept'));
	await t.throwsAsync(hostSide.chmod(join(directory, 'to-kept'), 0o777));
	t.is(lstatSync(victim).mode & 0o777, 0o600);
	await hostSide.chmod(victim, 0o640);
	t.is(lstatSync(victim).mode & 0o777, 0o640);
});

test('a name that a guest has twice leads through no link', async (t) => {
	const to = mkdtempSync(join(directory, 't-'));
	const outside = mkdtempSync(join(directory, 'out-'));
	const kinds = ['symlink', 'directory', 'file'] as const;
	for (const second of kinds) {
		let looked = 0;
		const side: FileSide = {
			...hostile(['x', 'x']),
			look: async (path) => {
				if (path === 'root') return {kind: 'directory', mode: 0o777, size: 0};
				return {kind: looked++ === 0 ? 'symlink' : second, mode: 0o777, size: 0};
			},
			list: async (path) => (path === 'root' ? ['x', 'x'] : ['inner']),
			target: async () => outside,
			read: () => hostSide.read('/dev/null'),
		};
		await t.throwsAsync(copied('root', join(to, second), side));
		t.deepEqual(readdirSync(outside), []);
	}
});

test('a copy has the name of what it is of, also where that is a way up', (t) => {
	const name = (text: string) => {
		const place = parsePlace(text);
		return nameOf(place, place.path);
	};
	t.is(name('web:/etc/hosts'), 'hosts');
	t.is(name('web:/etc/ssl/..'), 'etc');
	t.is(name('web:/..'), '');
	t.is(name('web:/etc/.'), '.');
	t.is(name(`${directory}/from/..`), basename(directory));
});

test('the bytes of a tree are counted, of one without end nobody knows them', async (t) => {
	const from = mkdtempSync(join(directory, 'b-'));
	mkdirSync(join(from, 'inner'));
	writeFileSync(join(from, 'inner/a'), 'abc');
	writeFileSync(join(from, 'b'), 'd');
	t.is(await bytesIn(hostSide, from), 4);
	t.is(await bytesIn(hostile(['d', '..', 'e']), 'root'), 0);
});
