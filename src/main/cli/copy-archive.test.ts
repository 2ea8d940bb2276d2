import {execFileSync, spawnSync} from 'node:child_process';
import {
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
import {join} from 'node:path';
import {Readable} from 'node:stream';
import {buffer} from 'node:stream/consumers';
import test from 'ava';
import {archiveOf, extractInto} from './copy-archive.ts';
import {hostSide} from './copy-sides.ts';

const directory = mkdtempSync(join(tmpdir(), 'openvmm-archive-'));
test.after.always(() => rmSync(directory, {recursive: true}));
const hasTar = spawnSync('tar', ['--version']).status === 0 ? test : test.skip;

const long = 'n'.repeat(150);

function tree(): string {
	const path = mkdtempSync(join(directory, 'tree-'));
	mkdirSync(join(path, 'inner'));
	writeFileSync(join(path, 'inner', long), 'of a long name', {mode: 0o640});
	writeFileSync(join(path, 'bytes'), Buffer.alloc(70_001, 7));
	symlinkSync(`/${long}`, join(path, 'link'));
	return path;
}

const report = () => {
	const left: string[] = [];
	return {left, progress() {}, skipped: (path: string) => void left.push(path)};
};

function check(t: import('ava').ExecutionContext, at: string) {
	t.is(readFileSync(join(at, 'inner', long), 'utf8'), 'of a long name');
	t.is(lstatSync(join(at, 'inner', long)).mode & 0o777, 0o640);
	t.is(readFileSync(join(at, 'bytes')).length, 70_001);
	t.is(readlinkSync(join(at, 'link')), `/${long}`);
}

hasTar('tar takes what is made of a folder', async (t) => {
	const to = mkdtempSync(join(directory, 'to-'));
	const bytes = await buffer(Readable.from(archiveOf(hostSide, tree(), 'tree', report())));
	execFileSync('tar', ['-x', '-C', to], {input: bytes});
	check(t, join(to, 'tree'));
});

hasTar('what tar makes of a folder is put where it is wanted', async (t) => {
	const to = mkdtempSync(join(directory, 'to-'));
	const bytes = execFileSync('tar', ['-c', '-C', tree(), '.']);
	const {left, ...told} = report();
	await extractInto(Readable.from([bytes]), hostSide, to, told);
	check(t, to);
	t.deepEqual(left, []);
});

hasTar('members that climb, or go through a link, get nowhere', async (t) => {
	const from = mkdtempSync(join(directory, 'from-'));
	const outside = mkdtempSync(join(directory, 'outside-'));
	writeFileSync(join(from, 'file'), 'x');
	const climbing = execFileSync('tar', ['-c', '-P', '-C', from, '--transform', 's,^,../,', 'file']);
	const to = mkdtempSync(join(directory, 'to-'));
	const {left, ...told} = report();
	await extractInto(Readable.from([climbing]), hostSide, to, told);
	t.deepEqual(left, ['../file']);
	symlinkSync(outside, join(to, 'link'));
	const through = execFileSync('tar', ['-c', '-C', from, '--transform', 's,^,link/,', 'file']);
	await t.throwsAsync(extractInto(Readable.from([through]), hostSide, to, told), {message: /no folder/});
	t.deepEqual(readdirSync(outside), []);
});

test('a file that is longer or shorter than was said ends the archive, and so does damage', async (t) => {
	const path = join(directory, 'grows');
	writeFileSync(path, 'ten bytes.');
	for (const size of [5, 20]) {
		const side = {...hostSide, look: async () => ({kind: 'file', mode: 0o644, size}) as const};
		await t.throwsAsync(buffer(Readable.from(archiveOf(side, path, 'x', report()))), {message: /has changed/});
	}
	await t.throwsAsync(extractInto(Readable.from([Buffer.alloc(512, 1)]), hostSide, directory, report()), {
		message: /damaged/,
	});
});
