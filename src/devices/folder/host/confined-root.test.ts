import {mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import type {Name} from '#devices/folder';
import {close, Errno, OAt, openAt} from '#support/ffi';
import {ConfinedRoot} from './confined-root.ts';

/** What whoever has the directory's descriptor alone is given, without anything that looks at names before. */
const table: readonly (readonly [path: string, error: number])[] = [
	['', 0],
	['inside/file', 0],
	['to-file', 0],
	['to-inside', 0],
	['to-inside/file', -Errno.ELOOP],
	['to-root/etc', -Errno.ELOOP],
	['to-above/outside', -Errno.ELOOP],
	['..', -Errno.EXDEV],
	['../outside', -Errno.EXDEV],
	['inside/../../outside', -Errno.EXDEV],
	['/etc', -Errno.EXDEV],
	['none', -Errno.ENOENT],
];

/** O_CREAT, O_EXCL and O_WRONLY of open(2). */
const createFlags = 0o301;

test('the kernel itself keeps whoever has the folder in it, and follows no link', (t) => {
	const place = mkdtempSync(join(tmpdir(), 'confined-'));
	t.teardown(() => rmSync(place, {recursive: true, force: true}));
	const folder = join(place, 'folder');
	mkdirSync(join(folder, 'inside'), {recursive: true});
	writeFileSync(join(folder, 'inside', 'file'), 'inside');
	writeFileSync(join(place, 'outside'), 'outside');
	for (const [name, target] of Object.entries({file: 'inside/file', inside: 'inside', root: '/', above: '..'}))
		symlinkSync(target, join(folder, `to-${name}`));
	const fd = openAt(-100, Buffer.from(`${folder}\0`), OAt.PATH, 0, 0);
	t.true(fd >= 0);
	const root = new ConfinedRoot(fd, true);
	t.teardown(() => root.close());
	for (const [path, error] of table) {
		const found = root.find(path);
		if (found >= 0) close(found);
		t.is(Math.min(found, 0), error, path);
	}
	const created = root.create(fd, '../made' as Name, createFlags, 0o600);
	if (created >= 0) close(created);
	t.is(created, -Errno.EXDEV);
});
