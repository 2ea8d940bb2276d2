import {execFileSync} from 'node:child_process';
import {
	existsSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	readlinkSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {hostSide} from './copy-sides.ts';
import {copyTree, destination, type FileSide} from './copy-tree.ts';

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
