import {mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {FileTree} from '#main/file-tree';
import {writeInitrd} from './output-files.ts';

test('what is unfinished is a file of its own, not one that a link leads to', async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-output-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const [path, other] = [join(folder, 'initrd'), join(folder, 'other')];
	writeFileSync(other, 'of somebody else');
	// Whoever writes to the folder too can tell the number of the process.
	symlinkSync(other, `${path}.${process.pid}.new`);
	await writeInitrd(new FileTree(0), path);
	t.is(readFileSync(other, 'utf8'), 'of somebody else');
	t.is(readFileSync(path, 'latin1').slice(0, 6), '070701');
	t.deepEqual(readdirSync(folder).sort(), ['initrd', `initrd.${process.pid}.new`, 'other']);
});
